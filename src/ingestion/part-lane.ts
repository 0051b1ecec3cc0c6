// The way of parts to one node of the store: whatever changed while the last write was on its way goes into the next
// together. A node that is away is tried again for ever, since what is logged must come to be seen.

import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, messageOf } from '../core/index.ts';
import type { Part } from './part-table.ts';

export interface PartLane {
  /** At least one. Resolves once their present folds are in the store; rejects with why not when the node was given up. */
  write(parts: readonly Part[]): Promise<void>;
  /** Why the node did not take the last write; undefined when it did. */
  readonly failure: unknown;
  /** With `why`, the writes that wait reject with it, as do later ones; without, they never settle. */
  close(why?: Error): void;
}

export interface LaneContext {
  /** One write to the store. Gives why the store takes no part of this writer any more, where it refused some. */
  put(parts: readonly Part[]): Promise<Error | undefined>;
  /** Whether another node than this lane's has the part by now. */
  isElsewhere(part: Part): boolean;
  /** Takes parts to where they belong now. */
  redirect(parts: readonly Part[]): Promise<void>;
  /** How long the node may fail before the writes that wait for it are dropped and reject with its failure. */
  readonly giveUpMs: number;
  readonly logger: Logger;
}

/** Parts in one write: a bounded piece of memory and of a store's time. */
const BATCH = 2000;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;

interface Waiter {
  readonly its: readonly Part[];
  readonly done: (when?: Promise<void>) => void;
  readonly failed: (why: unknown) => void;
}

/** `node`: its name, for the log. */
export function createPartLane(node: string, { put, isElsewhere, redirect, giveUpMs, logger }: LaneContext): PartLane {
  let dirty = new Set<Part>();
  let waiters: Waiter[] = [];
  let running: Promise<void> | undefined;
  let isClosed = false;
  let refusal: Error | undefined;
  let failure: unknown;
  let failingSinceMs = 0;

  const writeBatch = async (parts: readonly Part[]): Promise<boolean> => {
    try {
      const refused = await put(parts);
      if (refused !== undefined) {
        close(refused);
        return false;
      }
    } catch (error) {
      if (failure === undefined) {
        failingSinceMs = performance.now();
        logger.warn({ node, reason: messageOf(error) }, 'the online store does not take pushes; trying again');
      }
      failure = error;
      return false;
    }
    if (failure !== undefined) logger.info({ node }, 'the online store takes pushes again');
    failure = undefined;
    return true;
  };

  const loop = async (): Promise<void> => {
    // What comes in the same turn goes together.
    await new Promise(setImmediate);
    let retryMs = FIRST_RETRY_MS;
    while (dirty.size > 0 && !isClosed) {
      const taken = dirty;
      const takenWaiters = waiters;
      dirty = new Set();
      waiters = [];
      const parts = [...taken];
      let isHandedOn = false;
      for (let at = 0; at < parts.length && !isHandedOn && !isClosed; ) {
        const batch = parts.slice(at, at + BATCH);
        if (await writeBatch(batch)) {
          at += BATCH;
          retryMs = FIRST_RETRY_MS;
          continue;
        }
        if (refusal !== undefined || performance.now() - failingSinceMs >= giveUpMs) {
          giveUp(takenWaiters);
          return;
        }
        // Where it gives up there is someone who waits for that, perhaps with nothing else to do.
        await delay(retryMs, undefined, { ref: giveUpMs < Number.POSITIVE_INFINITY });
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
        // Not of the batch alone: what comes behind it must not wait for a node that it is not on any more.
        isHandedOn = parts.some(isElsewhere);
      }
      if (refusal !== undefined) {
        giveUp(takenWaiters);
        return;
      }
      // A closed lane resolves no write.
      if (isClosed) break;
      // Each by itself: whose node is there must not wait for whose isn't.
      for (const { its, done } of takenWaiters) done(isHandedOn ? redirect(its) : undefined);
    }
    // Of a node that has nothing to take any more, nobody waits to hear that it is back.
    if (failure !== undefined && !isClosed)
      logger.info({ node }, 'nothing waits for that node of the online store any more');
    failure = undefined;
    running = undefined;
  };

  const giveUp = (takenWaiters: readonly Waiter[]): void => {
    const dropped = [...takenWaiters, ...waiters];
    waiters = [];
    dirty = new Set();
    running = undefined;
    for (const { failed } of dropped) failed(refusal ?? failure);
    // Who comes next has the same patience.
    failure = undefined;
  };

  const close = (why?: Error): void => {
    isClosed = true;
    refusal ??= why;
    dirty.clear();
    // A loop that runs rejects the writes that it has taken.
    if (refusal !== undefined && running === undefined) giveUp([]);
  };

  return {
    write(its) {
      if (refusal !== undefined) return Promise.reject(refusal);
      for (const part of its) dirty.add(part);
      const written = new Promise<void>((done, failed) => waiters.push({ its, done, failed }));
      running ??= loop();
      return written;
    },
    get failure() {
      return failure;
    },
    close,
  };
}
