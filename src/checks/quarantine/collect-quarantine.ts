// Pushed rows that were set apart long ago and that nobody put back: they go as if somebody had dropped them, so that a repeat
// of their push does not bring them again. Those that are just being put back stay.

import type { Kysely } from 'kysely';
import { counted, formatTimestamp, type Micros } from '../../core/index.ts';
import type { Collector, Database, Removable } from '../../storage/index.ts';
import { dropped } from './quarantine.ts';
import type { QuarantineTables } from './tables.ts';

export interface QuarantineCollectorDeps {
  readonly database: Database;
  readonly nowMicros: () => Micros;
  /** Kept for ever when left out. */
  readonly keepMicros: Micros | undefined;
}

/** One thing to remove for each source: its rows that came before a moment. */
export function collectQuarantine({ database, nowMicros, keepMicros }: QuarantineCollectorDeps): Collector {
  return {
    name: 'quarantined row',
    async plan() {
      if (keepMicros === undefined) return { items: [] };
      const before = nowMicros() - keepMicros;
      const found = await database
        .tables<QuarantineTables>()
        .selectFrom('quarantine_rows')
        .select(({ fn }) => [
          'source',
          fn.countAll<number | bigint | string>().as('rows'),
          fn.sum('bytes').as('bytes'),
          fn.min<number>('arrived_micros').as('oldest'),
        ])
        .where('state', '=', 'held')
        .where('arrived_micros', '<', before)
        .groupBy('source')
        .orderBy('source')
        .execute();
      return {
        items: found.map(({ source, rows, bytes, oldest }) => ({
          id: source,
          what: `${counted(Number(rows), 'row')} of ${source}`,
          why: `set apart before ${formatTimestamp(before).slice(0, 10)}, and nobody put them back`,
          bytes: Number(bytes),
          sinceMicros: oldest,
          data: { before },
        })),
      };
    },
    async forget(opened, items) {
      // Its own tables are in it.
      const db = opened as Kysely<QuarantineTables>;
      const going: Removable[] = [];
      for (const item of items) {
        const { numUpdatedRows } = await db
          .updateTable('quarantine_rows')
          .set(dropped({ at: nowMicros(), by: 'gc', reason: item.why }))
          .where('source', '=', item.id)
          .where('state', '=', 'held')
          .where('arrived_micros', '<', Number(item.data?.['before']))
          .executeTakeFirst();
        if (numUpdatedRows > 0n) going.push(item);
      }
      return going;
    },
    // All of it were rows.
    async erase() {},
  };
}
