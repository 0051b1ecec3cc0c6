// Materialize: brings the online store's base records to a watermark, from the sources, whole key by whole key.
// Running it again is harmless: a base is replaced, never added to.

import { randomUUID } from 'node:crypto';
import type { DuckDBConnection } from '@duckdb/node-api';
import {
  didYouMeanOf,
  formatTimestamp,
  HeadraceError,
  type Micros,
  MICROS_PER_SECOND,
  toHeadraceError,
} from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import {
  createViewCodec,
  finishBase,
  getWatermark,
  type OnlineStore,
  type PushLog,
  setReach,
  setWatermark,
  type ViewCodec,
} from '../../online/index.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { scanSource } from '../sources/scan-source.ts';
import { dropCoveredPushes } from './drop-covered-pushes.ts';
import { queryWork } from '../sources/source-errors.ts';
import { forgetExpired } from './forget-expired.ts';
import { defaultEnd, findInterval, type Interval, upToArrival } from './interval.ts';
import { endLease, migrateMaterialize, recordEnd, recordStart, renewLease, takeLease } from './run-records.ts';
import { findTouchedKeys } from './touched-keys.ts';
import { viewFingerprint } from './view-fingerprint.ts';
import { writeView } from './write-view.ts';

export interface MaterializeRequest {
  /** All views when left out. */
  readonly views?: readonly string[];
  /** From the view's watermark on; a view without one, or computed otherwise by now, is written whole. */
  readonly incremental: boolean;
  /**
   * Not incremental: keys with rows known at `from` or later, or since the watermark, are recomputed, whole. Left out,
   * or where the view has no watermark yet: every key.
   */
  readonly from?: Micros;
  /**
   * The watermark to be. Left out: now, for a source that keeps pushes a second ago, for a scheduled view the start of
   * the interval that this falls in.
   */
  readonly to?: Micros;
  readonly dryRun: boolean;
}

export interface MaterializedView {
  readonly view: string;
  readonly run: string | null;
  readonly state: 'finished' | 'up-to-date' | 'dry-run';
  /** RFC 3339; null is from the beginning. */
  readonly from: string | null;
  readonly to: string;
  readonly keys: number;
  /** Records that changed. */
  readonly written: number;
  readonly rowsInRange: number;
  /** Rows with a null key, event time or known time. */
  readonly rowsIgnored: number;
}

export interface MaterializeReport {
  readonly views: readonly MaterializedView[];
}

export interface MaterializeDeps extends OfflineDeps {
  readonly store: OnlineStore;
  /** Rid of what is covered, for sources whose pushes are kept only until then; left alone when left out. */
  readonly pushLog?: PushLog;
}

/**
 * Errors: HR_UNKNOWN_VIEW, HR_MATERIALIZE_RANGE, HR_MATERIALIZE_BUSY, HR_SOURCE_UNREADABLE, HR_TRANSFORM_FAILED,
 * HR_STORAGE_FULL, HR_ONLINE_UNAVAILABLE. Views finished before an error stay finished.
 */
export async function materialize(deps: MaterializeDeps, request: MaterializeRequest): Promise<MaterializeReport> {
  const { manifest } = deps.definitions;
  const names = request.views ?? Object.keys(manifest.views);
  for (const name of names) {
    if (Object.hasOwn(manifest.views, name)) continue;
    throw new HeadraceError(
      'HR_UNKNOWN_VIEW',
      `there is no feature view "${name}".${didYouMeanOf('feature views', name, Object.keys(manifest.views))}`,
    );
  }
  checkRange(request, deps.clock.nowMicros());
  await migrateMaterialize(deps.database);
  const views: MaterializedView[] = [];
  for (const name of names) views.push(await materializeView(deps, request, name));
  if (!request.dryRun && views.some(({ state }) => state === 'finished')) {
    await dropCoveredPushes(deps, names);
    await forgetExpired(deps.store, deps.clock.nowMicros());
  }
  return { views };
}

function checkRange({ from, to }: MaterializeRequest, now: Micros): void {
  if (to !== undefined && to > now) {
    throw new HeadraceError(
      'HR_MATERIALIZE_RANGE',
      `--to ${formatTimestamp(to)} is in the future; it is ${formatTimestamp(now)}.`,
    );
  }
  if (from !== undefined && from >= (to ?? now)) {
    throw new HeadraceError(
      'HR_MATERIALIZE_RANGE',
      `the range from ${formatTimestamp(from)} to ${formatTimestamp(to ?? now)} is empty.`,
    );
  }
}

