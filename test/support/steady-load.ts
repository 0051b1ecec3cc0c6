// Clients that ask without a pause until they are told to stop, and keep count of what went wrong.

import { setTimeout as sleep } from 'node:timers/promises';

export type SteadyLoad = ReturnType<typeof startLoad>;

/** So many clients, each with one request at a time and a short rest after it. */
export function startLoad(
  /** Throws where the answer is not what it should be. */
  ask: (turn: number) => Promise<void>,
  { clients, restMs }: { readonly clients: number; readonly restMs: number },
) {
  /** A sentence each, at most a hundred. */
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
    /** Resolves when so many more were answered, or failed. */
    async more(count: number): Promise<void> {
      const wanted = ended + count;
      while (ended < wanted) await sleep(10);
    },
    /** Resolves when all clients have ended. */
    async stop(): Promise<void> {
      isStopped = true;
      await running;
    },
  };
}
