// A model's figures over rows, by slices of them, and beside another model's on the same rows.

import { type BinaryMetrics, binaryMetrics, type CalibrationBin, calibrationBins } from './binary-metrics.ts';
import { type RegressionMetrics, regressionMetrics } from './regression-metrics.ts';

export type Task = 'binary' | 'regression';

export interface ScoredRows {
  readonly task: Task;
  readonly labels: Float64Array;
  readonly scores: Float64Array;
  /** Of the model that it is compared with; left out where there is none. */
  readonly against?: Float64Array;
  /** By column, each row's value as a text; null is a value, too. */
  readonly slices: Readonly<Record<string, readonly (string | null)[]>>;
}

/** By metric; null where it is not defined. */
export type Metrics = Readonly<Record<string, number | null>>;

export interface Compared {
  readonly metrics: Metrics;
  /** The model's own less the other's; null where either is. */
  readonly differences: Metrics;
  /** Whether the model is strictly better by a metric; of one that is null nothing is. */
  readonly better: Readonly<Record<string, boolean>>;
}

export interface Slice {
  /** Null: rows without a value, or with `isOther` those of all further values. */
  readonly value: string | null;
  readonly isOther?: true;
  readonly rows: number;
  readonly metrics: Metrics;
  readonly against?: Compared;
}

export interface Evaluated {
  readonly task: Task;
  readonly rows: number;
  readonly metrics: Metrics;
  readonly calibration?: readonly CalibrationBin[];
  /** By column, its largest 50 values in the order of their rows, then those of the rest together. */
  readonly slices: Readonly<Record<string, readonly Slice[]>>;
  readonly against?: Compared;
}

/** Metrics of which less is better. */
const LOSSES: ReadonlySet<string> = new Set(['log_loss', 'brier', 'mae', 'rmse']);
/** Metrics of the rows, not of the model. */
const FACTS: ReadonlySet<string> = new Set(['positive_rate']);
const MOST_VALUES = 50;

/** What one word says which model is better by. */
export const PRIMARY: Readonly<Record<Task, string>> = { binary: 'auc', regression: 'rmse' };

export function evaluateRows(given: ScoredRows): Evaluated {
  const { task, labels, scores } = given;
  const slices = Object.entries(given.slices).map(([column, values]) => [column, sliceRows(given, values)] as const);
  return {
    task,
    rows: labels.length,
    ...figures(given),
    ...(task === 'binary' ? { calibration: calibrationBins({ scores, labels }) } : {}),
    slices: Object.fromEntries(slices),
  };
}

function figures({ task, labels, scores, against }: Omit<ScoredRows, 'slices'>): {
  readonly metrics: Metrics;
  readonly against?: Compared;
} {
  const metrics = metricsOf(task, scores, labels);
  if (against === undefined) return { metrics };
  return { metrics, against: compare(metrics, metricsOf(task, against, labels)) };
}

function metricsOf(task: Task, scores: Float64Array, labels: Float64Array): Metrics {
  const made: BinaryMetrics | RegressionMetrics =
    task === 'binary' ? binaryMetrics({ scores, labels }) : regressionMetrics({ scores, labels });
  return { ...made };
}

function compare(own: Metrics, other: Metrics): Compared {
  const names = Object.keys(own).filter((name) => !FACTS.has(name));
  const differenceOf = (name: string): number | null => {
    const [a, b] = [own[name] ?? null, other[name] ?? null];
    return a === null || b === null ? null : a - b;
  };
  const differences = Object.fromEntries(names.map((name) => [name, differenceOf(name)]));
  const isBetter = (name: string): boolean => {
    const difference = differences[name] ?? null;
    return difference !== null && (LOSSES.has(name) ? difference < 0 : difference > 0);
  };
  return { metrics: other, differences, better: Object.fromEntries(names.map((name) => [name, isBetter(name)])) };
}

function sliceRows(given: ScoredRows, values: readonly (string | null)[]): readonly Slice[] {
  const byValue = new Map<string | null, number[]>();
  values.forEach((value, row) => {
    const rows = byValue.get(value);
    if (rows === undefined) byValue.set(value, [row]);
    else rows.push(row);
  });
  const ordered = [...byValue].toSorted(
    ([a, one], [b, other]) => other.length - one.length || compareTexts(a ?? '', b ?? ''),
  );
  const shown = ordered.slice(0, MOST_VALUES).map(([value, rows]): Slice => sliceOf(given, { value, rows }));
  const rest = ordered.slice(MOST_VALUES).flatMap(([, rows]) => rows);
  if (rest.length === 0) return shown;
  return [...shown, { ...sliceOf(given, { value: null, rows: rest }), isOther: true }];
}

function sliceOf(
  given: ScoredRows,
  { value, rows }: { readonly value: string | null; readonly rows: readonly number[] },
): Slice {
  const pick = (from: Float64Array): Float64Array => Float64Array.from(rows, (row) => Number(from[row]));
  const { task, labels, scores, against } = given;
  const own = { task, labels: pick(labels), scores: pick(scores) };
  return { value, rows: rows.length, ...figures(against === undefined ? own : { ...own, against: pick(against) }) };
}

/** By code units: the same on every machine. */
function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
