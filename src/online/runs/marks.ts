// What a node's mark, the number of the last run that it holds whole, lets others decide.

import { coveredCut, type Coverage, isCovered } from './coverage.ts';
import type { WriterState } from './plan-run.ts';

/** The row of the run that a node's mark names. */
type MarkedRow = { readonly coverage: Coverage | null };

/** Whether a writer writes a part again on a new connection to the node: no base that is surely there counts it. */
export function isPastMark(mark: MarkedRow | undefined, writer: number, cut: number): boolean {
  return !mark?.coverage || !isCovered(mark.coverage, writer, cut);
}

/**
 * Whether readers may move to a version: every node's mark is of a run that covers all cuts opened without it.
 * `firstCuts`: each writer's first cut that folds into the version, where it has one. `isLogAlone`: no file holds a fact of
 * it, so that what every cut of a writer folds into needs no run.
 */
export function isComplete(
  marks: readonly (MarkedRow | undefined)[],
  writers: readonly WriterState[],
  firstCuts: ReadonlyMap<number, number>,
  isLogAlone = false,
): boolean {
  if (!isLogAlone && marks.some((mark) => !mark?.coverage)) return false;
  return writers.every(({ number, state, cut }) => {
    if (state === 'forgotten') return true;
    const first = firstCuts.get(number);
    if (first === undefined && state !== 'ended') return false;
    const last = first === undefined ? cut : first - 1;
    if (last === 0 && isLogAlone) return true;
    return marks.every((mark) => mark?.coverage && coveredCut(mark.coverage, number) >= last);
  });
}
