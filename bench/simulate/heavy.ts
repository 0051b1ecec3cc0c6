// A/A where a few units have most of the value (revenue): what intervals that take means for normal make of it, as it is
// and winsorised.

import {
  alwaysValid,
  type Comparison,
  drawNormal,
  meanEstimate,
  relativeLift,
  type UnitSums,
  welch,
  winsorise,
  winsorLimits,
} from '../../src/statistics/index.ts';
import { seeded } from './random.ts';
import { atMost, percent, shown, type Simulation } from './simulation.ts';
import { simulateTraffic, type Traffic } from './traffic.ts';

const ALPHA = 0.05;
const LOOKS = 20;
const UNITS = 4000;
const LEAST_UNITS = 200;
/** Of a value's logarithm: a hundredth of the units has about 37 % of all value before their requests count. */
const SPREAD = 2;
const CUT = 0.99;

type Kind = 'difference' | 'lift' | 'cutDifference' | 'cutLift';

export const simulateHeavy: Simulation = ({ isQuick }) => {
  const runs = isQuick ? 30 : 500;
  const found: Record<Kind, number> = { difference: 0, lift: 0, cutDifference: 0, cutLift: 0 };
  for (let run = 0; run < runs; run++) {
    for (const kind of simulateOne(seeded(run + 1))) found[kind]++;
  }
  return {
    title: 'A/A of heavy values',
    about: `${runs} experiments of ${UNITS} units, ${LOOKS} looks; a unit’s value is log-normal (σ = ${SPREAD}) times its requests, of which a hundredth of the units makes 29 %`,
    lines: [
      atMost('mean a unit, always valid', found.difference, runs, ALPHA, isQuick),
      shown('relative lift, always valid: not to be trusted of such values', percent(found.lift / runs)),
      atMost(`mean a unit, winsorised at ${percent(CUT)}`, found.cutDifference, runs, ALPHA, isQuick),
      atMost(`relative lift, winsorised at ${percent(CUT)}`, found.cutLift, runs, ALPHA, isQuick),
    ],
  };
};

function simulateOne(random: () => number): ReadonlySet<Kind> {
  const traffic = simulateTraffic(random, { units: UNITS, minutes: LOOKS, failing: 0 });
  const { requests, starts } = traffic;
  const level = Float64Array.from({ length: UNITS }, () => Math.exp(SPREAD * drawNormal(random)));
  const total = new Float64Array(UNITS);
  const kinds = new Set<Kind>();
  for (let look = 0; look < LOOKS; look++) {
    for (let i = starts[look] as number; i < (starts[look + 1] as number); i++) {
      const unit = requests[i] as number;
      total[unit] = (total[unit] as number) + (level[unit] as number) * (0.5 + random());
    }
    compare(kinds, traffic, total, 'difference', 'lift');
    // A unit that was seen has a value.
    const limits = winsorLimits(
      total.filter((value) => value > 0),
      { upper: CUT },
    );
    const cut = total.map((value) => winsorise(value, limits));
    compare(kinds, traffic, cut, 'cutDifference', 'cutLift');
  }
  return kinds;
}

function compare(kinds: Set<Kind>, { bucket }: Traffic, values: Float64Array, difference: Kind, lift: Kind): void {
  const arms = [
    { n: 0, sum: 0, squares: 0 },
    { n: 0, sum: 0, squares: 0 },
  ] as const satisfies readonly UnitSums[];
  for (const [unit, value] of values.entries()) {
    if (value === 0) continue;
    const arm = arms[(bucket[unit] as number) < 0.5 ? 0 : 1] as { -readonly [name in keyof UnitSums]: number };
    arm.n++;
    arm.sum += value;
    arm.squares += value * value;
  }
  if (arms.some(({ n }) => n < LEAST_UNITS)) return;
  const [control, treatment] = [meanEstimate(arms[0]), meanEstimate(arms[1])];
  if (differs(welch(control, treatment))) kinds.add(difference);
  if (differs(relativeLift(control, treatment))) kinds.add(lift);
}

function differs(comparison: Comparison | undefined): boolean {
  return comparison !== undefined && alwaysValid(comparison, ALPHA).p < ALPHA;
}
