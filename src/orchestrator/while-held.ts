// Waiting for a run that another process has.

import { setTimeout as delay } from 'node:timers/promises';
import { RunHeldError } from './rows/run-lease.ts';

/** How often it is looked whether it is free, before its lease's end too: it may be let go. */
const LOOK_MS = 250;

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told once: whose it is. */
  readonly onWait?: ((sentence: string) => void) | undefined;
  /** Each time that it is found held. Throws where it is not to be waited for. */
  readonly onHeld?: (error: RunHeldError) => void;
}

/** Does it once nobody else has the run. On abort it throws who has it. */
export async function whileHeld<R>({ signal, onWait, onHeld }: WaitOptions, work: () => Promise<R>): Promise<R> {
  for (let looks = 0; ; looks++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RunHeldError)) throw error;
      onHeld?.(error);
      if (looks === 0) onWait?.(`${error.message.replace(/; wait for it.*$/, '')}; it is waited for`);
      const lookMs = Math.max(10, Math.min(LOOK_MS, error.leaseLeftMs));
      await delay(lookMs, undefined, signal === undefined ? {} : { signal }).catch(() => {
        throw error;
      });
    }
  }
}
