// Clients that ask without a pause until they are told to stop, and keep count of what went wrong.

import { setTimeout as sleep } from 'node:timers/promises';

export interface Ask {
  /** Throws where the answer is not what it should be. */
  (turn: number): Promise<void>;
}

export interface SteadyLoad {
  answered(): number;
  /** A sentence each, at most a hundred. */
  readonly failed: readonly string[];
  /** Resolves when so many more were answered, or failed. */
  more(count: number): Promise<void>;
  /** Resolves when all clients have ended. */
  stop(): Promise<void>;
}

/** So many clients, each with one request at a time and a short rest after it. */
export function startLoad(
  ask: Ask,
  { clients, restMs }: { readonly clients: number; readonly restMs: number },
): SteadyLoad {
  const failed: string[] = [];
  let [turn, ended, answered, isStopped] = [0, 0, 0, false];
  const client = async (): Promise<void> => {
    while (!isStopped) {
      try {
        await ask(turn++);
        answered += 1;
      } catch (thrown) {
        const { cause, message } = thrown as Error & { readonly cause?: unknown };
        if (failed.length < 100) failed.push(`${message}${cause === undefined ? '' : `: ${String(cause)}`}`);
      }
      ended += 1;
      await sleep(restMs);
    }
  };
  const running = Promise.all(Array.from({ length: clients }, client));
  return {
    answered: () => answered,
    failed,
    async more(count) {
      const wanted = ended + count;
      while (ended < wanted) await sleep(10);
    },
    async stop() {
      isStopped = true;
      await running;
    },
  };
}
