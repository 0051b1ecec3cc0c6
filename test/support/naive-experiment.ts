// An experiment analysed as one would by hand: raw rows, unit by unit, two passes over plain arrays. Nothing is shared with the
// code that it checks but the shapes of rows.

import type { AnalysedExperiment } from '../../src/rollouts/index.ts';
import type { MetricPartSpec, MetricSpec } from '../../src/definitions/index.ts';
import { quantileEstimate } from '../../src/statistics/index.ts';
import { type ExperimentRows, type LoggedRow } from './experiment-rows.ts';

type Unit = Readonly<Record<'unit' | 'arm', string> & Record<'first' | 'until', number>>;
/** `at`, `madeAt`: when it was true, and when the prediction was made that it is of. */
type Value = Readonly<Record<'at' | 'madeAt', number>> & { readonly unit: string; readonly value: unknown };
type NaiveArm = Readonly<Record<'units' | 'value' | 'se', number>>;

interface NaiveMetric {
  readonly arms: Readonly<Record<string, NaiveArm>>;
  /** Of the arm after the control. */
  readonly cuped: Readonly<Record<'estimate' | 'se', number>> | undefined;
}

export function naiveUnits(
  { rows }: ExperimentRows,
  { phases }: AnalysedExperiment,
): { units: Unit[]; twoArms: number } {
  const units: Unit[] = [];
  let twoArms = 0;
  for (const { phase, endedMicros } of phases) {
    const own = rows.filter((row) => row.via === 'experiment' && row.phase === phase);
    for (const unit of new Set(own.map((row) => row.unit))) {
      const seen = own.filter((row) => row.unit === unit);
      const arms = new Set(seen.map(({ arm }) => arm));
      if (arms.size > 1) twoArms++;
      else {
        const first = Math.min(...seen.map(({ atMicros }) => atMicros));
        units.push({ unit, arm: (seen[0] as LoggedRow).arm, first, until: endedMicros ?? Infinity });
      }
    }
  }
  return { units, twoArms };
}

export function naiveMetric(given: ExperimentRows, experiment: AnalysedExperiment, metric: MetricSpec): NaiveMetric {
  const { units } = naiveUnits(given, experiment);
  const names = [experiment.control, 'treatment'];
  if (metric.quantile !== undefined) return { arms: quantiles(given, units, names, metric), cuped: undefined };
  const [first, second] = metric.parts as [MetricPartSpec, MetricPartSpec | undefined];
  const y = units.map((unit) => numberOf(given, units, unit, first, 'after'));
  const x = units.map((unit) => {
    if (second !== undefined) return numberOf(given, units, unit, second, 'after');
    return metric.prePeriod === undefined ? 0 : (numberOf(given, units, unit, metric.prePeriod, 'before') ?? 0);
  });
  const all = units
    .map((unit, i) => ({ arm: unit.arm, y: y[i] as number | undefined, x: x[i] as number | undefined }))
    .filter((one): one is { arm: string; y: number; x: number } => one.y !== undefined && one.x !== undefined);
  cut(all, metric, second !== undefined);
  const of = (arm: string) => all.filter((one) => one.arm === arm);
  const estimate = (arm: string): NaiveArm => {
    const own = of(arm);
    if (second === undefined) {
      const ys = own.map((one) => one.y);
      return { units: own.length, value: mean(ys), se: Math.sqrt(variance(ys) / own.length) };
    }
    // Linearised: what each unit adds to the ratio.
    const ratio = sum(own.map((one) => one.y)) / sum(own.map((one) => one.x));
    const parts = own.map((one) => (one.y - ratio * one.x) / mean(own.map(({ x: d }) => d)));
    return { units: own.length, value: ratio, se: Math.sqrt(variance(parts) / own.length) };
  };
  const arms = Object.fromEntries(names.map((name) => [name, estimate(name)]));
  return { arms, cuped: metric.prePeriod === undefined ? undefined : regressed(names.map(of)) };
}

