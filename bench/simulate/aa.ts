// A/A: experiments and rollouts without any change, looked at a hundred times. Whatever says otherwise is wrong, and may
// be in at most 5 % of them, over all looks together.

import {
  alwaysValid,
  type ArmEstimate,
  type Comparison,
  createLimitTest,
  cuped,
  drawNormal,
  fixedHorizon,
  meanEstimate,
  quantileEstimate,
  ratioEstimate,
  relativeLift,
  welch,
} from '../../src/statistics/index.ts';
import { seeded } from './random.ts';
import { about, atMost, shown, percent, type Simulation } from './simulation.ts';
import { type MeanLook, tallyEvents, tallyMeans } from './tallies.ts';
import { rampOf, simulateTraffic } from './traffic.ts';
import { createUnitTotals, type UnitTotals } from './unit-totals.ts';

const ALPHA = 0.05;
const LOOKS = 100;
const STEPS = [0.01, 0.05, 0.25, 0.5];
const FAILING = 0.01;

const KINDS = {
  rise: 'events, a rise',
  drop: 'events, a drop',
  limit: 'events against a fixed limit, at the limit',
  mean: 'mean a row, two-sided (ramp)',
  meanRise: 'mean a row, one-sided (ramp)',
  failureShare: 'share of failing rows, two-sided (ramp)',
  ratio: 'ratio of two sums, two-sided (ramp)',
  unitMean: 'experiment: mean a unit',
  unitLift: 'experiment: relative lift of a mean',
  unitRatio: 'experiment: ratio',
  unitCuped: 'experiment: mean a unit, by CUPED',
} as const;
type Kind = keyof typeof KINDS;

export const simulateAa: Simulation = ({ isQuick }) => {
  const runs = isQuick ? 60 : 1000;
  const units = isQuick ? 4000 : 6000;
  const found = new Map<Kind, number>();
  let byRow = 0;
  let tooEarly = 0;
  let quantile = 0;
  for (let run = 0; run < runs; run++) {
    const told = simulateOne(seeded(run + 1), units);
    for (const kind of told.kinds) found.set(kind, (found.get(kind) ?? 0) + 1);
    byRow += Number(told.byRow);
    tooEarly += Number(told.tooEarly);
    quantile += Number(told.quantile);
  }
  // Kinds are typed by their own keys; Object.keys alone forgets that.
  const kinds = Object.keys(KINDS) as Kind[];
  return {
    title: 'A/A: no change at all',
    about: `${runs} experiments of ${units} units and ${LOOKS} looks; a hundredth of the units makes 29 % of the requests, a tenth has 71 % of the failures; rates rise and fall, bursts meet both arms; rollouts go 1, 5, 25, 50 %`,
    lines: [
      ...kinds.map((kind) => atMost(KINDS[kind], found.get(kind) ?? 0, runs, ALPHA, isQuick)),
      about('experiment: 90 % quantile, at one look (fixed horizon only)', quantile, runs, ALPHA),
      shown('for comparison, not used: events counted by row', percent(byRow / runs)),
      shown('for comparison, not used: mean a row from the candidate’s second unit on', percent(tooEarly / runs)),
    ],
  };
};

