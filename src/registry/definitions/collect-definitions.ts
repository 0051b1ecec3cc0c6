// Revisions that are far back: they can't be rolled back to once they are gone. What a model version, a version of a view, a
// training set or a run was made by stays, and so do the last ones and those that servers may still answer by.

import type { Kysely } from 'kysely';
import { formatTimestamp, type Micros } from '../../core/index.ts';
import { type Collector, type Database, neededOf, type Removable, type RowsOwner } from '../../storage/index.ts';
import type { RegistryTables } from '../schema.ts';

export interface DefinitionsCollectorDeps {
  readonly database: Database;
  readonly owners: readonly RowsOwner[];
  readonly nowMicros: () => Micros;
  /** So many of the last revisions stay. */
  readonly keepLast: number;
  /** Those before, for so long after another took their place. */
  readonly keepMicros: Micros;
}

export function collectDefinitions(deps: DefinitionsCollectorDeps): Collector {
  const { database, owners } = deps;
  return {
    name: 'revision',
    plan: () =>
      database.transaction<unknown, { items: Removable[] }>(async (trx) => ({ items: await findOld(trx, deps) }), {
        isSnapshot: true,
      }),
    async forget(opened, items) {
      const old = new Set((await findOld(opened, deps)).map(({ id }) => id));
      const going = items.filter(({ id }) => old.has(id));
      const revisions = going.map(({ id }) => Number(id));
      if (revisions.length === 0) return [];
      // The registry's own tables are in it.
      const db = opened as Kysely<RegistryTables>;
      await db.deleteFrom('registry_applies').where('revision', 'in', revisions).execute();
      const stay = new Set([...(await pinnedHashes(db)), ...(await neededOf(owners, opened, 'definitions'))]);
      const applied = await db.selectFrom('registry_applies').select('hash').distinct().execute();
      for (const { hash } of applied) stay.add(hash);
      for (const { data } of going) {
        const hash = String(data?.['hash']);
        if (!stay.has(hash)) await db.deleteFrom('registry_manifests').where('hash', '=', hash).execute();
      }
      return going;
    },
    // Its code are objects, which go by themselves.
    erase: async () => {},
  };
}

async function findOld(
  opened: Kysely<unknown>,
  { owners, nowMicros, keepLast, keepMicros }: DefinitionsCollectorDeps,
): Promise<Removable[]> {
  const db = opened as Kysely<RegistryTables>;
  // While a version is being filled, services may answer by any earlier definitions.
  const filled = await db
    .selectFrom('registry_view_versions')
    .select('version')
    .where('removed_at', 'is', null)
    .where('completed_at', 'is', null)
    .executeTakeFirst();
  if (filled !== undefined) return [];
  const servers = await db.selectFrom('registry_servers').select('state').execute();
  const loaded = servers.map(({ state }) => (JSON.parse(state) as { revision: number | null }).revision ?? Infinity);
  const applies = await db
    .selectFrom('registry_applies as a')
    .innerJoin('registry_manifests as m', 'm.hash', 'a.hash')
    .select(({ fn }) => [
      'a.revision',
      'a.hash',
      'a.applied_at',
      'a.actor',
      fn<number>('length', ['m.manifest']).as('bytes'),
    ])
    .orderBy('a.revision')
    .execute();
  const pinned = new Set([...(await pinnedHashes(db)), ...(await neededOf(owners, opened, 'definitions'))]);
  const now = nowMicros();
  const before = applies.slice(0, Math.max(0, applies.length - keepLast));
  return before.flatMap(({ revision, hash, applied_at: appliedAt, actor, bytes }, at): Removable[] => {
    const replacedAt = applies[at + 1]?.applied_at ?? now;
    const isKept = pinned.has(hash) || now - replacedAt < keepMicros || loaded.some((one) => one <= revision);
    if (isKept) return [];
    return [
      {
        id: String(revision),
        what: `revision ${revision}, applied by ${actor} on ${formatTimestamp(appliedAt).slice(0, 10)}`,
        why: `replaced ${formatTimestamp(replacedAt).slice(0, 10)}, not among the last ${keepLast}, and nothing was made by it that is kept`,
        bytes,
        sinceMicros: replacedAt,
        data: { hash },
      },
    ];
  });
}

/** Of rows of the registry's own that refer to manifests. */
async function pinnedHashes(db: Kysely<RegistryTables>): Promise<ReadonlySet<string>> {
  const models = await db.selectFrom('registry_model_versions').select('manifest_hash').distinct().execute();
  const views = await db.selectFrom('registry_view_versions').select('manifest_hash').distinct().execute();
  return new Set([...models, ...views].map((row) => row.manifest_hash));
}
