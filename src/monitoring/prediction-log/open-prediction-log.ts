// Opens the prediction log of one process: a bounded buffer of lines in memory, written by a timer; the disk is waited
// for off the event loop.

import { type Clock, HeadraceError, type Logger } from '../../core/index.ts';
import type { CompactOptions } from './compact.ts';
import { startCompaction } from './compaction-timer.ts';
import { createLineBuffer, type LineBuffer } from './line-buffer.ts';
import { outcomeLine, predictionLine } from './line-writer.ts';
import type { PredictionLog } from './prediction-log.ts';
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
  /** Default 1000: what a crash of the process can lose; a crash of the machine, about a second. */
  readonly flushEveryMs?: number;
  /** With it, ended segments become Parquet every ten minutes; without it, when somebody calls `compactPredictionLog`. `maxBytes` is 50 GB by default. */
  readonly compaction?: Pick<CompactOptions, 'duckdb' | 'keepMicros' | 'maxBytes'>;
}

const MAX_BYTES = 50e9;
/** What a crash of the machine can lose; one of the process loses what its timer has not written. */
const SYNC_EVERY_MS = 900;
/** So much in memory is written without waiting for the timer. */
const EARLY_BYTES = 1 * 1024 ** 2;

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
  const predictions = createLineBuffer();
  const outcomes = createLineBuffer();
  // Taken from the buffer but not on disk yet; they count as queued, for they hold memory.
  const beingWritten = { predictions: 0, outcomes: 0 };
  let written = 0;
  let dropped = 0;
  let droppedWhenTold = 0;
  let isClosed = false;
  let flushing: Promise<void> | undefined;
  // A buffer that fills faster than the timer empties it is written earlier.
  const earlyAt = Math.max(1, maxQueued >> 1);
  let isEarly = false;

  // A line is written once it is on disk; until then a crash of the machine can take it, one of the process cannot.
  const unsynced = { predictions: 0, outcomes: 0 };
  let syncedAtMs = performance.now();

  const writeAll = async (
    writer: SegmentWriter,
    kind: keyof typeof unsynced,
    buffer: LineBuffer,
    isDurable: boolean,
  ) => {
    const taken = buffer.take();
    beingWritten[kind] = taken.lines;
    unsynced[kind] += taken.lines;
    try {
      for (const block of taken.blocks) await writer.write(block);
      if (!isDurable) return;
      const before = unsynced[kind];
      await writer.sync();
      written += before;
      unsynced[kind] -= before;
    } catch (error) {
      // The segment was cut back to what is on disk.
      dropped += unsynced[kind];
      unsynced[kind] = 0;
      throw error;
    } finally {
      buffer.release(taken);
      beingWritten[kind] = 0;
    }
  };

  const flushOnce = async (isDurable: boolean): Promise<void> => {
    if (isDurable) syncedAtMs = performance.now();
    const results = await Promise.allSettled([
      writeAll(predictionWriter, 'predictions', predictions, isDurable),
      writeAll(outcomeWriter, 'outcomes', outcomes, isDurable),
    ]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  };

  const flush = (isDurable: boolean): Promise<void> => {
    flushing ??= flushOnce(isDurable).finally(() => (flushing = undefined));
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

  const flushAndTell = async (isDurable: boolean): Promise<void> => {
    try {
      await flush(isDurable);
    } catch (error) {
      logger.error({ err: error }, 'the prediction log cannot be written');
    }
    tellDrops();
  };

  const isSyncDue = (): boolean => performance.now() - syncedAtMs >= SYNC_EVERY_MS;
  const timer = setInterval(() => void flushAndTell(isSyncDue()), flushEveryMs);
  timer.unref();
  const stopCompaction =
    compaction === undefined
      ? undefined
      : startCompaction({ directory, clock, maxBytes: MAX_BYTES, ...compaction }, logger);

  const log: PredictionLog = {
    arm(schema) {
      return { append: (record) => log.append({ ...record, ...schema }) };
    },
    async recordOutcomes(outcomes) {
      for (const outcome of outcomes) await log.appendOutcome(outcome);
      await log.flush();
    },
    append(entry) {
      if (isClosed || predictions.lines + beingWritten.predictions >= maxQueued) {
        dropped++;
        return false;
      }
      try {
        predictions.add(predictionLine(entry));
      } catch {
        dropped++;
        return false;
      }
      if (!isEarly && flushing === undefined && (predictions.lines >= earlyAt || predictions.bytes >= EARLY_BYTES)) {
        isEarly = true;
        setImmediate(() => void flushAndTell(isSyncDue()).finally(() => (isEarly = false)));
      }
      return true;
    },
    async appendOutcome(outcome) {
      if (isClosed)
        throw new HeadraceError('HR_STOPPING', 'the prediction log is closed; record the outcome again later.');
      if (outcomes.lines + beingWritten.outcomes >= maxQueued) {
        throw new HeadraceError(
          'HR_OVERLOADED',
          `${maxQueued} outcomes wait to be written; record this one again in a second.`,
        );
      }
      outcomes.add(outcomeLine(outcome, clock.nowMicros()));
    },
    async flush() {
      // One under way may have begun before the newest entry came.
      await flushing?.catch(() => {});
      await flush(true);
    },
    counters: () => ({
      written,
      dropped,
      queued: predictions.lines + outcomes.lines + beingWritten.predictions + beingWritten.outcomes,
    }),
    async close() {
      if (isClosed) return;
      isClosed = true;
      clearInterval(timer);
      await flushing?.catch(() => {});
      await flushAndTell(true);
      for (const writer of [predictionWriter, outcomeWriter]) {
        await writer
          .close()
          .catch((error: unknown) => logger.error({ err: error }, 'a segment of the prediction log did not close'));
      }
      await stopCompaction?.();
      releaseToken(token);
    },
  };
  return log;
}
