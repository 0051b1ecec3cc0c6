// Compacts the log now and then from within a server, one run at a time.

import type { Logger } from '../../core/index.ts';
import { compactPredictionLog, type CompactOptions } from './compact.ts';

const EVERY_MS = 10 * 60_000;

/** Starts it; the function that comes back stops it, and resolves when a run under way has ended. */
export function startCompaction(options: CompactOptions, logger: Logger): () => Promise<void> {
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    try {
      const report = await compactPredictionLog(options);
      if (report.segments + report.deleted > 0) logger.info(report, 'the prediction log was compacted');
    } catch (error) {
      logger.error({ err: error }, 'the prediction log could not be compacted; it is tried again');
    }
  };
  const timer = setInterval(() => {
    running ??= run().finally(() => (running = undefined));
  }, EVERY_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}
