// One partition's messages, in order, from the broker's answer to what counts: decoded, set aside where they are no rows,
// pushed in batches of whatever has come meanwhile. A batch begins where the feed stands; whoever pushed from there before
// us says where to go on.

import { HeadraceError } from '../core/index.ts';
import type { Feed } from '../ingestion/index.ts';
import { type Decode, type JsonRow, Undecodable } from './decode/decoder.ts';
import type { DeadLetter, DeadLetters, FetchedPart, StreamMessage } from './message-stream.ts';

/** By which messages become rows; others once the definitions are. */
export interface RowRules {
  readonly decode: Decode;
  readonly keyless: (row: JsonRow) => string | undefined;
}

export interface ReaderContext {
  readonly partition: number;
  readonly feed: Feed;
  readonly rules: () => RowRules;
  readonly sift: (rows: readonly JsonRow[]) => Promise<ReadonlyMap<number, string>>;
  readonly deadLetters: DeadLetters;
  readonly retry: <T>(what: string, work: () => Promise<T>) => Promise<T>;
  /** How many messages a batch may have now, at most `wanted`; those are taken. */
  readonly take: (wanted: number) => number;
  readonly count: (counts: { readonly pushed: number; readonly dead: number }) => void;
  readonly failed: (error: unknown) => void;
}

export interface PartitionReader {
  readonly partition: number;
  /** Where to fetch from. */
  readonly fetchAt: number;
  /** Where the feed stands. */
  readonly at: number;
  /** Past all that was pushed, and what is no message. */
  readonly reached: number;
  /** Offsets that the topic has, as far as is known. */
  end: number;
  readonly hasRoom: boolean;
  add(part: FetchedPart): void;
  /** Resolves once no batch is under way. */
  idle(): Promise<void>;
  /** No batch is begun any more. */
  stop(): void;
}

/** Messages of one batch. */
export const BATCH_ROWS = 5000;
const MOST_MESSAGES = 2 * BATCH_ROWS;
const MOST_BYTES = 16 << 20;

export function createPartitionReader(context: ReaderContext, start: number, end: number): PartitionReader {
  const { partition, feed, deadLetters, retry } = context;
  let at = start;
  let fetchAt = start;
  let waiting: readonly StreamMessage[] = [];
  let bytes = 0;
  let pumping: Promise<void> | undefined;
  let isStopped = false;

  const drop = (to: number): void => {
    const first = waiting.findIndex(({ offset }) => offset >= to);
    const gone = first === -1 ? waiting : waiting.slice(0, first);
    waiting = first === -1 ? [] : waiting.slice(first);
    for (const message of gone) bytes -= sizeOf(message);
  };

  const putAside = async (letters: readonly DeadLetter[]): Promise<void> => {
    if (letters.length > 0) await retry('dead letters', () => deadLetters.put(letters));
  };

  /** Pushes what can be of rows, each with its message; sets the others aside first. */
  const pushRows = async (rows: readonly JsonRow[], messages: readonly StreamMessage[], to: number) => {
    const push = (some: readonly JsonRow[], places: readonly number[]) =>
      retry('push', () => feed.push(some, at, to, { places }));
    const places = messages.map(({ offset }) => offset);
    try {
      return { result: await push(rows, places), dead: 0 };
    } catch (error) {
      const isOfRows =
        error instanceof HeadraceError && ['HR_INVALID', 'HR_TRANSFORM_FAILED', 'HR_EXPECTATION'].includes(error.code);
      const refused = isOfRows ? await context.sift(rows) : new Map<number, string>();
      if (refused.size === 0) throw error;
      await putAside([...refused].map(([i, reason]) => ({ partition, message: messages[i] as StreamMessage, reason })));
      const isSound = (_: unknown, i: number): boolean => !refused.has(i);
      return { result: await push(rows.filter(isSound), places.filter(isSound)), dead: refused.size };
    }
  };

  const step = async (batch: readonly StreamMessage[], to: number): Promise<void> => {
    const { decode, keyless } = context.rules();
    const rows: JsonRow[] = [];
    const messages: StreamMessage[] = [];
    const letters: DeadLetter[] = [];
    for (const message of batch) {
      const made = rowOf(message, decode, retry);
      const row = made instanceof Promise ? await made : made;
      const reason = typeof row === 'string' ? row : keyless(row);
      if (reason === undefined) {
        rows.push(row as JsonRow);
        messages.push(message);
      } else letters.push({ partition, message, reason });
    }
    await putAside(letters);
    const { result, dead } = await pushRows(rows, messages, to);
    at = result.until ?? to;
    fetchAt = Math.max(fetchAt, at);
    drop(at);
    context.count(
      result.until === undefined ? { pushed: result.accepted, dead: dead + letters.length } : { pushed: 0, dead: 0 },
    );
  };

  /** False when no message may be taken any more. */
  const pump = async (): Promise<boolean> => {
    while (!isStopped && waiting.length > 0) {
      const size = context.take(Math.min(waiting.length, BATCH_ROWS));
      if (size === 0) return false;
      const batch = waiting.slice(0, size);
      // What is no message, a transaction's marker say, goes with those before it.
      await step(batch, size === waiting.length ? fetchAt : (batch.at(-1) as StreamMessage).offset + 1);
    }
    return true;
  };

  const begin = (): void => {
    pumping ??= pump()
      .catch((error: unknown) => {
        context.failed(error);
        return false;
      })
      .then((mayGoOn) => {
        pumping = undefined;
        // Messages may have come since the last look.
        if (mayGoOn && waiting.length > 0 && !isStopped) begin();
      });
  };

  return {
    partition,
    end,
    get fetchAt() {
      return fetchAt;
    },
    get at() {
      return at;
    },
    get reached() {
      return waiting.length === 0 ? fetchAt : at;
    },
    get hasRoom() {
      return waiting.length < MOST_MESSAGES && bytes < MOST_BYTES;
    },
    add(part) {
      this.end = Math.max(this.end, part.end);
      // An answer from before we learned to go on elsewhere.
      const fresh = part.messages.filter(({ offset }) => offset >= fetchAt);
      fetchAt = Math.max(fetchAt, part.next);
      waiting = waiting.length === 0 ? fresh : [...waiting, ...fresh];
      for (const message of fresh) bytes += sizeOf(message);
      if (waiting.length > 0 && !isStopped) begin();
    },
    async idle() {
      while (pumping !== undefined) await pumping;
    },
    stop() {
      isStopped = true;
    },
  };
}

/** Or why it is none. */
function rowOf(message: StreamMessage, decode: Decode, retry: ReaderContext['retry']): MaybeLater<JsonRow | string> {
  const { value } = message;
  if (value === null) return 'it has no value';
  try {
    const row = decode(value);
    return row instanceof Promise ? later(row, value, decode, retry) : row;
  } catch (error) {
    return reasonOf(error);
  }
}

type MaybeLater<T> = T | Promise<T>;

/** Where the schema has to be asked for, which may have to be done again. */
async function later(
  first: Promise<JsonRow>,
  value: Uint8Array,
  decode: Decode,
  retry: ReaderContext['retry'],
): Promise<JsonRow | string> {
  let trying: Promise<JsonRow> | undefined = first;
  const again = async (): Promise<JsonRow> => {
    const now = trying ?? decode(value);
    trying = undefined;
    return now;
  };
  try {
    return await retry('schema', again);
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Undecodable) return error.message;
  throw error;
}

const BYTES_BESIDE = 200;

function sizeOf({ key, value }: StreamMessage): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + BYTES_BESIDE;
}