function simulateOne(random: () => number, units: number) {
  const traffic = simulateTraffic(random, { units, minutes: LOOKS, failing: FAILING });
  const { bucket, group, failing, level, climate, requests, starts } = traffic;
  const ramp = rampOf(STEPS, LOOKS);
  const rise = tallyEvents(units, { thetas: 'rise', alpha: ALPHA });
  const drop = tallyEvents(units, { thetas: 'drop', alpha: ALPHA });
  const rows = tallyEvents(units, { thetas: 'rise', alpha: ALPHA }, true);
  const mean = tallyMeans(group, ALPHA);
  const early = tallyMeans(group, ALPHA, 2);
  const failures = tallyMeans(group, ALPHA);
  const ratio = tallyMeans(group, ALPHA);
  // At the limit in truth, in every minute: without the climate, of which bursts would be breaches.
  const calm = Float64Array.from(failing, (rate) => Math.min(1, rate));
  const limit = createLimitTest({ limit: calm.reduce((sum, rate) => sum + rate, 0) / units, alpha: ALPHA });
  const hadOne = new Uint8Array(units);
  const arms = [createUnitTotals(units), createUnitTotals(units)] as const;
  const earlier = Float64Array.from(level, (value) => value * Math.exp(0.5 * drawNormal(random)));
  const kinds = new Set<Kind>();
  let byRow = false;
  let tooEarly = false;
  for (let m = 0; m < LOOKS; m++) {
    const w = ramp[m] as number;
    mean.weight(w);
    early.weight(w);
    failures.weight(w);
    ratio.weight(w);
    let k = 0;
    let n = 0;
    for (let i = starts[m] as number; i < (starts[m + 1] as number); i++) {
      const unit = requests[i] as number;
      const isCandidate = (bucket[unit] as number) < w;
      const failed = random() < (failing[unit] as number) * (climate[m] as number);
      const value = (level[unit] as number) * (0.5 + random()) * (1 + m / LOOKS);
      const clicks = random() < 0.3 ? 1 : 0;
      if (failed) {
        rise.event(unit, isCandidate);
        drop.event(unit, isCandidate);
        rows.event(unit, isCandidate);
      }
      if (isCandidate) {
        n++;
        if (random() < (calm[unit] as number) && hadOne[unit] === 0) {
          hadOne[unit] = 1;
          k++;
        }
      }
      mean.add(unit, isCandidate, value, 1);
      early.add(unit, isCandidate, value, 1);
      failures.add(unit, isCandidate, Number(failed), 1);
      ratio.add(unit, isCandidate, clicks * value, clicks);
      arms[(bucket[unit] as number) < 0.5 ? 0 : 1].add(unit, value, clicks, earlier[unit] as number);
    }
    limit.add(k, n);
    if (rise.minute(w)) kinds.add('rise');
    if (drop.minute(w)) kinds.add('drop');
    if (limit.breached()) kinds.add('limit');
    byRow ||= rows.minute(w);
    addMean(kinds, mean.look(), 'mean', 'meanRise');
    tooEarly ||= isPast(early.look());
    addMean(kinds, failures.look(), 'failureShare');
    addMean(kinds, ratio.look(), 'ratio');
    if (arms[0].value.n >= 200 && arms[1].value.n >= 200) addExperiment(kinds, arms[0], arms[1]);
  }
  return { kinds, byRow, tooEarly, quantile: quantileDiffers(arms[0], arms[1]) };
}

function addMean(kinds: Set<Kind>, look: MeanLook | undefined, twoSided: Kind, oneSided?: Kind): void {
  if (look === undefined) return;
  if (isPast(look)) kinds.add(twoSided);
  if (oneSided !== undefined && look.difference > look.oneSided) kinds.add(oneSided);
}

function isPast(look: MeanLook | undefined): boolean {
  return look !== undefined && Math.abs(look.difference) > look.twoSided;
}

function addExperiment(kinds: Set<Kind>, a: UnitTotals, b: UnitTotals): void {
  const [control, treatment] = [meanEstimate(a.value), meanEstimate(b.value)];
  if (differs(welch(control, treatment))) kinds.add('unitMean');
  if (differs(relativeLift(control, treatment))) kinds.add('unitLift');
  if (differs(welch(ratioEstimate(a.ratio), ratioEstimate(b.ratio)))) kinds.add('unitRatio');
  // Both arms came in, so both come out.
  const [x, y] = cuped([a.withPast, b.withPast]).arms as [ArmEstimate, ArmEstimate];
  if (differs(welch(x, y))) kinds.add('unitCuped');
}

function differs(comparison: Comparison | undefined): boolean {
  return comparison !== undefined && alwaysValid(comparison, ALPHA).p < ALPHA;
}

function quantileDiffers(a: UnitTotals, b: UnitTotals): boolean {
  const of = ({ values, unitsOfValues }: UnitTotals) => quantileEstimate({ values, units: unitsOfValues }, 0.9);
  return fixedHorizon(welch(of(a), of(b)), ALPHA).p < ALPHA;
}
