// Up to which offset each partition lets go of its messages once cuts are removed.

import { expect, it, onTestFinished } from 'vitest';
import { removeSpans } from '../../src/events/kafka/remove-spans.ts';
import type { Topics } from '../../src/events/kafka/topics.ts';
import { openRemovalTable } from '../../src/events/tables/removal-table.ts';
import { type EventTables, migrateEventLog } from '../../src/events/tables/schema.ts';
import { openShippedTable } from '../../src/events/tables/shipped-table.ts';
import { type ObjectStore, openDatabase } from '../../src/storage/index.ts';

/** Of a writer: its partition, the offset it began at, and the spans of its cuts 1, 2, …, one each, that are shipped. */
interface Writer {
  readonly partition: number;
  readonly from: number;
  readonly spans: readonly (readonly [from: number, to: number])[];
}

/** `[partition, offset]` of what the brokers are asked to delete before, after the writers' cuts up to these are removed. */
async function deletions(writers: readonly Writer[], through: ReadonlyMap<number, number>) {
  const database = await migrateEventLog(await openDatabase('sqlite::memory:'));
  onTestFinished(() => database.close());
  const tables = database.tables<EventTables>();
  for (const [i, { partition, from, spans }] of writers.entries()) {
    const [number, shipped] = [i + 1, spans.length];
    const times = { registered_micros: 0, seen_micros: 0 };
    const row = {
      number,
      token: 't',
      machine: 'm',
      state: 'open',
      holder: 1,
      cut: 9,
      shipped,
      removed: 0,
      logged: 0,
    } as const;
    await tables
      .insertInto('event_writers')
      .values({ ...row, ...times })
      .execute();
    const place = { writer: number, topic: 'log', topic_id: 'i', partition, from_offset: from };
    await tables
      .insertInto('event_partitions')
      .values({ ...place, state: 1, holder: 1, beat: 0 })
      .execute();
    for (const [j, [log_from, log_to]] of spans.entries()) {
      const cut = j + 1;
      const end = { end_cut: cut, end_sealed: cut, end_offset: 0 };
      const at = { writer: number, seq: cut, first_cut: cut, last_cut: cut, log_from, log_to };
      await tables
        .insertInto('event_segments')
        .values({ ...at, ...end, bytes: 1, is_removed: 0, contents: null, shipped_micros: 0 })
        .execute();
    }
  }
  const deleted: [number, number][] = [];
  const api = {
    async: async (_: unknown, [topic]: { partitions: { partition: number; offset: bigint }[] }[]) => {
      for (const { partition, offset } of topic?.partitions ?? []) deleted.push([partition, Number(offset)]);
    },
  };
  const link = { atLeader: (_: string, __: number, ask: (given: typeof api) => Promise<void>) => ask(api) };
  const topics = { reads: () => ({ link, retrying: (work: () => unknown) => work() }) } as unknown as Topics;
  const removal = openRemovalTable(database, openShippedTable(database));
  await removeSpans({ database, removal, topics, objects: {} as ObjectStore, through });
  return deleted;
}

const two = {
  partition: 0,
  from: 0,
  spans: [
    [0, 10],
    [10, 20],
  ],
} as const;

it.each<[string, Writer[], [number, number][], [number, number][]]>([
  ['lets go of what is removed, up to what is not', [two], [[1, 1]], [[0, 10]]],
  ['lets go of nothing while an earlier piece in it is needed', [two, { ...two, spans: [[20, 30]] }], [[2, 1]], []],
  ['lets go of nothing that a writer did not ship yet', [{ ...two, from: 4, spans: [] }, two], [[2, 2]], [[0, 4]]],
  [
    'is left alone where nothing in it is removed',
    [two, { ...two, partition: 1, from: 5, spans: [[5, 9]] }],
    [[1, 2]],
    [[0, 20]],
  ],
])('a partition %s', async (_, writers, through, deleted) => {
  expect(await deletions(writers, new Map(through))).toEqual(deleted);
});
