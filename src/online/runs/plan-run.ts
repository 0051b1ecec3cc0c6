// What a run decides before its row is open: which cuts its bases count, where its boundary lies, and whether it writes
// every key or those that changed. Pure, so that the model test holds these very lines.

import type { Micros } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { NodeMark } from '../online-store.ts';
import { coveredCut, type Coverage } from './coverage.ts';
import { fileKey, type RunRow, type SnapshotFile } from './run-row.ts';

/** What a plan looks at of a row. */
export type PlannedRow = Pick<RunRow, 'number' | 'state' | 'proposed' | 'boundary' | 'coverage' | 'isFull'> & {
  /** Undefined where its list is not kept. */
  readonly snapshot: readonly SnapshotFile[] | undefined;
};

/** One whose run is open or was. */
type OpenedRow = PlannedRow & { readonly boundary: Micros; readonly coverage: Coverage };

/** Whose files are known. */
interface Listed {
  readonly snapshot: readonly SnapshotFile[];
}

/** A writer as the registry has it. */
export interface WriterState {
  readonly number: number;
  /** `ended`: sealed and shipped whole; `forgotten`: nothing waits for it. */
  readonly state: 'open' | 'ended' | 'forgotten';
  readonly cut: number;
  readonly shipped: number;
}

export interface RunSituation {
  readonly mode: SourceSpec['pushes'];
  /** The run's own. */
  readonly row: PlannedRow & Listed;
  /**
   * Its version's: all that are left, or those from the lowest mark's on where one of them has finished; these cover what
   * the others do. Whether its own is among them makes no difference.
   */
  readonly rows: readonly PlannedRow[];
  /** Every writer there is, read after the row asked. */
  readonly writers: readonly WriterState[];
  /** Writers that shipped the cut that was open when the row asked. */
  readonly answered: ReadonlySet<number>;
  readonly marks: readonly NodeMark[];
  readonly isFullAsked: boolean;
}

/**
 * Where an incremental run finds the keys to write, besides `latest` rows past their TTL: what changed for a base of the
 * run it builds on, or of any opened since.
 */
export interface RunChanges {
  /** That the snapshot of a run since lacked. */
  readonly files: readonly SnapshotFile[];
  /** Covered since: after the one, up to the other (Infinity: to the end). */
  readonly cuts: readonly { readonly writer: number; readonly after: number; readonly upTo: number }[];
  /**
   * The boundary passed over facts with event times after the one, up to the other: those of the whole snapshot and of
   * all covered cuts changed sides. Null when it stayed.
   */
  readonly passed: { readonly after: Micros; readonly upTo: Micros } | null;
}

export interface OpenPlan {
  readonly kind: 'open';
  readonly coverage: Coverage;
  readonly boundary: Micros;
  /** Writers for whom the boundary stays where it was: they may still split their parts without the proposed one. */
  readonly heldBy: readonly number[];
  readonly isFull: boolean;
  /** Completes "full: …" or "incremental: …". */
  readonly why: string;
  /** The run whose marks it builds on; 0 for a full one. */
  readonly since: number;
  /** Null when every key is written. */
  readonly changes: RunChanges | null;
}

export interface StopPlan {
  readonly kind: 'stop';
  readonly why: string;
  readonly heldBy: readonly number[];
}

export function planRun(situation: RunSituation): OpenPlan | StopPlan {
  const coverage = planCoverage(situation);
  const bounds = planBoundary(situation, coverage);
  if (bounds.boundary === undefined) return { kind: 'stop', why: bounds.why, heldBy: bounds.heldBy };
  const { boundary, heldBy } = bounds;
  const { since, why } = findSince(situation, boundary);
  const opening = { kind: 'open', coverage, boundary, heldBy, why } as const;
  if (since === undefined) return { ...opening, isFull: true, since: 0, changes: null };
  const changes = changesSince(since, { snapshot: situation.row.snapshot, coverage, boundary }, situation.writers);
  return { ...opening, isFull: false, since: since[0].number, changes };
}

