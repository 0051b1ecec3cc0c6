// Opens the prediction log of one process: records go into bounded memory, a timer writes them, and the disk is waited for
// off the event loop. Outcomes wait for the disk themselves; those that come meanwhile are written together.

import { type Clock, HeadraceError, type Logger } from '../../core/index.ts';
import { nameSchema } from './arm-schema.ts';
import { startCompaction, type CompactionSettings } from './compaction-timer.ts';
import { packOutcome } from './outcome-record.ts';
import { compileRecordRoutes } from './record-routes.ts';
import type { ArmLog, ArmSchema, DropReason, OutcomeEntry, PredictionLog, PredictionRecord } from './prediction-log.ts';
import { createBlockBuffer } from './record-block.ts';
import { compileEncoder, type RecordTail } from './record-encoder.ts';
import { hashUnit, MOST_UNIT_SIGNS } from './record-route.ts';
import { hidesOutcomes, hidesUnits, redactionOf } from './redaction.ts';
import type { SampleRule } from './sample-rules.ts';
import { isOfShare } from './sampling.ts';
import { createSegmentWriter } from './segment-writer.ts';

export interface PredictionLogOptions {
  /** Shared by all processes; made when missing. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bytes of predictions that may wait; past it they are dropped and counted. Outcomes have as much again. Default 64 MiB, least 1 MiB. */
  readonly memory?: number;
  /** Which share of the predictions is logged; all when left out. */
  readonly sample?: readonly SampleRule[];
  /**
   * Columns whose values are not logged, as `column` or `endpoint.column`; `unit` for the values that stick a row to its
   * variant, `outcome` for those of outcomes.
   */
  readonly redact?: readonly string[];
  /** A segment this large is ended. Default 64 MB. */
  readonly segmentBytes?: number;
  /** Default 1000: what a crash of the process can lose; a crash of the machine, about a second. */
  readonly flushEveryMs?: number;
  /** With it, ended segments become Parquet in a thread of this process; without it, when somebody calls `compactPredictionLog`. */
  readonly compaction?: CompactionSettings;
}

/** What a crash of the machine can lose; one of the process loses what its timer has not written. */
const SYNC_EVERY_MS = 900;
/** So many full blocks are written without waiting for the timer. */
const EARLY_BLOCKS = 2;
/** Outcomes are written in parts of about so many bytes. */
const PART_BYTES = 128 * 1024;

interface OutcomeBatch {
  readonly outcomes: readonly OutcomeEntry[];
  readonly bytes: number;
  resolve(): void;
  reject(error: unknown): void;
}

