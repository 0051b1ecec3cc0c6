// Days that differ a little by themselves, without a change and with one: how often a window is called strange, at a
// thousand rows and at a million.

import { daysOwnVariation, drawNormal, holm, normalCdf, normalQuantile, psiTest } from '../../src/statistics/index.ts';
import { drawMultinomial } from './draw-counts.ts';
import { seeded } from './random.ts';
import { atLeast, atMost, percent, shown, type Line, type Simulation } from './simulation.ts';

const ALPHA = 0.01;
const CLOSES_AT = 0.1;
const OPENS_AFTER = 2;
const CLOSES_AFTER = 3;
const FEATURES = 20;
const TRAINING_DAYS = 30;
const DAYS = 100;
const BINS = 10;
const ROWS = [1_000, 1_000_000] as const;
/** How far a day's mean lies from the others', in a feature's standard deviations. */
const VARYING = [0, 0.05, 0.1, 0.2] as const;
const SHIFT = 0.5;

const EDGES = Array.from({ length: BINS - 1 }, (_, i) => normalQuantile((i + 1) / BINS));

export const simulateDrift: Simulation = ({ isQuick }) => {
  const sets = isQuick ? 3 : 60;
  const lines: Line[] = [];
  for (const varying of VARYING) {
    for (const rows of ROWS) lines.push(...unchanged(varying, rows, sets, isQuick));
  }
  for (const varying of [0.1, 0.2]) lines.push(...afterAYear(varying, 1_000_000, isQuick ? 1 : 60));
  for (const varying of [0, 0.05]) {
    for (const rows of ROWS) lines.push(shifted(varying, rows, isQuick ? 60 : 500, isQuick));
  }
  return {
    title: 'drift: days that differ by themselves',
    about: `${sets} times ${DAYS} days of ${FEATURES} features in ${BINS} bins, after ${TRAINING_DAYS} training days; a day’s mean lies about the others’ with the given standard deviation; Holm over features at ${percent(ALPHA)}`,
    lines,
  };
};

interface Feature {
  readonly ref: readonly number[];
  readonly mu: number;
  readonly sigma: number;
}

function train(random: () => number, varying: number, rows: number, trainingDays = TRAINING_DAYS): Feature {
  const days = Array.from({ length: trainingDays }, () => drawDay(random, varying, rows, 0));
  const ref = Array.from({ length: BINS }, (_, i) => days.reduce((sum, day) => sum + (day[i] as number), 0));
  return { ref, ...daysOwnVariation(days) };
}

function drawDay(random: () => number, varying: number, rows: number, shift: number): number[] {
  const mean = shift + varying * drawNormal(random);
  const below = [0, ...EDGES.map((edge) => normalCdf(edge - mean)), 1];
  return drawMultinomial(
    random,
    rows,
    Array.from({ length: BINS }, (_, i) => (below[i + 1] as number) - (below[i] as number)),
  );
}

/** What 100 days without a change bring, all sets together. */
interface Told {
  /** Features' windows, and days with any, at alpha. */
  readonly strange: number;
  readonly strangeDays: number;
  readonly alerts: number;
}

function unchanged(varying: number, rows: number, sets: number, isQuick: boolean): Line[] {
  const { strange, strangeDays, alerts } = watch(varying, rows, sets, TRAINING_DAYS);
  return [
    atMost(
      `${named(varying, rows)}: alerts opened (two windows running), a day of all features`,
      alerts,
      sets * DAYS,
      ALPHA,
      isQuick,
    ),
    shown(`  single windows: features with p ≤ ${ALPHA}`, percent(strange / (sets * DAYS * FEATURES))),
    shown(`  single windows: days with any feature at ${ALPHA} by Holm`, percent(strangeDays / (sets * DAYS))),
  ];
}

function afterAYear(varying: number, rows: number, sets: number): Line[] {
  const { strange, strangeDays } = watch(varying, rows, sets, 365);
  const what = `${named(varying, rows)}, 365 training days: single windows`;
  return [
    shown(`${what}: features with p ≤ ${ALPHA}`, percent(strange / (sets * DAYS * FEATURES))),
    shown(`${what}: days with any feature at ${ALPHA} by Holm`, percent(strangeDays / (sets * DAYS))),
  ];
}

function named(varying: number, rows: number): string {
  return `days vary by ${varying}, ${rows.toLocaleString('en')} rows`;
}

function watch(varying: number, rows: number, sets: number, trainingDays: number): Told {
  const told = { strange: 0, strangeDays: 0, alerts: 0 };
  for (let set = 0; set < sets; set++) {
    const random = seeded(1 + set + 1000 * rows + varying * 7919);
    const features = Array.from({ length: FEATURES }, () => train(random, varying, rows, trainingDays));
    const alerts = features.map(() => createAlert());
    for (let day = 0; day < DAYS; day++) {
      const ps = features.map((feature) => psiTest({ ...feature, cur: drawDay(random, varying, rows, 0) }).p);
      told.strange += ps.filter((p) => p <= ALPHA).length;
      const adjusted = holm(ps);
      if (adjusted.some((p) => p <= ALPHA)) told.strangeDays++;
      told.alerts += adjusted.filter((p, i) => alerts[i]?.opens(p)).length;
    }
  }
  return told;
}

/** Opens after two windows running at alpha, closes after three past .1. */
function createAlert() {
  let strange = 0;
  let calm = 0;
  let isOpen = false;
  return {
    opens(p: number): boolean {
      strange = p <= ALPHA ? strange + 1 : 0;
      calm = p > CLOSES_AT ? calm + 1 : 0;
      if (calm >= CLOSES_AFTER) isOpen = false;
      if (isOpen || strange < OPENS_AFTER) return false;
      isOpen = true;
      return true;
    },
  };
}

function shifted(varying: number, rows: number, runs: number, isQuick: boolean): Line {
  let found = 0;
  for (let run = 0; run < runs; run++) {
    const random = seeded(77_000 + run + 1000 * rows + varying * 7919);
    const feature = train(random, varying, rows);
    // The other features haven't changed: Holm weighs this one's p by all of them.
    const isFound = () => FEATURES * psiTest({ ...feature, cur: drawDay(random, varying, rows, SHIFT) }).p <= ALPHA;
    found += Number(isFound() && isFound());
  }
  const what = `${named(varying, rows)}: half a standard deviation found in two windows`;
  return atLeast(what, found, runs, 0.99, isQuick);
}
