// Opens the prediction log of one process: a bounded queue in memory, written by a timer in slices short enough that
// requests don't feel it.

import { type Clock, HeadraceError, type Logger, type Micros } from '../../core/index.ts';
import type { CompactOptions } from './compact.ts';
import { startCompaction } from './compaction-timer.ts';
import { outcomeLine, predictionLine } from './line-writer.ts';
import type { OutcomeEntry, PredictionEntry, PredictionLog } from './prediction-log.ts';
import { createSegmentWriter, type SegmentWriter } from './segment-writer.ts';
import { releaseToken, takeToken } from './segments.ts';

export interface PredictionLogOptions {
  /** Shared by all processes; made when missing. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Entries, and likewise outcomes, that may wait in memory; past it they are dropped and counted. Default 20,000. */
  readonly maxQueued?: number;
  /** A segment this large is ended. Default 64 MB. */
  readonly segmentBytes?: number;
  /** Default 1000, which is what a crash can lose. */
  readonly flushEveryMs?: number;
  /** With it, ended segments become Parquet every ten minutes; without it, when somebody calls `compactPredictionLog`. `maxBytes` is 50 GB by default. */
  readonly compaction?: Pick<CompactOptions, 'duckdb' | 'keepMicros' | 'maxBytes'>;
}

const MAX_BYTES = 50e9;

interface RecordedOutcome {
  readonly outcome: OutcomeEntry;
  readonly recordedMicros: Micros;
}

export function openPredictionLog(options: PredictionLogOptions): PredictionLog {
  const {
    directory,
    clock,
    logger,
    maxQueued = 20_000,
    segmentBytes = 64 * 1024 ** 2,
    flushEveryMs = 1000,
    compaction,
  } = options;
  const token = takeToken();
  const predictionWriter = createSegmentWriter({ directory, kind: 'predictions', token, clock, segmentBytes });
  const outcomeWriter = createSegmentWriter({ directory, kind: 'outcomes', token, clock, segmentBytes });
  let predictions: PredictionEntry[] = [];
  let outcomes: RecordedOutcome[] = [];
  // Taken from the queue but not on disk yet; they count as queued, for they hold memory.
  const beingWritten = { predictions: 0, outcomes: 0 };
  let written = 0;
  let dropped = 0;
  let droppedWhenTold = 0;
  let isClosed = false;
  let flushing: Promise<void> | undefined;
  // A queue that fills faster than the timer empties it is written earlier.
  const earlyAt = Math.max(1, maxQueued >> 1);

  const writeAll = async <T>(
    writer: SegmentWriter,
    entries: readonly T[],
    toLine: (entry: T) => string,
  ): Promise<void> => {
    if (entries.length === 0) return;
    let unwritable = 0;
    const lineOf = (entry: T): string => {
      try {
        return toLine(entry);
      } catch {
        unwritable++;
        return '';
      }
    };
    try {
      await writeInSlices(writer, entries, lineOf);
      written += entries.length - unwritable;
      dropped += unwritable;
    } catch (error) {
      dropped += entries.length;
      throw error;
    }
  };

  const flushOnce = async (): Promise<void> => {
    const [takenPredictions, takenOutcomes] = [predictions, outcomes];
    predictions = [];
    outcomes = [];
    beingWritten.predictions = takenPredictions.length;
    beingWritten.outcomes = takenOutcomes.length;
    const results = await Promise.allSettled([
      writeAll(predictionWriter, takenPredictions, predictionLine),
      writeAll(outcomeWriter, takenOutcomes, ({ outcome, recordedMicros }) => outcomeLine(outcome, recordedMicros)),
    ]);
    beingWritten.predictions = beingWritten.outcomes = 0;
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  };

  const flush = (): Promise<void> => {
    flushing ??= flushOnce().finally(() => (flushing = undefined));
    return flushing;
  };

  const tellDrops = (): void => {
    if (dropped === droppedWhenTold) return;
    logger.warn(
      { dropped: dropped - droppedWhenTold, droppedInAll: dropped },
      'predictions or outcomes were not logged',
    );
    droppedWhenTold = dropped;
  };

  const flushAndTell = async (): Promise<void> => {
    try {
      await flush();
    } catch (error) {
      logger.error({ err: error }, 'the prediction log cannot be written');
    }
    tellDrops();
  };

  const timer = setInterval(() => void flushAndTell(), flushEveryMs);
  timer.unref();
  const stopCompaction =
    compaction === undefined
      ? undefined
      : startCompaction({ directory, clock, maxBytes: MAX_BYTES, ...compaction }, logger);

  return {
    append(entry) {
      if (isClosed || predictions.length + beingWritten.predictions >= maxQueued) {
        dropped++;
        return false;
      }
      predictions.push(entry);
      if (predictions.length === earlyAt && flushing === undefined) setImmediate(() => void flushAndTell());
      return true;
    },
    async appendOutcome(outcome) {
      if (isClosed)
        throw new HeadraceError('HR_STOPPING', 'the prediction log is closed; record the outcome again later.');
      if (outcomes.length + beingWritten.outcomes >= maxQueued) {
        throw new HeadraceError(
          'HR_OVERLOADED',
          `${maxQueued} outcomes wait to be written; record this one again in a second.`,
        );
      }
      outcomes.push({ outcome, recordedMicros: clock.nowMicros() });
    },
    async flush() {
      // One under way may have begun before the newest entry came.
      await flushing?.catch(() => {});
      await flush();
    },
    counters: () => ({
      written,
      dropped,
      queued: predictions.length + outcomes.length + beingWritten.predictions + beingWritten.outcomes,
    }),
    async close() {
      if (isClosed) return;
      isClosed = true;
      clearInterval(timer);
      await flushing?.catch(() => {});
      await flushAndTell();
      for (const writer of [predictionWriter, outcomeWriter]) {
        await writer
          .close()
          .catch((error: unknown) => logger.error({ err: error }, 'a segment of the prediction log did not close'));
      }
      await stopCompaction?.();
      releaseToken(token);
    },
  };
}

/** How long lines are made at a stretch before the event loop goes on: short, because a batch of requests waits behind it. */
const SLICE_MS = 0.3;
const CHECK_EVERY = 8;

async function writeInSlices<T>(
  writer: SegmentWriter,
  entries: readonly T[],
  toLine: (entry: T) => string,
): Promise<void> {
  for (let at = 0; at < entries.length; ) {
    const endMs = performance.now() + SLICE_MS;
    let lines = '';
    do {
      const stop = Math.min(at + CHECK_EVERY, entries.length);
      while (at < stop) lines += toLine(entries[at++] as T);
    } while (at < entries.length && performance.now() < endMs);
    // Its answer comes from the thread pool, after whatever else the loop has to do.
    await writer.write(lines);
  }
  await writer.sync();
}