export function openPredictionLog(options: PredictionLogOptions): PredictionLog {
  const { directory, clock, logger, memory = 64 * 1024 ** 2, segmentBytes = 64e6, flushEveryMs = 1000 } = options;
  const { sample = [], redact = [] } = options;
  const buffer = createBlockBuffer(memory);
  const dropped: Record<DropReason, number> = { full: 0, disk: 0, closed: 0, too_large: 0, invalid: 0 };
  let written = 0;
  let skipped = 0;
  /** Predictions that were taken from the buffer and not written yet; they hold memory. */
  let beingWritten = 0;
  const unsynced = { predictions: 0, outcomes: 0 };
  let isClosed = false;
  let toldDrops = 0;
  let syncedAtMs = performance.now();
  let batches: OutcomeBatch[] = [];
  let batchBytes = 0;

  const onDurable = (): void => {
    written += unsynced.predictions + unsynced.outcomes;
    unsynced.predictions = unsynced.outcomes = 0;
  };
  const writer = createSegmentWriter({ directory, clock, segmentBytes, onDurable });
  // The segment was cut back to what was durable; outcomes are refused, not dropped.
  const dropUnsynced = (): void => {
    dropped.disk += unsynced.predictions + beingWritten;
    unsynced.predictions = unsynced.outcomes = beingWritten = 0;
  };

  const writePredictions = async (isDurable: boolean): Promise<void> => {
    const blocks = buffer.take();
    beingWritten = blocks.reduce((sum, { records }) => sum + records, 0);
    try {
      for (let block = blocks.shift(); block !== undefined; block = blocks.shift()) {
        const { records } = block;
        try {
          await writer.write(block.bytes.subarray(0, block.used), block.schemas);
        } finally {
          buffer.release(block);
        }
        beingWritten -= records;
        unsynced.predictions += records;
      }
      if (isDurable) {
        syncedAtMs = performance.now();
        await writer.sync();
      }
      await writer.tick();
    } finally {
      for (const block of blocks) buffer.release(block);
    }
  };

  const writeOutcomes = async (outcomes: readonly OutcomeEntry[]): Promise<void> => {
    const recorded = clock.nowMicros();
    let part: Buffer[] = [];
    let bytes = 0;
    const writePart = async (): Promise<void> => {
      await writer.write(Buffer.concat(part), []);
      unsynced.outcomes += part.length;
      part = [];
      bytes = 0;
    };
    for (const outcome of outcomes) {
      const frame = packOutcome(
        hidesOutcomes(outcome.endpoint, redact) ? { ...outcome, value: null } : outcome,
        recorded,
      );
      part.push(frame);
      bytes += frame.length;
      if (bytes >= PART_BYTES) await writePart();
    }
    if (bytes > 0) await writePart();
  };

  const flushOnce = async (isDurable: boolean): Promise<void> => {
    const taken = batches;
    batches = [];
    try {
      for (const { outcomes } of taken) await writeOutcomes(outcomes);
      await writePredictions(isDurable || taken.length > 0);
      for (const batch of taken) batch.resolve();
    } catch (error) {
      dropUnsynced();
      for (const batch of taken) batch.reject(error);
      throw error;
    } finally {
      for (const { bytes } of taken) batchBytes -= bytes;
    }
  };

  let flushing: Promise<void> | undefined;
  const flush = (isDurable: boolean): Promise<void> => {
    flushing ??= flushOnce(isDurable).finally(() => (flushing = undefined));
    return flushing;
  };
  // One under way may have begun before the newest came.
  const flushNewest = async (): Promise<void> => {
    await flushing?.catch(() => {});
    await flush(true);
  };

  const tellDrops = (): void => {
    const all = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    if (all > toldDrops)
      logger.warn({ dropped: all - toldDrops, byReason: { ...dropped } }, 'predictions were not logged');
    toldDrops = all;
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
  let isEarly = false;
  const writeEarly = (): void => {
    if (isEarly || flushing !== undefined) return;
    isEarly = true;
    setImmediate(() => void flushAndTell(isSyncDue()).finally(() => (isEarly = false)));
  };

  const arms = new Map<string, ArmLog>();
  const armsByObject = new WeakMap<ArmSchema, ArmLog>();
  const openArm = (schema: ArmSchema): ArmLog => {
    const named = nameSchema(schema);
    const known = arms.get(named.id);
    if (known !== undefined) return known;
    const redaction = redactionOf(named, redact);
    const encoder = compileEncoder(named, redaction);
    const { endpoint } = named.schema;
    const routeOf = compileRecordRoutes(named.schema, sample, (column) => hidesUnits(endpoint, column, redact));
    // One for all records, so that none leaves something behind.
    const tail: { -readonly [K in keyof RecordTail]: RecordTail[K] } = {
      route: routeOf(null).bytes,
      experimentUnit: null,
      sampleRate: 1,
    };
    const append: ArmLog['append'] = (record) => {
      const route = routeOf(record.route);
      const share = route.shareOf(record.statuses);
      if (!isOfShare(record, share)) {
        skipped++;
        return false;
      }
      let reason: DropReason | undefined;
      try {
        tail.route = route.bytes;
        tail.sampleRate = share;
        tail.experimentUnit = loggedUnit(record, route.hidesUnit);
        reason = isClosed ? 'closed' : encoder.append(buffer, record, tail);
      } catch {
        reason = 'invalid';
      }
      if (buffer.fullBlocks >= EARLY_BLOCKS) writeEarly();
      if (reason === undefined) return true;
      dropped[reason]++;
      return false;
    };
    const arm = { append };
    arms.set(named.id, arm);
    return arm;
  };

  const stopCompaction =
    options.compaction === undefined ? undefined : startCompaction(directory, options.compaction, logger);

  return {
    arm(schema) {
      let arm = armsByObject.get(schema);
      if (arm === undefined) armsByObject.set(schema, (arm = openArm(schema)));
      return arm;
    },
    async recordOutcomes(outcomes) {
      if (isClosed) {
        throw new HeadraceError('HR_STOPPING', 'the prediction log is closed; record the outcomes again later.');
      }
      const bytes = outcomes.reduce((sum, outcome) => sum + sizeOf(outcome), 0);
      if (batchBytes > 0 && batchBytes + bytes > memory) {
        throw new HeadraceError(
          'HR_OVERLOADED',
          `${batchBytes} bytes of outcomes wait to be written, and at most ${memory} may; record these again in a second.`,
        );
      }
      batchBytes += bytes;
      const kept = new Promise<void>((resolve, reject) => batches.push({ outcomes, bytes, resolve, reject }));
      // Its batch is told of a failure.
      void flushNewest().catch(() => {});
      await kept;
    },
    redacts: (endpoint, column) => hidesUnits(endpoint, column, redact),
    flush: flushNewest,
    counters: () => ({
      written,
      skipped,
      queued: buffer.records + beingWritten + unsynced.predictions,
      queuedBytes: buffer.heldBytes,
      dropped: { ...dropped },
    }),
    async close() {
      if (isClosed) return;
      isClosed = true;
      clearInterval(timer);
      await flushing?.catch(() => {});
      await flushAndTell(true);
      await writer
        .close()
        .catch((error: unknown) => logger.error({ err: error }, 'a segment of the prediction log did not close'));
      await stopCompaction?.();
    },
  };
}

// Only of an experiment, which needs it in its own right: the columns that it is made of may have other types, or be hidden.
function loggedUnit({ route, experimentUnit }: PredictionRecord, isHidden: boolean): string | null {
  if (route === null || route.experiment === null) return null;
  const unit = experimentUnit ?? '';
  return isHidden || unit.length > MOST_UNIT_SIGNS ? hashUnit(unit) : unit;
}

/** Bytes that an outcome takes in memory, about. */
function sizeOf({ predictionId, endpoint, value }: OutcomeEntry): number {
  const ids = typeof predictionId === 'string' ? predictionId.length : 16 + 8 * predictionId.unit.join().length;
  return 64 + ids + endpoint.length + (typeof value === 'string' ? value.length : 8);
}
