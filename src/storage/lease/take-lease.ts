// Who of many processes does something: the one that holds its lease. A lease lasts by the database's clock, so clocks of
// machines don't matter; its epoch grows with each new holder, so that one who was paused past its end can write nothing more.

import { type Kysely, sql } from 'kysely';
import { type Micros, MICROS_PER_SECOND } from '../../core/index.ts';
import type { Database, DatabaseKind } from '../database/database.ts';
import type { LeaseTables } from './lease-tables.ts';

/** What tells a holder from those before it, inside a transaction too. */
export interface LeaseToken {
  readonly name: string;
  readonly epoch: number;
}

/**
 * A lease that was had. Whether it still is, only the database can say: ask `holdsLease` in the transaction that writes.
 */
export interface Lease extends LeaseToken {
  /** Holds it for its time from now on; false where another has it, and then for good. Throws what the database throws. */
  renew(): Promise<boolean>;
  /** Gives it back, where it is still this one's. Throws what the database throws. */
  release(): Promise<void>;
}

export interface TakeLease {
  readonly name: string;
  /** Who asks: one of its own for each process. A holder that asks again gets the next epoch. */
  readonly holder: string;
  /** The same for all who ask for this name. */
  readonly ttlMs: number;
}

/**
 * Undefined while another holds it. The tables are to be there (`migrateLeases`). Throws what the database throws; one that
 * was given nevertheless ends by itself.
 */
export async function takeLease(
  database: Pick<Database, 'kind' | 'tables'>,
  { name, holder, ttlMs }: TakeLease,
): Promise<Lease | undefined> {
  const db = database.tables<LeaseTables>();
  const now = clockOf(database.kind);
  const ttl = ttlMs * 1000;
  // One that ends later than any could was given before the clock was set back.
  const taken = await sql<{ epoch: number }>`
    insert into headrace_leases as held (name, holder, epoch, until) values (${name}, ${holder}, 1, ${now} + ${ttl})
    on conflict (name) do update set holder = excluded.holder, epoch = held.epoch + 1, until = excluded.until
    where held.until <= ${now} or held.until > ${now} + ${2 * ttl} or held.holder = excluded.holder
    returning epoch`.execute(db);
  const epoch = taken.rows[0]?.epoch;
  if (epoch === undefined) return undefined;
  return {
    name,
    epoch,
    async renew() {
      const { numUpdatedRows } = await db
        .updateTable('headrace_leases')
        .set({ until: sql<number>`${now} + ${ttl}` })
        .where('name', '=', name)
        .where('epoch', '=', epoch)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async release() {
      await db
        .updateTable('headrace_leases')
        .set({ until: 0 })
        .where('name', '=', name)
        .where('epoch', '=', epoch)
        .execute();
    },
  };
}

/**
 * Whether nobody has had the lease since, and nobody gets it before the transaction ends: what a holder writes in it is its
 * own to write, though the lease may have run out.
 */
export async function holdsLease<T>(trx: Kysely<T>, kind: DatabaseKind, { name, epoch }: LeaseToken): Promise<boolean> {
  // Whoever has leases has their table; `trx` knows its caller's alone.
  const rows = (trx as unknown as Kysely<LeaseTables>)
    .selectFrom('headrace_leases')
    .select('epoch')
    .where('name', '=', name)
    .where('epoch', '=', epoch);
  // SQLite's writers come one after another, and know no row locks.
  return (await (kind === 'postgres' ? rows.forShare() : rows).executeTakeFirst()) !== undefined;
}

/** Microseconds by the database's clock. An SQLite file is of this machine, and has this machine's. */
export async function databaseNow(database: Pick<Database, 'kind' | 'tables'>): Promise<Micros> {
  const { rows } = await sql<{ now: number }>`select ${clockOf(database.kind)} as now`.execute(database.tables());
  return Number(rows[0]?.now);
}

const clockOf = (kind: DatabaseKind) => sql.raw(clockText(kind));

/** The same as a part of a statement. */
export const clockText = (kind: DatabaseKind): string =>
  kind === 'postgres'
    ? `cast(extract(epoch from clock_timestamp()) * ${MICROS_PER_SECOND} as bigint)`
    : `cast(unixepoch('subsec') * ${MICROS_PER_SECOND} as integer)`;
