// Rows of files that were quarantined and put back: by what they hold, so that it makes no difference in which file, or in
// which place of it, such a row lies; and by the columns of then, as later ones say nothing of it.

import type { Field, Micros } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import { migrateQuarantine, type QuarantineTables } from './tables.ts';

export interface Release {
  /** Rising: what is released later has a greater one. */
  readonly seq: number;
  readonly source: string;
  /** Of the columns that the hash is of, in their order. */
  readonly columns: readonly Field[];
  readonly hash: string;
}

/** The releases of a moment: a run reads by one such list, however many passes it makes. */
export interface Releases {
  /** The greatest number among them; 0 for none. */
  readonly last: number;
  /** By columns, the hashes of released rows, and when each was released. */
  of(source: string): readonly { readonly columns: readonly Field[]; readonly hashes: ReadonlyMap<string, Micros> }[];
  /** The greatest number of the source's own; 0 for none. */
  lastOf(source: string): number;
}

export const NOTHING_RELEASED: Releases = { last: 0, of: () => [], lastOf: () => 0 };

/** All up to `last`, which is a number that an earlier list had; of now when left out. */
export async function loadReleases(opened: Database, last = Infinity): Promise<Releases> {
  const database = await migrateQuarantine(opened);
  const rows = (
    await database
      .tables<QuarantineTables>()
      .selectFrom('quarantine_releases')
      .select(['seq', 'source', 'columns', 'hash', 'released_micros'])
      .orderBy('seq')
      .execute()
  ).filter(({ seq }) => seq <= last);
  if (rows.length === 0) return NOTHING_RELEASED;
  const sources = new Map<string, Map<string, Map<string, Micros>>>();
  const lasts = new Map<string, number>();
  for (const { seq, source, columns, hash, released_micros } of rows) {
    const byColumns = sources.get(source) ?? new Map<string, Map<string, Micros>>();
    sources.set(source, byColumns);
    byColumns.set(columns, (byColumns.get(columns) ?? new Map<string, Micros>()).set(hash, released_micros));
    lasts.set(source, seq);
  }
  return {
    last: rows.at(-1)?.seq ?? 0,
    of: (source) =>
      // As addReleases wrote them.
      [...(sources.get(source) ?? [])].map(([columns, hashes]) => ({
        columns: JSON.parse(columns) as Field[],
        hashes,
      })),
    lastOf: (source) => lasts.get(source) ?? 0,
  };
}

export interface NewRelease {
  readonly hash: string;
  /** As JSON, for people. */
  readonly row: string;
}

/** Those that are there already stay as they are. Gives how many are new. */
export async function addReleases(
  opened: Database,
  source: string,
  columns: readonly Field[],
  releases: readonly NewRelease[],
  about: { readonly at: Micros; readonly by: string; readonly reason: string | null },
): Promise<number> {
  if (releases.length === 0) return 0;
  const database = await migrateQuarantine(opened);
  const columnText = JSON.stringify(columns.map(({ name, type }) => ({ name, type })));
  return database.transaction<QuarantineTables, number>(
    async (trx) => {
      const known = await trx
        .selectFrom('quarantine_releases')
        .select('hash')
        .where('source', '=', source)
        .where('columns', '=', columnText)
        .execute();
      const there = new Set(known.map(({ hash }) => hash));
      const fresh = [...new Map(releases.map((one) => [one.hash, one])).values()].filter(
        ({ hash }) => !there.has(hash),
      );
      const last = await trx
        .selectFrom('quarantine_releases')
        .select(({ fn }) => fn.max('seq').as('seq'))
        .executeTakeFirst();
      let seq = last?.seq ?? 0;
      for (const { hash, row } of fresh) {
        await trx
          .insertInto('quarantine_releases')
          .values({
            seq: ++seq,
            source,
            columns: columnText,
            hash,
            row,
            released_micros: about.at,
            released_by: about.by,
            reason: about.reason,
          })
          .execute();
      }
      return fresh.length;
    },
    { serializedBy: 'quarantine' },
  );
}
