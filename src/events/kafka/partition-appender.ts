// Appends to a writer's partition. What waits while the brokers answer goes into the next batch together (group commit), one
// batch under way at a time. A batch whose fate can't be told is tried again, and is never kept twice; once that took too
// long it fails, and the session that begins after it says that it is void.

import { setTimeout as delay } from 'node:timers/promises';
import { HeadraceError } from '../../core/index.ts';
import { isLasting } from '../../storage/index.ts';
import { fenced } from '../log-writer.ts';
import { advance, type LogRecord, type Positions } from '../records/log-record.ts';
import type { BrokerLink } from './broker-link.ts';
import { topicUnavailable } from './log-errors.ts';
import { type MessageOwner, packKey, packSession, type SessionRecord } from './log-message.ts';
import type { Pieces } from './pieces.ts';
import { nextEpoch, produce, type Produced, type ProducerEpoch } from './produce.ts';
import { FIRST_RETRY_MS, LAST_RETRY_MS } from './retrying.ts';

export interface PartitionAppender {
  /** The broker, or the registry, refused it for another holder. */
  readonly isFenced: boolean;
  called(): Positions;
  durable(): Positions;
  /** As `LogKeeping.add`. */
  add(frame: Buffer, record: LogRecord): Promise<void>;
  close(): Promise<void>;
}

export interface AppenderOptions {
  readonly link: BrokerLink;
  readonly partition: number;
  readonly owner: MessageOwner;
  readonly session: Session;
  readonly pieces: Pieces;
  /** Greatest batch that the topic takes. */
  readonly batchBytes: number;
  readonly patienceMs: number;
  /** Whether this is still the holder, as the registry has it. Throws HR_STORAGE_UNAVAILABLE. */
  confirm(): Promise<boolean>;
  /** The same where it was not confirmed lately, and the registry answers. */
  confirmIfStale(): Promise<boolean>;
}

/** What a holder writes under one epoch. */
export interface Session extends ProducerEpoch {
  readonly sequence: number;
  /** Offset after its first message. */
  readonly next: number;
}

interface Waiting {
  readonly frame: Buffer;
  readonly record: LogRecord;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** A batch that could be larger is not worth the wait. */
const BATCH_BYTES = 1 << 20;
/** What a message takes besides its frame, and a batch besides its messages, at most. */
const MESSAGE_BYTES = 96;
const BATCH_HEAD_BYTES = 128;

export function createPartitionAppender(options: AppenderOptions): PartitionAppender {
  const { link, partition, owner, pieces, confirm, confirmIfStale, patienceMs } = options;
  const key = packKey(owner);
  const transactionalId = transactionalIdOf(link.topic, partition);
  const most = options.batchBytes - BATCH_HEAD_BYTES;
  let session: Session | undefined = options.session;
  /** Offset of the partition after the last message that counts. */
  let { next } = options.session;
  let called = pieces.at;
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | undefined;
  let isFenced = false;
  let isClosed = false;

  const beginAgain = async (): Promise<Produced> => {
    const epoch = await nextEpoch(link, transactionalId);
    // After the epoch was taken: who took the log over meanwhile, or does from now on, has a later one.
    if (!(await confirm())) return { kind: 'fenced' };
    const record: SessionRecord = { kind: 'session', keep: { to: next, ...pieces.at } };
    const produced = await produce(link, partition, epoch, 0, [{ key, value: packSession(record) }]);
    if (produced.kind !== 'kept') return produced;
    pieces.end();
    next = produced.offset + 1;
    session = { ...epoch, sequence: 1, next };
    return produced;
  };

  const tryOnce = async (frames: readonly Buffer[]): Promise<Produced> => {
    if (session === undefined) {
      const begun = await beginAgain().catch((thrown: unknown): Produced => ({ kind: 'refused', thrown }));
      if (begun.kind !== 'kept') return begun;
    }
    // It was begun.
    const own = session as unknown as Session;
    const messages = frames.map((value) => ({ key, value }));
    const produced = await produce(link, partition, own, own.sequence, messages);
    if (produced.kind === 'kept') session = { ...own, sequence: (own.sequence + frames.length) % 2 ** 31 };
    return produced;
  };

  /** Offset of the first. Throws HR_CONFLICT, HR_STORAGE_UNAVAILABLE. */
  const keep = async (frames: readonly Buffer[]): Promise<number> => {
    const until = performance.now() + patienceMs;
    let isOpen = false;
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(2 * waitMs, LAST_RETRY_MS)) {
      const before = session;
      const produced = await tryOnce(frames);
      if (produced.kind === 'kept') {
        if (await confirmIfStale()) return produced.offset;
        throw takenOver();
      }
      if (produced.kind === 'fenced') throw takenOver();
      const isBegun = session !== undefined && session.producerEpoch !== before?.producerEpoch;
      // A session that was begun since says that what was sent before is void.
      isOpen =
        (isOpen && !isBegun) || produced.kind === 'lost' || (produced.kind === 'unknown' && session !== undefined);
      if (produced.kind === 'lost') session = undefined;
      const isHopeless = isLasting(produced.thrown);
      if (isHopeless || performance.now() > until || isClosed) {
        session = undefined;
        const sentence = isOpen
          ? '; whether this was kept will be known when the log is next written, or settled'
          : '; nothing of this was kept';
        throw topicUnavailable(produced.thrown, link, sentence);
      }
      link.refresh();
      await delay(waitMs);
    }
  };

