// References of drift that nothing is held against any more: those of versions and endpoints that are gone, once the windows that
// were counted by their bins are gone, too.

import type { Kysely } from 'kysely';
import type { Collector, Database, Removable } from '../../storage/index.ts';
import type { DriftTables } from './tables.ts';

/** What may still be served, and so watched. */
export interface KeptReferences {
  /** Of versions that are not retired. */
  readonly trainingSets: ReadonlySet<string>;
  /** Those versions, each as `MODEL/VERSION`. */
  readonly versions: ReadonlySet<string>;
  readonly endpoints: ReadonlySet<string>;
}

export interface ReferenceCollectorDeps {
  readonly database: Database;
  readonly kept: () => Promise<KeptReferences>;
}

export function collectReferences({ database, kept }: ReferenceCollectorDeps): Collector {
  const unused = async (opened: Kysely<unknown>) => {
    // Its own tables are in it.
    const db = opened as Kysely<DriftTables>;
    return db
      .selectFrom('monitoring_references')
      .select((row) => ['id', 'created_micros', row.fn<number | bigint | string>('length', ['body']).as('bytes')])
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('monitoring_drift_windows')
              .select('reference')
              .whereRef('monitoring_drift_windows.reference', '=', 'monitoring_references.id'),
          ),
        ),
      )
      .orderBy('id')
      .execute();
  };
  return {
    name: 'drift reference',
    async plan() {
      const needed = await kept();
      const found = await unused(database.tables());
      return {
        items: found
          .filter(({ id }) => !isKept(id, needed))
          .map(({ id, created_micros: sinceMicros, bytes }): Removable => {
            const why = 'of a version or an endpoint that is gone, and no window is held against it';
            return { id, what: id, why, bytes: Number(bytes), sinceMicros };
          }),
      };
    },
    async recheck(items) {
      const needed = await kept();
      return items.filter(({ id }) => !isKept(id, needed));
    },
    async forget(trx, items) {
      const still = new Set((await unused(trx)).map(({ id }) => id));
      const going = items.filter(({ id }) => still.has(id));
      // The same database's, by another room's tables.
      const db = trx as Kysely<DriftTables>;
      for (const { id } of going) await db.deleteFrom('monitoring_references').where('id', '=', id).execute();
      return going;
    },
    // All of it was the row.
    async erase() {},
  };
}

/** An id is a training set's, or says whose first windows they are, as `firstWindowsId` has it: a variant's name may have a slash. */
function isKept(id: string, { trainingSets, versions, endpoints }: KeptReferences): boolean {
  const [, endpoint, ...rest] = id.split('/');
  if (endpoint === undefined) return trainingSets.has(id);
  return endpoints.has(endpoint) && versions.has(rest.slice(-3, -1).join('/'));
}
