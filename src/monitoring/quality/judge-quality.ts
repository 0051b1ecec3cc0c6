// Whether a day's predictions were worse than they were said to be: against the figure that the version was registered with,
// else against its own days before.

import { type Figures, IS_GREATER_BETTER, MAIN_FIGURE, type Task } from './figures.ts';
import type { QualityDay } from './quality-store.ts';

export interface JudgedDay {
  readonly day: number;
  readonly figure: keyof Figures;
  readonly value: number;
  readonly expected: number;
  readonly against: 'registered' | 'history';
  /** How many standard errors worse; below 0 it is better. */
  readonly z: number;
  readonly verdict: 'firing' | 'between' | 'ok';
  readonly labelled: number;
  readonly coverage: number;
}

export const FIRES_AT = 3;
export const CLOSES_AT = 2;
const LEAST_LABELLED = 300;
/** Days that a history takes at least and at most. */
const LEAST_DAYS = 7;
const MOST_DAYS = 28;
/** Early labels may be of one kind: a day counts once it has nearly as many as days had before. */
const COVERED = 0.8;
/** What a registered figure may be off by without anybody's fault, as a share of it. */
const LEAST_SPREAD = 0.02;

/** `days` of one arm, the oldest first, all of them over; `metrics` as the version was registered with. */
export function judgeDays(
  days: readonly QualityDay[],
  task: Task,
  metrics: Readonly<Record<string, number>>,
): JudgedDay[] {
  const { figure, registered } = watchedFigure(task, metrics);
  const judged: JudgedDay[] = [];
  const before: number[] = [];
  let covered = 0;
  for (const one of days) {
    const value = one.figures[figure];
    const coverage = one.rows === 0 ? 0 : one.labelled / one.rows;
    if (one.labelled < LEAST_LABELLED || value === undefined || value === null || coverage < COVERED * covered)
      continue;
    covered = Math.max(covered, coverage);
    const history = before.slice(-MOST_DAYS);
    const mean = history.reduce((sum, each) => sum + each, 0) / history.length;
    const expected = registered ?? (history.length >= LEAST_DAYS ? mean : undefined);
    if (expected === undefined) {
      before.push(value);
      continue;
    }
    const spread = history.length >= LEAST_DAYS ? deviation(history, mean) : 0;
    const error = Math.hypot(one.errors[figure] ?? 0, Math.max(spread, LEAST_SPREAD * Math.abs(expected)));
    const worse = IS_GREATER_BETTER[figure] ? expected - value : value - expected;
    const z = error === 0 ? 0 : worse / error;
    const verdict = z > FIRES_AT ? 'firing' : z > CLOSES_AT ? 'between' : 'ok';
    // A bad day would widen the spread so far that the next one like it passes.
    if (verdict !== 'firing') before.push(value);
    const against = registered === undefined ? 'history' : 'registered';
    judged.push({ day: one.day, figure, value, expected, against, z, verdict, labelled: one.labelled, coverage });
  }
  return judged;
}

/** Names such as `auc`, `test_auc`, `valid.log_loss`, `logLoss`. */
function watchedFigure(task: Task, metrics: Readonly<Record<string, number>>) {
  const order: Readonly<Record<Task, readonly (keyof Figures)[]>> = {
    chance: ['auc', 'log_loss', 'brier', 'accuracy'],
    number: ['mae', 'rmse'],
    label: ['accuracy'],
  };
  for (const figure of order[task]) {
    for (const [name, value] of Object.entries(metrics)) {
      const plain = name.toLowerCase().replaceAll(/[^a-z]/g, '');
      if (/train/.test(plain) || !Number.isFinite(value)) continue;
      if (plain.endsWith(figure.replace('_', ''))) return { figure, registered: value };
    }
  }
  return { figure: MAIN_FIGURE[task], registered: undefined };
}

function deviation(values: readonly number[], mean: number): number {
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1));
}
