// Reads and writes of the artifact store that may take as long as the store is away: what lies there decides how a task ended, so
// it is asked until it answers.

import { HeadraceError, type Logger, toHeadraceError } from '../../../core/index.ts';

export interface Patience {
  readonly logger: Logger;
  /** On abort it is given up. */
  readonly signal: AbortSignal;
}

const FIRST_MS = 200;
const MOST_MS = 15_000;
/** What no waiting mends. */
const LASTING = new Set(['HR_ARTIFACT_UNREADABLE', 'HR_INVALID']);

/** Throws what is lasting, and HR_STORAGE_UNAVAILABLE once it is given up. */
export async function patiently<T>({ logger, signal }: Patience, work: () => Promise<T>): Promise<T> {
  for (let waitMs = FIRST_MS; ; waitMs = Math.min(2 * waitMs, MOST_MS)) {
    if (signal.aborted)
      throw new HeadraceError('HR_STORAGE_UNAVAILABLE', 'the artifact store was given up: it is no longer waited for');
    try {
      return await work();
    } catch (error) {
      const { code, message } = toHeadraceError(error);
      if (LASTING.has(code)) throw error;
      logger.warn({ code, error: message }, 'the artifact store does not give what became of tasks; asked again');
      await pause(waitMs, signal);
    }
  }
}

/** A timer that an abort ends. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