/** θ from residuals within arms; then each unit's value less θ times how far its past is from everyone's. */
function regressed(arms: readonly (readonly { readonly y: number; readonly x: number }[])[]) {
  const inside = arms.flatMap((arm) => {
    const [my, mx] = [mean(arm.map(({ y }) => y)), mean(arm.map(({ x }) => x))];
    return arm.map(({ y, x }) => ({ y: y - my, x: x - mx }));
  });
  const xx = sum(inside.map(({ x }) => x * x));
  const theta = xx === 0 ? 0 : sum(inside.map(({ x, y }) => x * y)) / xx;
  const center = mean(arms.flat().map(({ x }) => x));
  const adjusted = arms.map((arm) => arm.map(({ y, x }) => y - theta * (x - center)));
  const [control = [], treatment = []] = adjusted;
  return {
    estimate: mean(treatment) - mean(control),
    se: Math.sqrt(variance(control) / control.length + variance(treatment) / treatment.length),
  };
}

function quantiles(given: ExperimentRows, units: readonly Unit[], names: readonly string[], metric: MetricSpec) {
  const part = metric.parts[0] as MetricPartSpec;
  const found = names.map((name) => {
    const values: number[] = [];
    const owners: number[] = [];
    units.forEach((unit, number) => {
      if (unit.arm !== name) return;
      for (const value of valuesOf(given, unit, part, 'after')) {
        if (asNumber(value) === undefined) continue;
        values.push(asNumber(value) as number);
        owners.push(number);
      }
    });
    const { estimate, variance: squared, n } = quantileEstimate({ values, units: owners }, metric.quantile as number);
    return [name, { units: n, value: estimate, se: Math.sqrt(squared) }] as const;
  });
  return Object.fromEntries(found);
}

function cut(all: { y: number; x: number }[], { winsorize }: MetricSpec, isRatio: boolean): void {
  if (winsorize === undefined) return;
  const sorted = all
    .filter(({ x }) => !isRatio || x !== 0)
    .map(({ y }) => y)
    .sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] as number;
  const low = winsorize.lower === undefined ? -Infinity : at(winsorize.lower);
  const high = winsorize.upper === undefined ? Infinity : at(winsorize.upper);
  for (const one of all) one.y = Math.min(high, Math.max(low, one.y));
}

type Span = 'after' | 'before';
function numberOf(given: ExperimentRows, units: readonly Unit[], unit: Unit, part: MetricPartSpec, span: Span) {
  const values = valuesOf(given, unit, part, span);
  const everyone = units.flatMap((one) => valuesOf(given, one, part, span));
  const isBool = everyone.length > 0 && everyone.every((value) => typeof value === 'boolean');
  const numbers = values.map(asNumber).filter((value) => value !== undefined);
  switch (part.aggregate ?? (isBool ? 'any' : 'sum')) {
    case 'count':
      return values.length;
    case 'any':
      return numbers.some((value) => value !== 0) ? 1 : 0;
    case 'mean':
      return numbers.length === 0 ? undefined : mean(numbers);
    case 'sum':
      return sum(numbers);
  }
}

function asNumber(value: unknown): number | undefined {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'number' ? value : undefined;
}

function valuesOf(given: ExperimentRows, unit: Unit, part: MetricPartSpec, span: string) {
  const { values, windowMicros = Infinity } = part;
  let all: Value[];
  if (values.kind === 'sql')
    all = (given.sql ?? []).map(({ unit: own, atMicros: at, value }) => ({ unit: own, at, madeAt: at, value }));
  else
    all = given.rows
      .filter((row) => row.endpoint === values.endpoint && row.via !== 'forced')
      .flatMap((row): Value[] => {
        const made = { unit: row.unit, madeAt: row.atMicros };
        if (values.kind === 'output') return [{ ...made, at: row.atMicros, value: row.outputs[values.output] }];
        const told = given.outcomes.filter(({ id }) => id === row.id);
        const last = told.sort((a, b) => b.recordedMicros - a.recordedMicros)[0];
        return last === undefined ? [] : [{ ...made, at: last.atMicros, value: last.value }];
      });
  return all
    .filter((one) => one.unit === unit.unit && one.value !== null && one.value !== undefined)
    .filter(({ at, madeAt }) =>
      span === 'after'
        ? madeAt >= unit.first && madeAt < unit.until && at < unit.first + windowMicros
        : at < unit.first && madeAt >= unit.first - windowMicros,
    )
    .map(({ value }) => value);
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
function variance(values: readonly number[]): number {
  const middle = mean(values);
  return sum(values.map((value) => (value - middle) ** 2)) / (values.length - 1);
}
