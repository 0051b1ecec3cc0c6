// Asks AWS Batch, at its pace: what is throttled or not answered is asked again, each time after a longer and random pause.

import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchConnection } from './connect-batch.ts';
import { type BatchFault, catalogued, faultOf } from './batch-faults.ts';
import { createPace } from './pace.ts';

export interface AskOptions {
  /** How long a request is repeated before it is given up. */
  readonly giveUpMs: number;
  /** SubmitJob's, of the account. */
  readonly submitsPerSecond: number;
  /** Of all other calls together. */
  readonly callsPerSecond: number;
  /** Once it is aborted, nothing is asked again. */
  readonly closing: AbortSignal;
}

/** One call of the API, by its name there. */
export interface Call<T> {
  readonly name: string;
  send(connection: BatchConnection): Promise<T>;
  /** Before it is sent again after an answer that never came: a value is taken for its answer. Left out: it may be done twice. */
  made?(): Promise<T | undefined>;
}

export interface AskBatch {
  /** Throws HR_CONFIG, HR_STORAGE_UNAVAILABLE, and `Refused` where Batch refuses what was asked. */
  <T>(call: Call<T>): Promise<T>;
}

/** What Batch says of a request that it will never grant. */
export class Refused extends Error {}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;

export function createAskBatch(
  connection: () => Promise<BatchConnection>,
  { giveUpMs, submitsPerSecond, callsPerSecond, closing }: AskOptions,
): AskBatch {
  const submits = createPace(submitsPerSecond);
  const calls = createPace(callsPerSecond, callsPerSecond);
  return async (call) => {
    const giveUpAt = performance.now() + giveUpMs;
    for (let attempt = 0; ; attempt++) {
      await (call.name === 'SubmitJob' ? submits() : calls());
      let fault: BatchFault;
      let thrown: unknown;
      try {
        return await call.send(await connection());
      } catch (error) {
        fault = faultOf(error);
        thrown = error;
      }
      if (fault === 'refused') throw new Refused(catalogued(thrown, call.name).message, { cause: thrown });
      if (fault === 'forbidden' || performance.now() > giveUpAt) throw catalogued(thrown, call.name);
      await pause(attempt, closing);
      if (closing.aborted) throw catalogued(thrown, call.name);
      if (fault === 'unclear') {
        const made = await call.made?.();
        if (made !== undefined) return made;
      }
    }
  };
}

/** Of a random length, so that those who were throttled together do not come again together. */
async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
  // It throws where the signal ends it.
  await sleep(longest / 2 + (Math.random() * longest) / 2, undefined, { signal }).catch(() => undefined);
}