  const takenOver = (): HeadraceError => {
    isFenced = true;
    return fenced(owner.writer);
  };

  const take = (): Waiting[] => {
    let [count, bytes] = [0, 0];
    for (const { frame } of waiting) {
      bytes += frame.length + MESSAGE_BYTES;
      if (count > 0 && bytes > Math.min(most, BATCH_BYTES)) break;
      count++;
    }
    return waiting.splice(0, count);
  };

  const flushOnce = async (batch: readonly Waiting[]): Promise<void> => {
    let first: number;
    try {
      first = await keep(batch.map(({ frame }) => frame));
    } catch (error) {
      // What was called since may stand on what failed (a cut's mark): it fails too.
      const lost = [...batch, ...waiting];
      waiting = [];
      called = { ...pieces.at, offset: called.offset };
      for (const { failed } of lost) failed(error);
      return;
    }
    batch.forEach(({ record, frame }, i) => pieces.add(record, first + i, frame.length));
    next = first + batch.length;
    for (const { done } of batch) done();
  };

  // Ends by itself, in the same step in which it sees that nothing waits: a call can't fall in between.
  const flush = async (): Promise<void> => {
    await Promise.resolve();
    while (waiting.length > 0) await flushOnce(take());
    flushing = undefined;
  };

  return {
    get isFenced() {
      return isFenced;
    },
    called: () => called,
    durable: () => pieces.at,
    add(frame, record) {
      if (isFenced) throw fenced(owner.writer);
      if (isClosed) throw new HeadraceError('HR_STOPPING', `the event log of writer ${owner.writer} is closed here`);
      if (frame.length + MESSAGE_BYTES > most) throw tooLarge(frame.length, link.topic, options.batchBytes);
      const position = advance(called, record);
      if (typeof position === 'string')
        throw new HeadraceError('HR_INTERNAL', `the event log refuses a record: ${position}`);
      const kept = new Promise<void>((done, failed) => waiting.push({ frame, record, done, failed }));
      flushing ??= flush();
      called = position;
      return kept;
    },
    async close() {
      isClosed = true;
      await flushing;
    },
  };
}

/** Of a log that has ended: nothing is added to it. */
export function closedAppender(pieces: Pieces): PartitionAppender {
  return {
    isFenced: false,
    called: () => pieces.at,
    durable: () => pieces.at,
    add: () => Promise.reject(new HeadraceError('HR_STOPPING', 'the event log has ended; nothing can be added to it')),
    close: () => Promise.resolve(),
  };
}

/** Whoever writes to a partition does so under it: a later one fences all before, of whatever writer. */
export const transactionalIdOf = (topic: string, partition: number): string => `headrace-${topic}-${partition}`;

function tooLarge(bytes: number, topic: string, limit: number): HeadraceError {
  return new HeadraceError(
    'HR_TOO_LARGE',
    `an entry of the event log has ${bytes} bytes, and topic "${topic}" takes ${limit} at once. Push fewer rows at a time, or raise the topic’s max.message.bytes.`,
  );
}
