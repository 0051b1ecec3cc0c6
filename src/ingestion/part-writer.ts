// Writes parts to the store: whatever changed while the last write was on its way goes into the next together. A store
// that is away is tried again for ever, since what is logged must come to be seen; who waits is told after a while.

import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, messageOf } from '../core/index.ts';
import type { PartWrite, StoreWriter } from '../online/index.ts';
import type { Part } from './part-table.ts';

export interface PartWriter {
  /** Resolves once the parts' present folds are in the store. Rejects with why not when the store was given up. */
  write(parts: Iterable<Part>): Promise<void>;
  /** Why the store did not take the last write; undefined when it did. */
  readonly failure: unknown;
  /** Gives up what is not written: it is written again when the log is settled. */
  close(): void;
}

/** Parts in one write: a bounded piece of memory and of a store's time. */
const BATCH = 2000;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;

interface Waiter {
  readonly done: () => void;
  readonly failed: (why: unknown) => void;
}

/** `giveUpMs`: how long a store may fail before what waits is dropped and told so; for ever when left out. */
export function createPartWriter(
  store: StoreWriter,
  holder: number,
  logger: Logger,
  giveUpMs = Number.POSITIVE_INFINITY,
): PartWriter {
  let dirty = new Set<Part>();
  let waiters: Waiter[] = [];
  let running: Promise<void> | undefined;
  let isClosed = false;
  let n = 0;
  let failure: unknown;
  let failingSinceMs = 0;

  const writeBatch = async (parts: readonly Part[]): Promise<boolean> => {
    const writes = parts.map((part) => writeOf(part, holder, ++n));
    try {
      await store.putParts(writes);
    } catch (error) {
      if (failure === undefined) {
        failingSinceMs = performance.now();
        logger.warn({ reason: messageOf(error) }, 'the online store does not take pushes; trying again');
      }
      failure = error;
      return false;
    }
    if (failure !== undefined) logger.info({}, 'the online store takes pushes again');
    failure = undefined;
    return true;
  };

  const loop = async (): Promise<void> => {
    // What comes in the same turn goes together.
    await new Promise(setImmediate);
    let retryMs = FIRST_RETRY_MS;
    while (dirty.size > 0 && !isClosed) {
      const taken = dirty;
      const told = waiters;
      dirty = new Set();
      waiters = [];
      const parts = [...taken];
      for (let at = 0; at < parts.length && !isClosed; ) {
        if (await writeBatch(parts.slice(at, at + BATCH))) {
          at += BATCH;
          retryMs = FIRST_RETRY_MS;
        } else {
          if (performance.now() - failingSinceMs >= giveUpMs) {
            giveUp(told);
            return;
          }
          // Where it gives up there is someone who waits for that, perhaps with nothing else to do.
          await delay(retryMs, undefined, { ref: giveUpMs < Number.POSITIVE_INFINITY });
          retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
        }
      }
      // Of a writer that gave up nobody is told that it wrote.
      if (!isClosed) for (const { done } of told) done();
    }
    running = undefined;
  };

  const giveUp = (told: readonly Waiter[]): void => {
    const dropped = [...told, ...waiters];
    waiters = [];
    dirty = new Set();
    running = undefined;
    for (const { failed } of dropped) failed(failure);
    // Who comes next has the same patience.
    failure = undefined;
  };

  return {
    write(parts) {
      let isAny = false;
      for (const part of parts) {
        dirty.add(part);
        isAny = true;
      }
      if (!isAny) return Promise.resolve();
      const written = new Promise<void>((done, failed) => waiters.push({ done, failed }));
      running ??= loop();
      return written;
    },
    get failure() {
      return failure;
    },
    close() {
      isClosed = true;
      dirty.clear();
    },
  };
}

// Member by member: a spread takes several times as long.
function writeOf({ entity, key, version, writer, cut, boundary, fold }: Part, holder: number, n: number): PartWrite {
  // Only parts that were folded are written.
  return { entity, key, version, writer, cut, boundary, fold: fold as Uint8Array, holder, n };
}
