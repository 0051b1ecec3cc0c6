// Materialize: brings the online store's bases up to the facts, whole key by whole key. Which facts a base counts is
// said by its run's row: a snapshot of the files, a boundary, and positions in the writers' logs.

import { formatTimestamp, HeadraceError, messageOf, type Micros } from '../../core/index.ts';
import { createViewCodec, lifetimesOf, type OnlineStore, openRowSchemas, openRuns } from '../../online/index.ts';
import { keptVersions } from '../kept-versions.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { chooseVersions, labelsIn } from './choose-versions.ts';
import type { MaterializedView } from './report.ts';
import { rehearseViews, runViews } from './run-views.ts';
import { forgetRows, removeExpired } from './upkeep.ts';
import type { RunDeps } from './view-run.ts';

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

export interface MaterializeDeps extends OfflineDeps {
  readonly store: OnlineStore;
  /** How long a run waits for the writers' answers; 3 s when left out. */
  readonly askTimeoutMs?: number;
  /** Waits before a node whose connection was lost is written again, one a try. */
  readonly retryMs?: readonly number[];
}

const ASK_TIMEOUT_MS = 3000;
const RETRY_MS: readonly number[] = [250, 500, 1000, 2000, 4000];

/**
 * Errors: HR_UNKNOWN_VIEW, HR_MATERIALIZE_RANGE, HR_MATERIALIZE_BUSY, HR_BOUNDARY_HELD, HR_SOURCE_UNREADABLE, HR_SOURCE_CHANGED,
 * HR_TRANSFORM_FAILED, HR_LOG_DAMAGED, HR_STORAGE_FULL, HR_STORAGE_UNAVAILABLE, HR_ONLINE_UNAVAILABLE. Views finished
 * before an error stay finished; one that was not is repaired by its next run.
 */
export async function materialize(deps: MaterializeDeps, request: MaterializeRequest): Promise<MaterializeReport> {
  const versions = chooseVersions(deps, request.views);
  checkRange(request, deps.clock.nowMicros());
  const runs = await openRuns(deps.database);
  const own: RunDeps = {
    ...deps,
    runs,
    schemas: await openRowSchemas(deps.database),
    lifetimeMs: lifetimesOf(
      keptVersions(deps).map(({ definitions, view }) => createViewCodec(definitions.manifest, view)),
    ),
    askTimeoutMs: deps.askTimeoutMs ?? ASK_TIMEOUT_MS,
    retryMs: deps.retryMs ?? RETRY_MS,
  };
  const before = await runs.lastFinished();
  const views: MaterializedView[] = [];
  const failures: unknown[] = [];
  const { incremental, from, to, due } = request;
  const label = labelsIn(deps);
  const requests = versions.map((live) => {
    const isDue = due?.has(live.version) ?? false;
    return { live, view: label(live), incremental, isDue, from, to };
  });
  const outcomes = request.dryRun ? rehearseViews(own, requests) : runViews(own, requests);
  let at = 0;
  for await (const outcome of outcomes) {
    const view = requests[at++]?.view;
    if ('report' in outcome) {
      views.push(outcome.report);
      continue;
    }
    // What is wrong with one view's source must not keep the others from being fresh.
    failures.push(outcome.error);
    if (versions.length > 1) {
      const what = 'a view could not be materialized; the others are tried all the same';
      deps.logger.error({ view, reason: messageOf(outcome.error) }, what);
    }
  }
  if (!request.dryRun) {
    for (const { version } of versions) await forgetRows(runs, version);
    if (views.some(({ state }) => state === 'finished')) {
      await removeExpired(deps.store, before, deps.clock.nowMicros());
    }
  }
  if (failures.length > 0) throw failures[0];
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
