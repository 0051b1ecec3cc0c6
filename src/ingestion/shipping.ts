// Sealed cuts on their way to where every machine reads, and the runs that wait for them. An object store that is away is
// tried again for ever; until then the runs are not answered.

import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, messageOf } from '../core/index.ts';
import type { LogWriter } from '../events/index.ts';
import type { RunIdentity, Runs } from '../online/index.ts';

export interface Shipping {
  /** Ships a sealed cut, then answers the runs that asked before it was ended. */
  ship(cut: number, asked: readonly RunIdentity[]): void;
  /** Resolves once all is shipped and answered. */
  idle(): Promise<void>;
  /** Whether the run is about to be answered. */
  isAnswering(run: RunIdentity): boolean;
  /** Why the last try failed; undefined when it did not. */
  readonly failure: unknown;
  close(): void;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;

export function createShipping(log: LogWriter, runs: Pick<Runs, 'answer'>, logger: Logger): Shipping {
  let waiting: { readonly cut: number; readonly asked: readonly RunIdentity[] }[] = [];
  let running: Promise<void> | undefined;
  let isClosed = false;
  let failure: unknown;

  const shipOnce = async (): Promise<void> => {
    const shipped = await log.ship();
    const done = waiting.filter(({ cut }) => cut <= shipped);
    const answered = done.flatMap(({ asked }) => asked);
    await runs.answer(answered, log.writer);
    waiting = waiting.filter((one) => !done.includes(one));
  };

  const loop = async (): Promise<void> => {
    let retryMs = FIRST_RETRY_MS;
    while (waiting.length > 0 && !isClosed) {
      try {
        await shipOnce();
        if (failure !== undefined) logger.info({ writer: log.writer }, 'the log is shipped again');
        failure = undefined;
        retryMs = FIRST_RETRY_MS;
      } catch (error) {
        if (failure === undefined)
          logger.warn({ writer: log.writer, reason: messageOf(error) }, 'the log cannot be shipped; trying again');
        failure = error;
        await delay(retryMs, undefined, { ref: false });
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
    running = undefined;
  };

  return {
    ship(cut, asked) {
      // What comes later is whoever settles to ship.
      if (isClosed) return;
      waiting.push({ cut, asked });
      running ??= loop();
    },
    async idle() {
      while (running !== undefined) await running;
    },
    isAnswering: ({ number, token }) =>
      waiting.some(({ asked }) => asked.some((run) => run.number === number && run.token === token)),
    get failure() {
      return failure;
    },
    close() {
      isClosed = true;
    },
  };
}