/**
 * The shipped cuts, at least what each earlier row covers: a base that a later run wrote over must not count more. A
 * forgotten writer's other parts count on in `keep`; in `until-materialized` the files get the same events, so they are
 * covered.
 */
export function planCoverage({ mode, row, rows, writers }: RunSituation): Coverage {
  const earlier = rows.filter(isOpened).filter(({ number }) => number !== row.number);
  const cuts = new Map(
    writers.map(({ number, state, shipped }) => {
      const own = state === 'forgotten' && mode === 'until-materialized' ? Infinity : shipped;
      return [number, earlier.reduce((most, { coverage }) => Math.max(most, coveredCut(coverage, number)), own)];
    }),
  );
  const isWhole = ({ number, state, cut }: WriterState) => state === 'ended' && cutOf(cuts, number) >= cut;
  const floor = writers
    .filter((writer) => writer.state !== 'forgotten' && !isWhole(writer))
    .reduce((least, { number }) => Math.min(least, number), Math.max(0, ...cuts.keys()) + 1);
  const listed = writers.filter(({ number, state }) => state === 'forgotten' || number >= floor);
  return { floor, cuts: new Map(listed.map(({ number }) => [number, cutOf(cuts, number)])) };
}

type Bounds =
  | { readonly boundary: Micros; readonly heldBy: readonly number[] }
  | { readonly boundary: undefined; readonly why: string; readonly heldBy: readonly number[] };

/** The boundary moves, up or down, only when no writer can still split its parts without it. */
export function planBoundary(
  { mode, row, rows, writers, answered }: Pick<RunSituation, 'mode' | 'row' | 'rows' | 'writers' | 'answered'>,
  coverage: Coverage,
): Bounds {
  if (mode === 'keep') return { boundary: -Infinity, heldBy: [] };
  const heldBy = writers
    .filter(({ number, state, cut }) => {
      if (state === 'forgotten' || answered.has(number)) return false;
      return state !== 'ended' || coveredCut(coverage, number) < cut;
    })
    .map(({ number }) => number);
  if (heldBy.length === 0) return { boundary: row.proposed, heldBy };
  const kept = rows
    .filter(isOpened)
    .filter(({ state, number }) => state === 'finished' && number < row.number)
    .reduce<OpenedRow | undefined>((last, next) => (last && last.number > next.number ? last : next), undefined);
  // It would not have moved.
  if (kept?.boundary === row.proposed) return { boundary: row.proposed, heldBy: [] };
  const holders = `${heldBy.length === 1 ? 'writer' : 'writers'} ${heldBy.join(', ')}`;
  if (kept === undefined) {
    return { boundary: undefined, why: `no run has finished yet and ${holders} did not answer`, heldBy };
  }
  if (kept.boundary > row.proposed) {
    const why = `the snapshot ends before the boundary of run ${kept.number}, which ${holders} held by not answering`;
    return { boundary: undefined, why, heldBy };
  }
  return { boundary: kept.boundary, heldBy };
}

/** Opened rows, the lowest mark's first: any of them may have written a base that is still there. */
export type SinceMark = readonly [OpenedRow & Listed, ...(OpenedRow & Listed)[]];

