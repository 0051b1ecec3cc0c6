// A span of a partition, batch by batch: a few megabytes in memory at a time, without a consumer group. Every offset of the
// span is there, or it is damage.

import { type fetchV17, ListOffsetTimestamps, type listOffsetsV9 } from '@platformatic/kafka';
import { kafkaFault, type KafkaFault } from '../../storage/index.ts';
import type { LogSpan } from '../tables/shipped-table.ts';
import type { BrokerLink } from './broker-link.ts';
import type { Retrying } from './retrying.ts';

export interface PartitionMessage {
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

export interface PartitionReads {
  readonly link: BrokerLink;
  readonly retrying: Retrying;
}

const FETCH_BYTES = 4 << 20;
const FETCH_WAIT_MS = 100;
const IS_CONTROL = 0x20;
const SESSIONLESS = [0, -1] as const;
const ANYONE = -1;

type FetchArguments = [
  maxWaitMs: number,
  minBytes: number,
  maxBytes: number,
  isolationLevel: number,
  sessionId: number,
  sessionEpoch: number,
  topics: object[],
  forgotten: object[],
  rack: string,
];

/** The span begins or ends where the partition has nothing. */
export class SpanGone extends Error {
  readonly offset: number;
  constructor(offset: number) {
    super(`the partition has no offset ${offset}`);
    this.offset = offset;
  }
}

/** Batches as they were written, each cut to the span. Throws `SpanGone`, HR_STORAGE_UNAVAILABLE. */
export async function* readPartition(
  { link, retrying }: PartitionReads,
  partition: number,
  { from, to }: LogSpan,
): AsyncGenerator<readonly PartitionMessage[]> {
  for (let next = from; next < to; ) {
    const at = next;
    const { records, highWatermark, logStartOffset } = await retrying(() => fetchOnce(link, partition, at));
    if (next < Number(logStartOffset)) throw new SpanGone(next);
    const before = next;
    for (const batch of records ?? []) {
      const first = Number(batch.firstOffset);
      const after = first + batch.lastOffsetDelta + 1;
      if (after <= next) continue;
      if (first > next) throw new SpanGone(next);
      const isControl = (batch.attributes & IS_CONTROL) !== 0;
      const messages = isControl ? [] : batch.records.map((one) => ({ ...one, offset: first + one.offsetDelta }));
      const inside = messages.filter(({ offset }) => offset >= next && offset < to);
      if (!isControl && inside.length !== Math.min(after, to) - next) throw new SpanGone(next);
      if (inside.length > 0) yield inside;
      next = after;
      if (next >= to) return;
    }
    // What was acknowledged is below the high watermark for good.
    if (next === before && next >= Number(highWatermark)) throw new SpanGone(next);
  }
}

async function fetchOnce(link: BrokerLink, partition: number, offset: number) {
  const answer = await link
    .atLeader<FetchArguments, fetchV17.FetchResponse>('Fetch', partition, (api, connection, { id }) => {
      const wanted = {
        partition,
        currentLeaderEpoch: ANYONE,
        lastFetchedEpoch: ANYONE,
        fetchOffset: BigInt(offset),
        partitionMaxBytes: FETCH_BYTES,
      };
      const topics = [{ topicId: api.version < 13 ? link.topic : id, partitions: [wanted] }];
      return api.async(connection, FETCH_WAIT_MS, 1, FETCH_BYTES, 0, ...SESSIONLESS, topics, [], '');
    })
    .catch((thrown: unknown) => {
      if (isOutOfRange(kafkaFault(thrown))) throw new SpanGone(offset);
      throw thrown;
    });
  const part = answer.responses[0]?.partitions[0];
  if (part === undefined) throw new Error('the broker left the partition out of its answer');
  return part;
}

const isOutOfRange = ({ ids }: KafkaFault): boolean => ids.includes('OFFSET_OUT_OF_RANGE');

type ListArguments = [replica: number, isolationLevel: number, topics: object[]];

/** Where the partition's next message goes. Throws HR_STORAGE_UNAVAILABLE. */
export function endOfPartition({ link, retrying }: PartitionReads, partition: number): Promise<number> {
  return retrying(async () => {
    const answer = await link.atLeader<ListArguments, listOffsetsV9.ListOffsetsResponse>(
      'ListOffsets',
      partition,
      (api, connection) => {
        const wanted = {
          partitionIndex: partition,
          currentLeaderEpoch: ANYONE,
          timestamp: ListOffsetTimestamps.LATEST,
        };
        return api.async(connection, ANYONE, 0, [{ name: link.topic, partitions: [wanted] }]);
      },
    );
    const found = answer.topics[0]?.partitions[0]?.offset;
    if (found === undefined || found < 0n) throw new Error('the broker did not say where the partition ends');
    return Number(found);
  });
}
