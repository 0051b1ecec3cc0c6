// The database handle: one Kysely code path over SQLite (embedded) and Postgres.
// Each folder that stores things has its own tables, made by its own migrations.

import type { Kysely } from 'kysely';

export type DatabaseKind = 'sqlite' | 'postgres';

/**
 * What a database is opened for: where it is `read`, nothing is made or changed, neither rows nor tables. `join` is to write to one
 * that somebody has made.
 */
export type DatabaseAccess = 'read' | 'join' | 'write';

export interface Migration {
  readonly name: string;
  /** Runs inside the transaction of its `migrate` call. `kind` is for the few column types that differ. */
  up(db: Kysely<unknown>, kind: DatabaseKind): Promise<void>;
}

export interface TransactionOptions {
  /**
   * Transactions of the same name run one after another, across processes too. SQLite's writers always do; on Postgres
   * (READ COMMITTED otherwise) an advisory lock of this name is held until the end.
   */
  readonly serializedBy?: string;
  /**
   * Does not wait for the disk: what was committed may be lost with the machine's power, later transactions with it that are
   * losable too, and none that is not.
   */
  readonly isLosable?: boolean;
  /** Reads the state of one moment and changes nothing; whoever writes goes on meanwhile. */
  readonly isSnapshot?: boolean;
}

/**
 * A database. Whole numbers come back as `number` while they are safe integers, else as `bigint`; store bools as 0/1.
 * Errors: HR_STORAGE_UNAVAILABLE when it can't be reached or stays locked, HR_STORAGE_FULL when it can't grow.
 */
export interface Database {
  readonly kind: DatabaseKind;
  /** Queries outside a transaction. Inside one use its `trx` alone: SQLite has one connection, and refuses this. */
  tables<T>(): Kysely<T>;
  /**
   * Applies the owner's migrations that weren't yet, in order, all or none; several processes may call it at once. Gives the
   * database that has the tables, by which they are to be read: opened to read, nothing is applied, tables that are not there
   * are those of an empty database, and earlier ones are HR_REGISTRY_OUTDATED.
   */
  migrate(owner: string, migrations: readonly Migration[]): Promise<Database>;
  /** Commits when `work` resolves, rolls back when it throws. */
  transaction<T, R>(work: (trx: Kysely<T>) => Promise<R>, options?: TransactionOptions): Promise<R>;
  /**
   * Calls `wake` soon after a process that has the database committed a change: on Postgres one told by `pg_notify(channel, …)`, on SQLite any of another connection, and at times for nothing; what
   * is told while a connection is away is made up for by a wake. Gives what ends it.
   */
  listen(channel: string, wake: () => void): Promise<() => Promise<void>>;
  close(): Promise<void>;
}
