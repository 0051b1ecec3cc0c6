// Small writes that come together share a transaction: all of one turn of the event loop, up to a number of keys, for
// between transactions other requests and other processes get their turn.

import type { Environment } from './environment.ts';

export interface WriteQueue {
  /** `work` changes `keys` keys, within a transaction, perhaps beside other work and perhaps twice. */
  add<T>(keys: number, work: () => T): Promise<T>;
}

export const KEYS_PER_TRANSACTION = 256;

interface Job {
  readonly keys: number;
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export function createWriteQueue(environment: Environment): WriteQueue {
  let jobs: Job[] = [];
  let isDraining = false;

  const drain = async (): Promise<void> => {
    while (jobs.length > 0) {
      await nextTurn();
      let keys = 0;
      let count = 0;
      while (count < jobs.length && (count === 0 || keys + (jobs[count] as Job).keys <= KEYS_PER_TRANSACTION)) {
        keys += (jobs[count++] as Job).keys;
      }
      const batch = jobs.slice(0, count);
      jobs = jobs.slice(count);
      await writeTogether(environment, batch);
    }
    isDraining = false;
  };

  return {
    add: (keys, work) =>
      new Promise((resolve, reject) => {
        // The promise takes what `work` gives, whatever it is.
        jobs.push({ keys, work, resolve: resolve as (value: unknown) => void, reject });
        if (isDraining) return;
        isDraining = true;
        void drain();
      }),
  };
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function writeTogether(environment: Environment, batch: readonly Job[]): Promise<void> {
  try {
    const results = await environment.write(() => batch.map((job) => job.work()));
    for (const [index, job] of batch.entries()) job.resolve(results[index]);
  } catch (error) {
    if (batch.length === 1) return batch[0]?.reject(error);
    // One that doesn't fit must not take the others with it.
    for (const job of batch) await writeTogether(environment, [job]);
  }
}
