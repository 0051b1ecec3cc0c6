// What retention may look at: the cuts that are shipped and not removed, and the rows of each source in them.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { openRemovalTable } from '../../src/events/tables/removal-table.ts';
import { type EventTables, migrateEventLog } from '../../src/events/tables/schema.ts';
import { openShippedTable } from '../../src/events/tables/shipped-table.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';

let database: Database;
beforeEach(async () => {
  database = await migrateEventLog(await openDatabase('sqlite::memory:'));
});
afterEach(() => database.close());

/** A segment's first and last cut, and what it says that it holds. */
type Segment = readonly [first: number, last: number, contents: readonly (readonly [number, string, number])[] | null];

/** The rows of each cut; null where they are not known. */
async function cutsOf(segments: readonly Segment[], { removed = 0, shipped = 9 } = {}) {
  const tables = database.tables<EventTables>();
  const writer = { number: 1, token: 't', machine: 'm', state: 'open', holder: 1 } as const;
  const times = { registered_micros: 0, seen_micros: 0 };
  await tables
    .insertInto('event_writers')
    .values({ ...writer, ...times, cut: 9, shipped, removed, logged: 0, place: null })
    .execute();
  for (const [seq, [first_cut, last_cut, contents]] of segments.entries()) {
    const end = { end_cut: last_cut, end_sealed: last_cut, end_offset: 0 };
    const at = { writer: 1, seq, bytes: 1, is_removed: 0, shipped_micros: seq, log_from: null, log_to: null };
    const held = contents === null ? null : JSON.stringify(contents);
    await tables
      .insertInto('event_segments')
      .values({ ...at, ...end, first_cut, last_cut, contents: held })
      .execute();
  }
  const cuts = await openRemovalTable(database, openShippedTable(database)).contents();
  return cuts.map(({ cut, rows, shippedMicros }) => [cut, rows && Object.fromEntries(rows), shippedMicros]);
}

it('a segment that does not say what it holds may hold anything in each of its cuts, and in no other', async () => {
  expect(await cutsOf([[3, 5, null]])).toEqual([3, 4, 5].map((cut) => [cut, null, 0]));
});

it('a cut that lies in two segments has the rows of both, as of the later; of one that is not known nothing is', async () => {
  const segments: Segment[] = [
    [
      1,
      2,
      [
        [1, 'a', 2],
        [2, 'a', 3],
      ],
    ],
    [
      2,
      3,
      [
        [2, 'a', 1],
        [2, 'b', 4],
        [3, 'b', 5],
      ],
    ],
    [3, 4, null],
  ];
  expect(await cutsOf(segments)).toEqual([
    [1, { a: 2 }, 0],
    [2, { a: 4, b: 4 }, 1],
    [3, null, 2],
    [4, null, 2],
  ]);
});

it('cuts that are removed, or not whole at the store, are left out', async () => {
  expect((await cutsOf([[1, 5, null]], { removed: 2, shipped: 4 })).map(([cut]) => cut)).toEqual([3, 4]);
});
