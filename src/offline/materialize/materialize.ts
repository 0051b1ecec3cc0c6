// Materialize: brings the online store's bases up to the facts, whole key by whole key. Which facts a base counts is
// said by its run's row: a snapshot of the files, a boundary, and positions in the writers' logs.

import { formatTimestamp, HeadraceError, messageOf, type Micros, MICROS_PER_DAY } from '../../core/index.ts';
import {
  createViewCodec,
  type LifetimeOf,
  lifetimesOf,
  type OnlineStore,
  openRowSchemas,
  openRuns,
  type RunRow,
} from '../../online/index.ts';
import { sourceOfView } from '../../definitions/index.ts';
import { withReleases } from '../checks/with-releases.ts';
import { keptVersions } from '../kept-versions.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { ASK_TIMEOUT_MS } from './ask-writers.ts';
import { chooseVersions, labelOf } from './choose-versions.ts';
import type { FailedView, MaterializedView } from './report.ts';
import { rehearseViews, runViews } from './run-views.ts';
import { forgetRows, removeExpired } from './upkeep.ts';
import type { RunDeps } from './view-run.ts';
import type { RunRequest } from './run-request.ts';

export interface MaterializeRequest {
  /**
   * Names, each for all versions of the view that are kept, or versions (`view@hash`). All that are kept when left out.
   */
  readonly views?: readonly string[];
  /** Only keys whose facts have changed since the last run; a view that has none, or lost it, is written whole. */
  readonly incremental: boolean;
  /** Not incremental: keys with rows known at `from` or later are written too. Left out: every key. */
  readonly from?: Micros;
  /**
   * Known times up to it are folded. Left out: now, for a scheduled view the start of the interval that this falls in;
   * then what is known later is carried along, and counts when its time comes.
   */
  readonly to?: Micros;
  readonly dryRun: boolean;
  /** Versions that need a run although nothing is new: readers can't move to them yet. */
  readonly due?: ReadonlySet<string>;
}

export interface MaterializeReport {
  readonly views: readonly MaterializedView[];
}

export interface MaterializeOutcome extends MaterializeReport {
  /** Views that came to nothing, beside those that were done. */
  readonly failed: readonly FailedView[];
}

export interface MaterializeDeps extends OfflineDeps {
  readonly store: OnlineStore;
  /** Waits before a node whose connection was lost is written again, one a try. */
  readonly retryMs?: readonly number[];
  /** How far ahead of the clock a pushed event's times may lie (pushLog.maxAhead); a day when left out. */
  readonly maxAheadMicros?: Micros;
  /** False: no profile is made of a run. */
  readonly keepsProfiles?: boolean;
}

const RETRY_MS: readonly number[] = [250, 500, 1000, 2000, 4000];

/** As `materializeEach`; where a view failed, throws the first one's error once the others are done. */
export async function materialize(deps: MaterializeDeps, request: MaterializeRequest): Promise<MaterializeReport> {
  const { views, failed } = await materializeEach(deps, request);
  if (failed[0] !== undefined) throw failed[0].error;
  return { views };
}

/**
 * One view after the other: what is wrong with one's source must not keep the others from being fresh. What failed is
 * repaired by its next run. Throws HR_UNKNOWN_VIEW, HR_MATERIALIZE_RANGE, and where nothing could be begun. A view fails with
 * HR_MATERIALIZE_BUSY, HR_BOUNDARY_HELD, HR_SOURCE_UNREADABLE, HR_SOURCE_CHANGED, HR_TRANSFORM_FAILED, HR_CODE_MISSING,
 * HR_LOG_DAMAGED, HR_STORAGE_FULL, HR_STORAGE_UNAVAILABLE, HR_ONLINE_UNAVAILABLE, HR_EXPECTATION (nothing is written).
 */
export async function materializeEach(deps: MaterializeDeps, request: MaterializeRequest): Promise<MaterializeOutcome> {
  const versions = chooseVersions(deps, request.views);
  checkRange(request, deps.clock.nowMicros());
  const runs = await openRuns(deps.database);
  const sources = versions.map(({ definitions, view }) => sourceOfView(definitions, view));
  const own: RunDeps = {
    ...(await withReleases(deps, sources)),
    runs,
    schemas: await openRowSchemas(deps.database),
    lifetimeMs: besideWaiting(
      lifetimesOf(keptVersions(deps).map(({ definitions, view }) => createViewCodec(definitions.manifest, view))),
      deps.maxAheadMicros ?? MICROS_PER_DAY,
    ),
    askTimeoutMs: deps.askTimeoutMs ?? ASK_TIMEOUT_MS,
    retryMs: deps.retryMs ?? RETRY_MS,
    keepsProfiles: deps.keepsProfiles ?? true,
  };
  const before = await runs.lastFinished();
  const views: MaterializedView[] = [];
  const failed: FailedView[] = [];
  /** Those of which a run was more than a look. */
  const changed: string[] = [];
  const { incremental, from, to, due } = request;
  const requests = versions.map((live): RunRequest => {
    const isDue = due?.has(live.version) ?? false;
    return { live, view: labelOf(live), incremental, isDue, from, to };
  });
  const outcomes = request.dryRun ? rehearseViews(own, requests) : runViews(own, requests);
  let at = 0;
  for await (const outcome of outcomes) {
    // Outcomes come in the order of the requests.
    const { view, live } = requests[at++] as RunRequest;
    if ('report' in outcome) views.push(outcome.report);
    else failed.push({ view, version: live.version, error: outcome.error });
    if (!('report' in outcome) || outcome.report.state === 'finished') changed.push(live.version);
  }
  if (!request.dryRun) await keepUp(own, changed, before, views);
  return { views, failed };
}

/**
 * On Redis a base is written without a look at its key's hash, where another view's pushed event may wait until it is known:
 * the end that the base gives the hash must not be before that. A day of waiting is within what every lifetime has to spare.
 */
function besideWaiting(lifetimeMs: LifetimeOf, maxAheadMicros: Micros): LifetimeOf {
  const moreMs = Math.max(0, maxAheadMicros - MICROS_PER_DAY) / 1000;
  return (entity) => {
    const own = lifetimeMs(entity);
    return own === undefined ? undefined : own + moreMs;
  };
}

// What it leaves undone the next does: the report matters more.
async function keepUp(
  deps: RunDeps,
  versions: readonly string[],
  before: readonly RunRow[],
  views: readonly MaterializedView[],
): Promise<void> {
  const { store, clock, logger } = deps;
  try {
    for (const version of versions) await forgetRows(deps, version);
    if (views.some(({ state }) => state === 'finished')) await removeExpired(store, before, clock.nowMicros());
  } catch (error) {
    logger.warn(
      { reason: messageOf(error) },
      'what is out of date could not be removed; the next materialize tries again',
    );
  }
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
