// Rows of logs in topics at another place: what was shipped is read from the topic there too; nobody settles the rest, for
// whoever wrote it may live on at the former place.

import type { Kysely } from 'kysely';
import type { Database, RowsOwner } from '../../storage/index.ts';
import type { EventTables } from '../tables/schema.ts';

export const partitionRows: RowsOwner = {
  table: 'event_partitions',
  async settle(opened) {
    // The log's own tables are in it.
    const db = opened as Kysely<EventTables>;
    await db
      .updateTable('event_partitions')
      .set((set) => ({ state: 2, holder: set('holder', '+', 1) }))
      .execute();
  },
};

/** Topics that hold shipped events, which no backup takes along. */
export async function topicsWithEvents(database: Database): Promise<readonly string[]> {
  const rows = await database
    .tables<EventTables>()
    .selectFrom('event_partitions')
    .innerJoin('event_segments', 'event_segments.writer', 'event_partitions.writer')
    .select('topic')
    .distinct()
    .where('is_removed', '=', 0)
    .where('log_from', 'is not', null)
    .orderBy('topic')
    .execute();
  return rows.map(({ topic }) => topic);
}
