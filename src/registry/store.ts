// What the registry's parts share: the tables, the clock, and the one way to change something.

import type { Kysely, Selectable } from 'kysely';
import { canonicalJson, type Clock, type Json, type Micros, parseJson, withoutKeySecrets } from '../core/index.ts';
import type { Manifest } from '../definitions/index.ts';
import { createSharedClock, type Database } from '../storage/index.ts';
import type { RegistryTables } from './schema.ts';

export type RegistryDb = Kysely<RegistryTables>;

/** One change, as the audit log keeps it. `before` and `after` are plain JSON values; undefined is kept as nothing. */
export interface AuditEntry {
  readonly actor: string;
  /** Such as `endpoint.traffic`. */
  readonly action: string;
  /** Such as `endpoint/delay`. */
  readonly object: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** Why, as whoever changes it says. */
  readonly reason?: string | undefined;
}

export interface RegistryStore {
  readonly db: RegistryDb;
  /**
   * Runs a change. Changes run one after another, across processes too, so what `work` reads stays true until it
   * commits. The token grows only when something was written to the audit log.
   */
  change<R>(work: (trx: RegistryDb, record: (entry: AuditEntry) => Promise<void>) => Promise<R>): Promise<R>;
  state(db: RegistryDb): Promise<Selectable<RegistryTables['registry_state']>>;
  /** Without the secrets of keys, wherever they were pasted. */
  writeAudit(db: RegistryDb, entry: AuditEntry): Promise<void>;
  now(): Micros;
  /** The same by the database's clock, for what several machines hold against each other. */
  sharedNow(): Promise<Micros>;
}

export function createRegistryStore(database: Database, clock: Clock): RegistryStore {
  const shared = createSharedClock(database, clock);
  const store: RegistryStore = {
    db: database.tables<RegistryTables>(),
    now: () => clock.nowMicros(),
    sharedNow: () => shared.set(),
    change: <R>(work: (trx: RegistryDb, record: (entry: AuditEntry) => Promise<void>) => Promise<R>) =>
      database.transaction<RegistryTables, R>(
        async (trx) => {
          let isChanged = false;
          const result = await work(trx, async (entry) => {
            isChanged = true;
            await store.writeAudit(trx, entry);
          });
          if (isChanged) {
            await trx
              .updateTable('registry_state')
              .set((row) => ({ change_token: row('change_token', '+', 1) }))
              .execute();
          }
          return result;
        },
        { serializedBy: 'registry' },
      ),
    state: (db) => db.selectFrom('registry_state').selectAll().executeTakeFirstOrThrow(),
    async writeAudit(db, { actor, action, object, before, after, reason }) {
      await db
        .insertInto('registry_audit')
        .values({
          at: store.now(),
          actor: withoutKeySecrets(actor),
          action,
          object: withoutKeySecrets(object),
          before: toText(before),
          after: toText(after),
          ...(reason === undefined ? {} : { reason: withoutKeySecrets(reason) }),
        })
        .execute();
    },
  };
  return store;
}

function toText(value: unknown): string | null {
  return value === undefined ? null : withoutKeySecrets(canonicalJson(value));
}

/** The current manifest and its revision; undefined before the first apply. */
export async function readCurrent(db: RegistryDb) {
  const row = await db
    .selectFrom('registry_state as s')
    .innerJoin('registry_applies as a', 'a.revision', 's.revision')
    .innerJoin('registry_manifests as m', 'm.hash', 'a.hash')
    .select(['a.revision', 'a.hash', 'a.applied_at', 'a.actor', 'a.origin', 'm.manifest'])
    .executeTakeFirst();
  return row === undefined ? undefined : { ...row, manifest: parseManifest(row.manifest) };
}

/** A manifest that was applied; undefined where none of that hash ever was. */
export async function readManifest(db: RegistryDb, hash: string): Promise<Manifest | undefined> {
  const rows = db.selectFrom('registry_manifests').select('manifest').where('hash', '=', hash);
  const row = await rows.executeTakeFirst();
  return row === undefined ? undefined : parseManifest(row.manifest);
}

// The text is the canonical JSON of a manifest that was checked before it was applied.
export function parseManifest(text: string): Manifest {
  return parseJson(text) as unknown as Manifest;
}

export function readJson(text: string | null): Json {
  return text === null ? null : parseJson(text);
}
