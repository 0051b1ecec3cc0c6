// Retention of a log in a topic: a partition lets go of what lies before an offset, so of removed pieces those go that no
// other is before.

import { type Database, kafkaFault, type ObjectStore } from '../../storage/index.ts';
import { segmentKey } from '../segments/local-segments.ts';
import { storeFailed } from '../segments/shipping.ts';
import type { RemovalTable } from '../tables/removal-table.ts';
import type { EventTables } from '../tables/schema.ts';
import type { BrokerLink } from './broker-link.ts';
import type { Topics } from './topics.ts';

export interface SpanRemoval {
  readonly database: Database;
  readonly removal: RemovalTable;
  readonly topics: Topics;
  readonly objects: ObjectStore;
  readonly through: ReadonlyMap<number, number>;
}

/** Throws HR_STORAGE_UNAVAILABLE; a repeat goes on. */
export async function removeSpans({ database, removal, topics, objects, through }: SpanRemoval): Promise<void> {
  const removed = await removal.markRemoved(through);
  if (removed.length === 0) return;
  const spans = await spansOf(database);
  for (const { topic, partition, before } of spans) {
    const { link, retrying } = topics.reads(topic);
    await retrying(() => deleteBefore(link, partition, before));
  }
  const inTopics = await writersInTopics(database);
  for (const { writer, token, seqs } of removed) {
    for (const seq of inTopics.has(writer) ? [] : seqs) {
      const key = segmentKey(writer, token, seq);
      await objects.remove(key).catch((error: unknown) => {
        throw storeFailed(error, key);
      });
    }
    await removal.dropRemoved(writer, Math.max(...seqs));
  }
}

interface Cutback {
  readonly topic: string;
  readonly partition: number;
  /** Offsets below it go. */
  readonly before: number;
}

/** Of each partition with removed pieces, up to where nothing is needed. */
async function spansOf(database: Database): Promise<readonly Cutback[]> {
  const rows = await database
    .tables<EventTables>()
    .selectFrom('event_partitions')
    .innerJoin('event_writers', 'event_writers.number', 'event_partitions.writer')
    .leftJoin('event_segments', 'event_segments.writer', 'event_partitions.writer')
    .select(['topic', 'partition', 'from_offset', 'event_writers.state as state', 'is_removed', 'log_from', 'log_to'])
    .execute();
  const found = new Map<string, { topic: string; partition: number; removed: number; needed: number }>();
  for (const row of rows) {
    const id = JSON.stringify([row.topic, row.partition]);
    const one = found.get(id) ?? { topic: row.topic, partition: row.partition, removed: 0, needed: Infinity };
    found.set(id, one);
    const [from, to] = [row.log_from ?? row.from_offset, row.log_to ?? row.from_offset];
    if (from === null || to === null) continue;
    if (row.log_from === null) {
      // Nothing of it is shipped: an open writer's is to be read from its beginning.
      if (row.state === 'open') one.needed = Math.min(one.needed, from);
    } else if (row.is_removed === 0) one.needed = Math.min(one.needed, from);
    else one.removed = Math.max(one.removed, to);
  }
  return [...found.values()].flatMap(({ topic, partition, removed, needed }) => {
    const before = Math.min(removed, needed);
    return before > 0 ? [{ topic, partition, before }] : [];
  });
}

async function writersInTopics(database: Database): Promise<ReadonlySet<number>> {
  const rows = await database.tables<EventTables>().selectFrom('event_partitions').select('writer').execute();
  return new Set(rows.map(({ writer }) => writer));
}

type DeleteArguments = [topics: object[], timeoutMs: number];
const DELETE_TIMEOUT_MS = 5000;

async function deleteBefore(link: BrokerLink, partition: number, before: number): Promise<void> {
  await link
    .atLeader<DeleteArguments, unknown>('DeleteRecords', partition, (api, connection) =>
      api.async(
        connection,
        [{ name: link.topic, partitions: [{ partitionIndex: partition, partition, offset: BigInt(before) }] }],
        DELETE_TIMEOUT_MS,
      ),
    )
    .catch((thrown: unknown) => {
      // Somebody else went further.
      if (!kafkaFault(thrown).ids.includes('OFFSET_OUT_OF_RANGE')) throw thrown;
    });
}
