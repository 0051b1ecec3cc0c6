// A fetch's answer as messages. Of transactions only what was committed: the broker lists those that were given up, and
// their records lie between others until the marker that ended them, which may come in a later answer.

import type { Consumer } from '@platformatic/kafka';
import type { FetchedPart, StreamMessage } from '../message-stream.ts';

export type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>;
type Part = FetchResponse['responses'][number]['partitions'][number];
type Batch = NonNullable<Part['records']>[number];

const IS_TRANSACTIONAL = 0x10;
const IS_CONTROL = 0x20;
/** Of a control record's key: version, then what it says. */
const ABORT = 0;
const IS_APPEND_TIME = 0x08;

/** The answer in an error that tells of single partitions: the others' messages are in it. */
export function answerIn(thrown: unknown): FetchResponse | undefined {
  if (thrown instanceof AggregateError) {
    // What the client throws carries the answer as it came.
    const { response } = thrown as { response?: FetchResponse };
    if (response?.responses !== undefined && response.errorCode === 0) return response;
    return thrown.errors.map(answerIn).find((found) => found !== undefined);
  }
  return thrown instanceof Error && thrown.cause !== undefined ? answerIn(thrown.cause) : undefined;
}

const OFFSET_OUT_OF_RANGE = 1;

/** Partitions that have no such place. */
export function placeless(response: FetchResponse): readonly number[] {
  const parts = response.responses.flatMap(({ partitions }) => partitions);
  return parts.filter(({ errorCode }) => errorCode === OFFSET_OUT_OF_RANGE).map(({ partitionIndex }) => partitionIndex);
}

/** `from`: what was asked for; the broker may send more. Partitions with an error are left out. */
export function readParts(response: FetchResponse, from: ReadonlyMap<number, number>): FetchedPart[] {
  const parts: FetchedPart[] = [];
  for (const { partitions } of response.responses) {
    for (const part of partitions) {
      const place = from.get(part.partitionIndex);
      if (place !== undefined && part.errorCode === 0) parts.push(readPart(part, place));
    }
  }
  return parts;
}

function readPart(part: Part, place: number): FetchedPart {
  const messages: StreamMessage[] = [];
  let next = place;
  const isGivenUp = createGivenUp(part);
  for (const batch of part.records ?? []) {
    const isSkipped = isGivenUp(batch) || (batch.attributes & IS_CONTROL) !== 0;
    if (!isSkipped) addMessages(batch, place, messages);
    next = Math.max(next, Number(batch.firstOffset) + batch.lastOffsetDelta + 1);
  }
  const { partitionIndex, logStartOffset, lastStableOffset } = part;
  return {
    partition: partitionIndex,
    messages,
    next,
    start: Number(logStartOffset),
    end: Math.max(next, Number(lastStableOffset)),
  };
}

/** Of batches in order, whether one is of a transaction that was given up. */
function createGivenUp({ abortedTransactions }: Part): (batch: Batch) => boolean {
  const waiting = [...(abortedTransactions ?? [])].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const open = new Set<bigint>();
  return (batch) => {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    while (waiting[0] !== undefined && waiting[0].firstOffset <= last)
      open.add((waiting.shift() as { producerId: bigint }).producerId);
    if ((batch.attributes & IS_TRANSACTIONAL) === 0) return false;
    if ((batch.attributes & IS_CONTROL) === 0) return open.has(batch.producerId);
    if (batch.records[0]?.key?.readInt16BE(2) === ABORT) open.delete(batch.producerId);
    return true;
  };
}

function addMessages(batch: Batch, place: number, messages: StreamMessage[]): void {
  const first = Number(batch.firstOffset);
  const firstMs = Number(batch.firstTimestamp);
  const appendedMs = (batch.attributes & IS_APPEND_TIME) === 0 ? undefined : Number(batch.maxTimestamp);
  for (const record of batch.records) {
    const offset = first + record.offsetDelta;
    // A batch comes whole, from before the place that was asked for too.
    if (offset < place) continue;
    messages.push({
      offset,
      key: record.key,
      value: record.value,
      headers: record.headers.map(([name, value]) => [name?.toString() ?? '', value] as const),
      timestampMs: appendedMs ?? firstMs + Number(record.timestampDelta),
    });
  }
}
