// What a model answers to rows of feature values, each for itself, as an arm asks it.

import type { HeadraceError, Scope, Value } from '../../src/core/index.ts';
import { NodeWork } from '../../src/models/graph/node-work.ts';
import type { NodeTiming, RowModel } from '../../src/models/index.ts';
import { scopeOf } from './model-works.ts';

type Answer = readonly Value[] | HeadraceError;

/** By row: its outputs, or its error. */
export function answersOf(
  model: RowModel,
  rows: readonly (readonly Value[])[],
  scope: Scope = scopeOf(),
  timed?: (run: NodeTiming) => void,
): Promise<readonly Answer[]> {
  return new Promise((resolve) => {
    const told: Answer[] = [];
    const tell = (row: number, answer: Answer): void => void (told[row] = answer);
    const wait = { rows: 0, waitMs: 0, waitedRows: 0 };
    const work = new NodeWork(model, wait, scope, rows, 0, { tell, end: () => resolve(told) });
    model.loaded.submit(Object.assign(work, { timed }));
  });
}
