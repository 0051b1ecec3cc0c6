// What a materialize tells of each view.

import type { Finding } from '../../checks/index.ts';
import { formatTimestamp, type Micros } from '../../core/index.ts';
import type { WriterRow } from '../../events/index.ts';
import { type Coverage, coveredCut, type OpenedRow } from '../../online/index.ts';
import type { Unconverted } from '../facts/unconverted.ts';
import type { PreparedRun } from './prepare-run.ts';

export interface MaterializedView {
  /** The view's name, or the version where it is not the one that is applied. */
  readonly view: string;
  readonly version: string;
  /** Its number; null where there was none. */
  readonly run: number | null;
  readonly state: 'finished' | 'up-to-date' | 'dry-run';
  /** Whether every key was written, and why, or since which run. */
  readonly full: boolean;
  readonly why: string;
  /** RFC 3339: as of when the run is that this one builds on; null is from the beginning. */
  readonly from: string | null;
  readonly to: string;
  /** RFC 3339: event time up to which files count and after which pushes do; null where both count whole. */
  readonly boundary: string | null;
  /** Of each writer of the event log, the last cut that is counted; null counts all of it. */
  readonly coverage: readonly { readonly writer: number; readonly cut: number | null }[];
  /** Writers for whom the boundary stays where it was. */
  readonly heldBy: readonly { readonly writer: number; readonly machine: string }[];
  readonly keys: number;
  /** Bases written, empty ones of keys whose facts are gone among them. */
  readonly written: number;
  readonly rowsInRange: number;
  /** Rows with a null key, event time or known time. */
  readonly rowsIgnored: number;
  /** Of the log's rows among them: by column, values that are null for the type that it has by now. */
  readonly unconverted: Unconverted;
  /** What was expected of the source and the view, and what came of it; empty where nothing was looked at. */
  readonly checks: readonly Finding[];
}

/** A view that could not be materialized. */
export interface FailedView {
  readonly view: string;
  readonly version: string;
  readonly error: unknown;
}

const NO_COUNTS = { keys: 0, written: 0, rowsInRange: 0, rowsIgnored: 0, unconverted: {} };

export function reportOf(
  view: string,
  state: MaterializedView['state'],
  asOf: Micros,
  { plan, earlier, heldBy, writers, touched, scope, findings }: PreparedRun,
): MaterializedView {
  const since = earlier.find(({ number }) => number === plan.since);
  return {
    view,
    version: scope.codec.version,
    run: null,
    state,
    full: plan.isFull,
    why: plan.why,
    from: since === undefined ? null : formatTimestamp(since.asOf),
    to: formatTimestamp(asOf),
    boundary: finiteTime(plan.boundary),
    coverage: coverageOf(plan.coverage, writers),
    heldBy: heldBy.map(({ number, machine }) => ({ writer: number, machine })),
    ...NO_COUNTS,
    checks: findings,
    ...(state === 'dry-run' && {
      rowsInRange: touched.rowsInRange,
      rowsIgnored: touched.rowsIgnored,
      unconverted: touched.unconverted,
    }),
  };
}

/** Nothing to do since a run, found without a plan. */
export function standingReport(
  view: string,
  asOf: Micros,
  row: OpenedRow,
  writers: readonly WriterRow[],
  checks: readonly Finding[],
): MaterializedView {
  return {
    view,
    version: row.version,
    run: null,
    state: 'up-to-date',
    full: false,
    why: `since run ${row.number}`,
    from: formatTimestamp(row.asOf),
    to: formatTimestamp(asOf),
    boundary: finiteTime(row.boundary),
    coverage: coverageOf(row.coverage, writers),
    heldBy: [],
    ...NO_COUNTS,
    checks,
  };
}

const finiteTime = (micros: Micros): string | null => (Number.isFinite(micros) ? formatTimestamp(micros) : null);

function coverageOf(coverage: Coverage, writers: readonly WriterRow[]): MaterializedView['coverage'] {
  return writers.map(({ number }) => {
    const cut = coveredCut(coverage, number);
    return { writer: number, cut: Number.isFinite(cut) ? cut : null };
  });
}
