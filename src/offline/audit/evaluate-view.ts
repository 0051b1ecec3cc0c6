// A view's features at one time, straight from the definition over plain rows: what the audit holds the replay against.
// It shares nothing with the replay but the order of values and the sum that rounds once.

import { compareValues, exactSum, floorTo, type Micros, type Row, type Value } from '../../core/index.ts';
import type { Aggregation, FeatureSpec, SourceSpec } from '../../definitions/index.ts';
import type { ReadPlan } from '../plan.ts';

/** A row of the view's source with one key: declared and derived columns, and its times. */
export interface Fact {
  readonly row: Row;
  readonly eventMicros: Micros;
  readonly knownMicros: Micros;
  /** The place of a pushed row in the log; −1 for a row of a file. */
  readonly writer: number;
  readonly offset: number;
  /** When a pushed row arrived; −1 for a row of a file. */
  readonly loggedMicros: Micros;
}

/** T as the view is served at T: its own, or the start of the last scheduled run whose results were up. */
export function servedAt({ schedule }: ReadPlan, at: Micros): Micros {
  return schedule === null ? at : floorTo(at - schedule.lagMicros, schedule.everyMicros);
}

/** The earliest event time that any used feature can see at T'; −Infinity when a latest value has no TTL. */
export function earliestSeen({ view, latest, windows }: ReadPlan, at: Micros): Micros {
  const bounds = windows.map((index) => {
    const { windowMicros, hopMicros } = windowOf(view.features[index] as FeatureSpec);
    return floorTo(at - windowMicros, hopMicros);
  });
  if (latest.length > 0) bounds.push(view.ttlMicros === null ? -Infinity : at - view.ttlMicros);
  return Math.min(...bounds);
}

/** The facts that count at T', in their total order. */
export function visibleFacts(read: ReadPlan, source: SourceSpec, facts: readonly Fact[], at: Micros): Fact[] {
  const counts = ({ eventMicros, knownMicros }: Fact) =>
    read.boundary === 'at' ? eventMicros <= at && knownMicros <= at : eventMicros < at && knownMicros < at;
  return facts.filter(counts).sort((a, b) => compareFacts(source, a, b));
}

/** Value of each used feature by its index in the view; `visible` from visibleFacts. */
export function evaluateView(
  read: ReadPlan,
  source: SourceSpec,
  visible: readonly Fact[],
  at: Micros,
): Map<number, Value> {
  const { view } = read;
  const isFact = ({ row }: Fact) => source.tombstone === undefined || row[source.tombstone] !== true;
  const values = new Map<number, Value>();
  const newest = visible.findLast(({ eventMicros }) => view.ttlMicros === null || eventMicros >= at - view.ttlMicros);
  for (const index of read.latest) {
    const column = view.features[index]?.aggregation.column as string;
    values.set(index, newest === undefined || !isFact(newest) ? null : (newest.row[column] ?? null));
  }
  for (const index of read.windows) {
    const window = windowOf(view.features[index] as FeatureSpec);
    const start = floorTo(at - window.windowMicros, window.hopMicros);
    const inside = visible.filter((fact) => fact.eventMicros >= start && isFact(fact));
    values.set(index, evaluateWindow(window, source, inside));
  }
  return values;
}

type Window = Exclude<Aggregation, { op: 'latest' }>;

// Only called with indices of windowed features.
const windowOf = ({ aggregation }: FeatureSpec): Window => aggregation as Window;

function evaluateWindow(window: Window, source: SourceSpec, inside: readonly Fact[]): Value {
  const { op, column } = window;
  if (column === null) return BigInt(inside.length);
  const values = inside.map(({ row }) => row[column] ?? null).filter((value) => value !== null);
  if (op === 'count') return BigInt(values.length);
  if (op === 'countDistinct') {
    const ordered = values.toSorted(compareValues);
    return BigInt(ordered.filter((value, i) => i === 0 || !isSame(ordered[i - 1] as Value, value)).length);
  }
  if (values.length === 0) return null;
  switch (op) {
    case 'min':
      return values.reduce((least, value) => (compareValues(value, least) < 0 ? value : least));
    case 'max':
      return values.reduce((most, value) => (compareValues(value, most) > 0 ? value : most));
    case 'first':
      return values[0] as Value;
    case 'last':
      return values.at(-1) as Value;
    case 'lastN':
      return values.slice(-(window.n ?? 1));
    default:
      return evaluateNumbers(op, isWhole(source, column), values);
  }
}

function evaluateNumbers(
  op: 'sum' | 'mean' | 'variance' | 'stddev',
  isExact: boolean,
  values: readonly Value[],
): Value {
  const numbers = values.map(Number);
  // A sum of integers is exact, whatever their size.
  const whole = isExact ? values.reduce<bigint>((sum, value) => sum + BigInt(value as number | bigint), 0n) : undefined;
  if (op === 'sum') return whole ?? exactSum(numbers);
  const mean = meanOf(numbers, whole);
  if (op === 'mean') return mean;
  if (numbers.length < 2) return null;
  const variance = squaredDistances(numbers, mean) / (numbers.length - 1);
  return op === 'variance' ? variance : Math.sqrt(variance);
}

// A sum can be past the greatest double where the mean is not.
function meanOf(numbers: readonly number[], whole: bigint | undefined): number {
  const mean = (whole === undefined ? exactSum(numbers) : Number(whole)) / numbers.length;
  return Number.isFinite(mean) ? mean : exactSum(numbers.map((value) => value / numbers.length));
}

// In two passes, less what the mean's own rounding adds (Chan, Golub and LeVeque 1983, "Algorithms for Computing the
// Sample Variance"): far from zero that is more than the spread.
function squaredDistances(numbers: readonly number[], mean: number): number {
  const distances = numbers.map((value) => value - mean);
  const squares = exactSum(distances.map((distance) => distance ** 2));
  return squares === Infinity ? squares : Math.max(0, squares - exactSum(distances) ** 2 / numbers.length);
}

const isSame = (a: Value, b: Value): boolean => (typeof a === 'number' && a === b) || compareValues(a, b) === 0;

function isWhole(source: SourceSpec, column: string): boolean {
  const kind = [...source.columns, ...source.derive].find(({ name }) => name === column)?.type.kind;
  return kind === 'int32' || kind === 'int64';
}

function compareFacts(source: SourceSpec, a: Fact, b: Fact): number {
  const created = source.createdOrder;
  const [rowA, rowB] = [a.row, b.row];
  return (
    a.eventMicros - b.eventMicros ||
    a.knownMicros - b.knownMicros ||
    (created === undefined ? 0 : compareValues(rowA[created] ?? null, rowB[created] ?? null)) ||
    a.writer - b.writer ||
    a.offset - b.offset ||
    source.columns.reduce((order, { name }) => order || compareValues(rowA[name] ?? null, rowB[name] ?? null), 0)
  );
}