async function materializeView(
  deps: MaterializeDeps,
  request: MaterializeRequest,
  name: string,
): Promise<MaterializedView> {
  const { database, clock, store, definitions } = deps;
  const codec = createViewCodec(definitions.manifest, name, clock);
  const now = clock.nowMicros();
  const to = request.to ?? defaultEnd(codec, now);
  if (request.dryRun) return runView(deps, codec, null, await findInterval(request, store, codec, to, now));

  const run = randomUUID();
  await takeLease(database, name, run, now);
  let isHeld = true;
  const heartbeat = setInterval(() => {
    renewLease(database, name, run, clock.nowMicros()).then(
      (held) => (isHeld = held),
      () => {},
    );
  }, HEARTBEAT_MS).unref();
  try {
    // Read after the lease: a run that just ended has moved it.
    const interval = await findInterval(request, store, codec, to, clock.nowMicros());
    return await runView(deps, codec, { id: run, isHeld: () => isHeld, isIncremental: request.incremental }, interval);
  } finally {
    clearInterval(heartbeat);
    await endLease(database, name, run);
  }
}

const HEARTBEAT_MS = (20 * MICROS_PER_SECOND) / 1000;

interface Run {
  readonly id: string;
  readonly isIncremental: boolean;
  isHeld(): boolean;
}

async function runView(
  deps: MaterializeDeps,
  codec: ViewCodec,
  run: Run | null,
  interval: Interval,
): Promise<MaterializedView> {
  const { name } = codec.view;
  const report = {
    view: name,
    run: run?.id ?? null,
    from: interval.after === null ? null : formatTimestamp(interval.after),
    to: formatTimestamp(interval.to),
  };
  if (run?.isIncremental !== false && interval.after !== null && interval.after >= interval.to) {
    return { ...report, run: null, state: 'up-to-date', keys: 0, written: 0, rowsInRange: 0, rowsIgnored: 0 };
  }
  if (run !== null) {
    await recordStart(deps.database, {
      id: run.id,
      view: name,
      kind: run.isIncremental ? 'incremental' : 'range',
      from: interval.after,
      to: interval.to,
      at: deps.clock.nowMicros(),
    });
  }
  const connection = await deps.duckdb.connect();
  const counts = { keys: 0, written: 0, rowsInRange: 0, rowsIgnored: 0 };
  try {
    await queryWork(`view "${name}" cannot be materialized`, 'HR_SOURCE_UNREADABLE', () =>
      fillView(deps, connection, codec, run, interval, counts),
    );
    if (run !== null) await endRun(deps, run, counts, null);
  } catch (error) {
    // The error itself matters more than its note: with a full disk the note may fail too.
    if (run !== null) await endRun(deps, run, counts, toHeadraceError(error)).catch(() => {});
    throw error;
  } finally {
    connection.closeSync();
  }
  if (counts.rowsIgnored > 0) {
    deps.logger.warn(
      { view: name, rows: counts.rowsIgnored },
      'rows with a null key, event time or known time were left out',
    );
  }
  return { ...report, state: run === null ? 'dry-run' : 'finished', ...counts };
}

type Counts = { keys: number; written: number; rowsInRange: number; rowsIgnored: number };

async function fillView(
  deps: MaterializeDeps,
  connection: DuckDBConnection,
  codec: ViewCodec,
  run: Run | null,
  interval: Interval,
  counts: Counts,
): Promise<void> {
  const { store, progress, definitions, pushLogDirectory } = deps;
  const { name } = codec.view;
  progress.start(`materialize ${name}: find keys`);
  const source = definitions.manifest.sources[codec.view.source] as SourceSpec;
  const scanned = upToArrival(await scanSource(connection, source, { definitions, pushLogDirectory }), interval);
  const touched = await findTouchedKeys(connection, codec, scanned, interval);
  counts.keys = touched.count;
  counts.rowsInRange = touched.rowsInRange;
  counts.rowsIgnored = touched.rowsIgnored;
  progress.done(`${touched.count} keys`);
  if (run === null) return;
  const checkHeld = () => {
    if (!run.isHeld())
      throw new HeadraceError('HR_MATERIALIZE_BUSY', `run ${run.id} of view "${name}" lost its lease to another.`);
  };
  progress.start(`materialize ${name}`, touched.count, 'keys');
  counts.written = await writeView(deps.duckdb, connection, store, {
    codec,
    scanned,
    keys: touched.count,
    asOf: interval.to,
    through: interval.through,
    onWritten(done) {
      checkHeld();
      progress.advance(done);
    },
  });
  await finishBase(store, codec, interval.to, { isFull: interval.after === null, through: interval.through });
  checkHeld();
  // Last, once all writes were acknowledged: a run that dies before is simply run again.
  // A run that ends before the watermark left later records alone, so it says nothing of the view as a whole.
  if (((await getWatermark(store, name)) ?? -Infinity) <= interval.to) {
    await setReach(store, name, { through: interval.through, fingerprint: viewFingerprint(codec) });
    await setWatermark(store, name, interval.to);
  }
  progress.done(`${counts.written} records`);
}

async function endRun(deps: MaterializeDeps, run: Run, counts: Counts, error: HeadraceError | null): Promise<void> {
  await recordEnd(deps.database, run.id, {
    state: error === null ? 'finished' : 'failed',
    keysWritten: counts.written,
    rowsInRange: counts.rowsInRange,
    rowsIgnored: counts.rowsIgnored,
    error: error === null ? null : `${error.code}: ${error.message}`,
    at: deps.clock.nowMicros(),
  });
}
