// What of each source's log may go: by the marks of its views and the rows of their runs, and by age.

import type { Micros } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { coveredCut, isOpened, type OnlineStore, type RunRow, type Runs } from '../../online/index.ts';
import type { SourceLimit } from './plan-removal.ts';

export interface ViewState {
  /** All rows of its version. */
  readonly rows: readonly RunRow[];
  readonly marks: readonly { readonly node: string; readonly run: number | undefined }[];
}

/** By version. */
export async function readViewStates(
  versions: readonly string[],
  store: Pick<OnlineStore, 'marks'>,
  runs: Pick<Runs, 'ofVersion'>,
): Promise<ReadonlyMap<string, ViewState>> {
  const states = new Map<string, ViewState>();
  for (const version of versions) {
    // The marks first: a row that one names is there.
    const marks = await store.marks(version);
    states.set(version, { marks, rows: await runs.ofVersion(version) });
  }
  return states;
}

/**
 * `marginMicros`: how far behind the boundary the files are trusted to hold every event: a row that is dated wrong, or a
 * file that is put right later, moves the boundary back.
 * `oldUpTo`: event times up to it are past `pushLog.retention`; null where that is not set.
 */
export function limitOf(
  { pushes }: Pick<SourceSpec, 'pushes'>,
  views: readonly ViewState[],
  oldUpTo: Micros | null,
  marginMicros: Micros = 0,
): SourceLimit {
  const bound = pushes === 'keep' || views.length === 0 ? null : filedUpTo(views);
  const filed = bound === null ? null : bound - marginMicros;
  return {
    goesUpTo: filed === null ? oldUpTo : Math.max(filed, oldUpTo ?? -Infinity),
    coveredCut: (writer) => Math.min(Infinity, ...views.map((view) => coveredByMarks(view, writer))),
  };
}

function coveredByMarks({ marks, rows }: ViewState, writer: number): number {
  if (marks.length === 0) return 0;
  const cuts = marks.map(({ run }) => {
    const coverage = rows.find(({ number }) => number === run)?.coverage;
    return coverage ? coveredCut(coverage, writer) : 0;
  });
  return Math.min(...cuts);
}

/** Up to it every base there is, or may come to be again, counts the files and not the log; null for none. */
function filedUpTo(views: readonly ViewState[]): Micros | null {
  const bounds = views.map(boundOf);
  return bounds.includes(null) ? null : Math.min(...bounds.map(Number));
}

/**
 * By the lowest mark's row and those of all later runs; and by that of the run that finished before it. A run under a
 * wrong clock may have put its boundary where the files have nothing yet, which the next one heals; and a node that fails
 * over goes back to the mark before.
 */
function boundOf({ marks, rows }: ViewState): Micros | null {
  const lowest = Math.min(...marks.map(({ run }) => run ?? 0));
  const from = rows.findLast(({ number, state }) => number < lowest && state === 'finished');
  const isThere = rows.some((row) => row.number === lowest && isOpened(row));
  if (marks.length === 0 || from === undefined || !isThere) return null;
  const counted = rows.filter((row) => row.number >= from.number && (isOpened(row) || row.state === 'asked'));
  return Math.min(...counted.map((row) => row.boundary ?? row.proposed));
}
