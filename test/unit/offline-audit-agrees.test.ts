// Which values an audit takes for the same: computed floats up to their last digits, values that were taken as they came exactly.

import { expect, it } from 'vitest';
import { agrees } from '../../src/offline/audit/agrees.ts';
import { sameValue } from '../../src/offline/audit/same-value.ts';
import type { Value } from '../../src/core/index.ts';
import { planTrainingSet } from '../../src/offline/plan.ts';
import { fields, latest, TYPES, windowed } from '../support/offline-world.ts';
import { oneView } from '../support/one-view.ts';

const { string, timestamp, float64 } = TYPES;
const columns = fields({ key: string, at: timestamp, v: float64 });
const features = [
  latest('latest', float64, 'v'),
  ...(['min', 'last', 'sum', 'mean'] as const).map((op) => windowed(op, float64, op, 'v', 1000, 10)),
];
const plan = planTrainingSet(oneView('events.parquet', columns, { features }), {
  service: 's',
  timestamp: 't',
  labels: [],
  boundary: 'at',
});

function isSame(name: string, got: number, wanted: number): boolean {
  const feature = plan.features.find((one) => one.name === `v__${name}`);
  if (feature === undefined) throw new Error(`no feature ${name}`);
  return agrees(plan, feature, got, wanted);
}

it.each(['latest', 'min', 'last'])('%s is the same number, however small', (op) => {
  expect(isSame(op, 2.5e-10, 2.5e-10)).toBe(true);
  expect(isSame(op, 2.5e-10, 0)).toBe(false);
  expect(isSame(op, 1e6 + 1e-6, 1e6)).toBe(false);
  expect([isSame(op, -0, 0), isSame(op, Number.NaN, Number.NaN), isSame(op, Number.NaN, 0)]).toEqual([
    true,
    true,
    false,
  ]);
});

it.each(['sum', 'mean'])('%s may differ by the order of adding', (op) => {
  expect(isSame(op, 0.1 + 0.2, 0.3)).toBe(true);
  expect(isSame(op, 1e6 + 1e-6, 1e6)).toBe(true);
  expect(isSame(op, 1 + 1e-6, 1)).toBe(false);
});

const f32 = (...items: number[]) => Float32Array.from(items);

it.each<readonly [Value, Value]>([
  [-0, 0],
  [Number.NaN, Number.NaN],
  [
    [1, -0, null],
    [1, 0, null],
  ],
  [[[-0]], [[0]]],
  [f32(-0, 1), f32(0, 1)],
  [null, null],
  ['a', 'a'],
  [Uint8Array.of(1), Uint8Array.of(1)],
  [3n, 3n],
])('%o and %o are the same value', (a, b) => {
  expect([sameValue(a, b), sameValue(b, a)]).toEqual([true, true]);
});

it.each<readonly [Value, Value]>([
  [0, null],
  [0, 5e-324],
  [Number.NaN, 0],
  [[0, 1], [0]],
  [[0], [null]],
  [f32(0, 1), f32(0, 2)],
  ['a', 'b'],
  [Uint8Array.of(1), Uint8Array.of(2)],
  [3n, 4n],
])('%o and %o are two values', (a, b) => {
  expect([sameValue(a, b), sameValue(b, a)]).toEqual([false, false]);
});
