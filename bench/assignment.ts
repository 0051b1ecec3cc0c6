// What assigning a row costs: among 50 arms, and with all that may come before; beside the hashes that it can't do without.

import type { Field, Value } from '../src/core/index.ts';
import { type LiveExperiment, moveBuckets } from '../src/registry/index.ts';
import { bucketOfHash, compileRoutes, fnv1a, type Routes } from '../src/rollouts/index.ts';
import { median } from './median.ts';
import type { Figure, Section } from './report.ts';

const COLUMNS: readonly Field[] = [
  { name: 'customer', type: { kind: 'string' } },
  { name: 'amount', type: { kind: 'float64' } },
];
const ARMS = 50;
const MOST_NANOS = 1000;
const SALT = '0011223344556677';

export function assignmentSection(isQuick: boolean): Section {
  const rounds = isQuick ? 3 : 15;
  const rows = Array.from({ length: 4096 }, (_, n): readonly Value[] => [`customer-${n}-of-many`, n]);
  const asked = Array.from({ length: ARMS }, (_, at) => ({ name: `v${at}`, version: at + 1, weight: 100 / ARMS }));
  // As many changes of weights would leave them: of several ranges each.
  let variants = asked.map((one) => ({ ...one, ranges: [] as (readonly [number, number])[] }));
  for (const shift of [0, 1, 0, -1, 0]) {
    const moved = asked.map((one, at) => ({ ...one, weight: one.weight + (at % 2 === 0 ? shift : -shift) }));
    const ranges = moveBuckets(shift === 0 && variants[0]?.ranges.length === 0 ? [] : variants, moved);
    variants = moved.map((one, at) => ({ ...one, ranges: ranges[at] ?? [] }));
  }
  const experiment: LiveExperiment = {
    name: 'exp',
    phase: 1,
    seed: 'exp',
    unit: ['customer'],
    namespace: { seed: 'room', ranges: [[0, 0.5]] },
    when: { amount: { $gte: 0 } },
    arms: asked.map(({ name, version }, at) => ({ name, version, ranges: [[at * 100, at * 100 + 100]] })),
  };
  const traffic = { name: 'checkout', salt: SALT, variants, experiments: [] };
  const split = compileRoutes(traffic, { unit: ['customer'] }, COLUMNS);
  const all = compileRoutes(
    { ...traffic, experiments: [experiment] },
    {
      unit: ['customer'],
      rules: [{ when: { customer: { $in: ['a', 'b', 'c'] } }, variant: 'v0' }],
      holdout: { name: 'held', percent: 5 },
    },
    COLUMNS,
  );
  const seed = fnv1a(SALT);
  const hashes = nanosARow(rows, rounds, (row) => bucketOfHash(fnv1a(row[0] as string, seed)));
  const figureOf = (name: string, routes: Routes, floorHashes: number): Figure => {
    const nanos = nanosARow(rows, rounds, (row) => {
      const unit = routes.unitOf(row, 'request');
      return routes.of(row, 'request', unit, routes.hashOf(unit)).place;
    });
    const floor = floorHashes * hashes;
    return {
      name,
      value: `${nanos.toFixed(0)} ns a row`,
      floor: `${floorHashes} × its hash alone: ${floor.toFixed(0)} ns`,
      ratio: (nanos / floor).toFixed(2),
      mustBe: `≤ ${MOST_NANOS} ns`,
      isReached: nanos <= MOST_NANOS,
    };
  };
  return {
    title: 'Assignment',
    about: `What it costs of the processor’s time to give a row its arm (medians), by a unit of 20 characters: among ${ARMS} variants of several bucket ranges each; and with a rule, a holdout and an experiment of ${ARMS} arms with a namespace and a condition before them. The floor is the hash of a seed and the unit, as often as somebody must be asked.`,
    figures: [figureOf(`${ARMS} variants`, split, 1), figureOf(`rule, holdout, experiment, ${ARMS} variants`, all, 4)],
  };
}

/** Of the processor's time, the median of so many rounds, after one that nobody counts. */
function nanosARow(
  rows: readonly (readonly Value[])[],
  rounds: number,
  assign: (row: readonly Value[]) => number,
): number {
  const measured: number[] = [];
  let sum = 0;
  for (let round = 0; round <= rounds; round++) {
    const before = process.cpuUsage();
    for (let again = 0; again < 50; again++) for (const row of rows) sum += assign(row);
    const { user } = process.cpuUsage(before);
    if (round > 0) measured.push((user * 1000) / (50 * rows.length));
  }
  // What nobody looks at needs not be computed.
  if (Number.isNaN(sum)) throw new Error('an assignment gave no place');
  return median(measured);
}