/** The rows that an incremental run builds on: from the lowest mark's on, for a node may lack what later ones wrote. */
export function findSince(
  { row, rows, marks, isFullAsked }: Pick<RunSituation, 'row' | 'rows' | 'marks' | 'isFullAsked'>,
  boundary: Micros,
): { readonly since: SinceMark | undefined; readonly why: string } {
  const full = (why: string) => ({ since: undefined, why });
  if (isFullAsked) return full('asked for');
  const others = rows.filter(isOpened).filter(({ number }) => number !== row.number);
  const bare = marks.find(({ run }) => run === undefined);
  if (bare !== undefined && others.length === 0) return full('its first run');
  if (bare?.lost !== undefined) return full(`node ${bare.node} ${WHY_LOST[bare.lost]}`);
  if (bare !== undefined || marks.length === 0) return full(`node ${bare?.node ?? '(none)'} has no run's mark`);
  const lowest = marks.reduce((least, { run }) => Math.min(least, run ?? 0), Infinity);
  const opened = others.filter(({ number }) => number >= lowest);
  const since = opened.toSorted((a, b) => a.number - b.number);
  if (since[0]?.number !== lowest) return full(`run ${lowest}, which a node's mark names, is forgotten`);
  const unlisted = since.find(({ snapshot }) => snapshot === undefined);
  if (unlisted !== undefined) return full(`which files run ${unlisted.number} read is not kept`);
  // None is without a list, and the first is there.
  const [first, ...later] = since as readonly OpenedRow[] as SinceMark;
  for (const earlier of [first, ...later]) {
    const gone = filesBeyond(earlier.snapshot, row.snapshot)[0];
    if (gone !== undefined) return full(`${gone.path} of run ${earlier.number} is gone or changed`);
    if (boundary < earlier.boundary) return full(`the boundary is before that of run ${earlier.number}`);
  }
  return { since: [first, ...later], why: `since run ${lowest}` };
}

/** Completes "full: node N …". */
const WHY_LOST: Readonly<Record<NonNullable<NodeMark['lost']>, string>> = {
  slots: 'has other slots than at its last run',
  evicted: 'has evicted keys since its last run',
  expired: 'has let records expire early: its clock was ahead',
};

/** Whether a run may write at a node whose mark is this now: a failover may have taken it back behind its start. */
export function mayGoOn({ isFull, since }: Pick<RunRow, 'isFull' | 'since'>, mark: number | undefined): boolean {
  return isFull || (mark !== undefined && mark >= since);
}

/** Rows that no base can name any more: those before the third last finished full run, which wrote every key. */
export function forgettable<R extends Pick<RunRow, 'number' | 'state' | 'isFull'>>(rows: readonly R[]): readonly R[] {
  const full = rows.filter(({ state, isFull }) => isFull && state === 'finished').map(({ number }) => number);
  const third = full.toSorted((a, b) => b - a)[2];
  return third === undefined ? [] : rows.filter(({ number }) => number < third);
}

/**
 * What has changed for a base of any of these rows: one between the mark's and the next may have lacked a file that the
 * mark's had, or have had an earlier boundary than both.
 */
export function changesSince(
  since: readonly (Pick<OpenedRow, 'coverage' | 'boundary'> & Listed)[],
  next: Pick<OpenedRow, 'coverage' | 'boundary'> & Listed,
  writers: readonly WriterState[],
): RunChanges {
  const cuts = writers.map(({ number: writer }) => ({
    writer,
    after: Math.min(...since.map(({ coverage }) => coveredCut(coverage, writer))),
    upTo: coveredCut(next.coverage, writer),
  }));
  const files = new Set(since.flatMap(({ snapshot }) => filesBeyond(next.snapshot, snapshot)));
  const boundaries = [...since.map(({ boundary }) => boundary), next.boundary];
  const passed = { after: Math.min(...boundaries), upTo: Math.max(...boundaries) };
  return {
    files: [...files],
    cuts: cuts.filter(({ after, upTo }) => after < upTo),
    passed: passed.after === passed.upTo ? null : passed,
  };
}

function isOpened(row: PlannedRow): row is OpenedRow {
  return row.boundary !== null && row.coverage !== null;
}

/** Files of one snapshot that another lacks or has in another state. */
function filesBeyond(files: readonly SnapshotFile[], known: readonly SnapshotFile[]): readonly SnapshotFile[] {
  const names = new Set(known.map(fileKey));
  return files.filter((file) => !names.has(fileKey(file)));
}

function cutOf(cuts: ReadonlyMap<number, number>, writer: number): number {
  return cuts.get(writer) ?? 0;
}
