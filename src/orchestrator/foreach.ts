// What a `foreach` runs over: how many children, and the item of each, without ever listing a grid whole.

import { HeadraceError } from '../core/index.ts';
import type { Foreach } from '../definitions/index.ts';

/** The number of children. `results` are the results of finished steps, by step. */
export function foreachCount(foreach: Foreach, results: ReadonlyMap<string, unknown>): number {
  switch (foreach.kind) {
    case 'items':
      return foreach.items.length;
    case 'grid':
      return Object.values(foreach.axes).reduce((product, axis) => product * axis.length, 1);
    case 'range':
      return Math.max(0, foreach.end - foreach.start);
    case 'result':
      return arrayResult(foreach.of, results).length;
  }
}

/** The item of one child. In a grid the last axis moves fastest. */
export function foreachItem(foreach: Foreach, index: number, results: ReadonlyMap<string, unknown>): unknown {
  switch (foreach.kind) {
    case 'items':
      return foreach.items[index];
    case 'grid':
      return gridItem(foreach.axes, index);
    case 'range':
      return foreach.start + index;
    case 'result':
      return arrayResult(foreach.of, results)[index];
  }
}

function gridItem(axes: Readonly<Record<string, readonly unknown[]>>, index: number): Record<string, unknown> {
  const item: Record<string, unknown> = {};
  let rest = index;
  for (const [name, values] of Object.entries(axes).reverse()) {
    item[name] = values[rest % values.length];
    rest = Math.floor(rest / values.length);
  }
  // As declared, not as counted.
  return Object.fromEntries(Object.keys(axes).map((name) => [name, item[name]]));
}

function arrayResult(step: string, results: ReadonlyMap<string, unknown>): readonly unknown[] {
  const result = results.get(step);
  if (Array.isArray(result)) return result;
  const sentence = `foreach over the step "${step}" needs an array from it, got ${result === null ? 'null' : typeof result}; let the step give a list of items`;
  throw new HeadraceError('HR_STEP_FAILED', sentence);
}
