// The naive oracle: what every feature must be, by plain loops over rows in memory, written apart from the product
// (it shares only the core's time and value functions). To be checked by eye against docs/reference/semantics.md.

import { compareValues, floorTo, parseValue, toDate } from '../../src/core/index.ts';
import type { DataType, Field, Micros, Row, Value } from '../../src/core/index.ts';
import type { Aggregation, FeatureSpec, Manifest } from '../../src/definitions/index.ts';
import type { SourceSpec, UserFunction, ViewSpec } from '../../src/definitions/index.ts';

/** Everything the oracle knows: the definitions, and every row of every source, by its declared columns. */
export interface World {
  readonly manifest: Manifest;
  readonly functions?: ReadonlyMap<string, UserFunction>;
  /** By source. */
  readonly rows: Readonly<Record<string, readonly Row[]>>;
  /** Of rows that were pushed: when they arrived, and their place in the log. The others are of files. */
  readonly pushed?: ReadonlyMap<Row, Readonly<Record<'knownMicros' | 'writer' | 'offset', number>>>;
  /** Of rows that were quarantined and put back: since when they count. */
  readonly released?: ReadonlyMap<Row, Micros>;
  /** Stands in for derived columns of kind `sql`, by `source.column`. */
  readonly sql?: Readonly<Record<string, (row: Row) => Value>>;
}

export type WindowAggregation = Exclude<Aggregation, { op: 'latest' }>;

export type Boundary = 'at' | 'before';

/** A row that counts, with its times. */
interface Event {
  readonly row: Row;
  readonly eventMicros: Micros;
  readonly knownMicros: Micros;
  /** Writer and offset; rows of files are before all that was pushed. */
  readonly place: readonly [number, number];
}

/**
 * The values of a view's features, in the view's order, for one key at one time.
 * A null in the key gives all nulls; a key without rows gives 0 for counts and null for the rest.
 */
export function oracleView(
  world: World,
  viewName: string,
  key: readonly Value[],
  at: Micros,
  boundary: Boundary = 'at',
): Value[] {
  const view = world.manifest.views[viewName] as ViewSpec;
  const source = world.manifest.sources[view.source] as SourceSpec;
  if (key.includes(null)) return view.features.map(() => null);
  const time = view.freshness.kind === 'live' ? at : floorTo(at - view.freshness.lagMicros, view.freshness.everyMicros);

  const counted: Event[] = [];
  for (const declared of world.rows[view.source] ?? []) {
    const row = derive(world, source, declared);
    const eventMicros = row[source.eventTime] as Micros | null;
    if (eventMicros === null) continue;
    const pushed = world.pushed?.get(declared);
    const ownKnown =
      pushed === undefined
        ? knownTime(source, row, eventMicros)
        : Math.max(statedKnown(source, row) ?? pushed.knownMicros, eventMicros);
    if (ownKnown === null) continue;
    const knownMicros = Math.max(ownKnown, world.released?.get(declared) ?? -Infinity);
    if (!view.keyColumns.every((column, i) => sameKey(row[column] as Value, key[i] as Value))) continue;
    const isVisible =
      boundary === 'at' ? eventMicros <= time && knownMicros <= time : eventMicros < time && knownMicros < time;
    const place = pushed === undefined ? ([-1, -1] as const) : ([pushed.writer, pushed.offset] as const);
    if (isVisible) counted.push({ row, eventMicros, knownMicros, place });
  }
  counted.sort((a, b) => compareEvents(source, a, b));
  return view.features.map((feature) => featureValue(view, source, feature, counted, time));
}

/** A service's features for one spine row, by full name, in the service's order. */
export function oracleService(
  world: World,
  serviceName: string,
  request: Row,
  at: Micros | null,
  boundary: Boundary = 'at',
): Record<string, Value> {
  const { manifest } = world;
  const service = manifest.services[serviceName];
  if (service === undefined) throw new Error(`no service ${serviceName}`);
  const values: Record<string, Value> = {};
  for (const member of service.members) {
    const all =
      member.kind === 'view'
        ? readView(world, member.view, member.keyColumns, request, at, boundary)
        : runTransform(world, member.view, request, at, boundary);
    for (const name of member.features) values[`${member.role}__${name}`] = all[name] as Value;
  }
  return values;
}

/** A whole training set: the spine's rows in order, each with its features. */
export function oracleTrainingSet(
  world: World,
  serviceName: string,
  spine: readonly Row[],
  timestamp: string,
  boundary: Boundary = 'at',
): Row[] {
  return spine.map((row) => ({
    ...row,
    ...oracleService(world, serviceName, row, row[timestamp] as Micros | null, boundary),
  }));
}

/**
 * Whether two values are the same: exactly, but for float64 results of sums and means, where the order of adding
 * shows in the last digits (relative 1e-9), and −0, which is 0.
 */
export function sameValue(type: DataType, a: Value, b: Value): boolean {
  if (typeof a === 'number' && typeof b === 'number' && (type.kind === 'float64' || type.kind === 'float32')) {
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
    return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));
  }
  return compareValues(a, b) === 0;
}

function featureValue(
  view: ViewSpec,
  source: SourceSpec,
  feature: FeatureSpec,
  counted: readonly Event[],
  at: Micros,
): Value {
  const { aggregation } = feature;
  if (aggregation.op === 'latest') {
    const live = counted.filter((event) => view.ttlMicros === null || event.eventMicros >= at - view.ttlMicros);
    const winner = live.at(-1);
    if (winner === undefined || isDeletion(source, winner.row)) return null;
    return winner.row[aggregation.column] as Value;
  }
  const start = floorTo(at - aggregation.windowMicros, aggregation.hopMicros);
  // A deletion states no fact: windows pass over it, and over nothing else of the key.
  const inWindow = counted.filter((event) => event.eventMicros >= start && !isDeletion(source, event.row));
  const { column } = aggregation;
  if (column === null) return BigInt(inWindow.length);
  const type = columnType(source, column);
  return aggregateNaively(
    aggregation,
    type,
    inWindow.map((event) => event.row[column] as Value).filter((value) => value !== null),
  );
}

/** Over the non-null inputs, oldest first. */
export function aggregateNaively(aggregation: WindowAggregation, type: DataType, values: readonly Value[]): Value {
  const isInteger = type.kind === 'int32' || type.kind === 'int64';
  const sorted = values.toSorted(compareValues);
  switch (aggregation.op) {
    case 'count':
      return BigInt(values.length);
    case 'countDistinct':
      return BigInt(sorted.filter((value, i) => i === 0 || !sameKey(value, sorted[i - 1] as Value)).length);
    case 'min':
      return sorted[0] ?? null;
    case 'max':
      return sorted.at(-1) ?? null;
    case 'first':
      return values[0] ?? null;
    case 'last':
      return values.at(-1) ?? null;
    case 'lastN':
      return values.length === 0 ? null : values.slice(-(aggregation.n as number));
    case 'sum':
      if (values.length === 0) return null;
      return isInteger ? wholeSum(values) : floatSum(values.map(Number));
    case 'mean':
      if (values.length === 0) return null;
      return (isInteger ? Number(total(values)) : floatSum(values.map(Number))) / values.length;
    case 'variance':
      return variance(values.map(Number));
    case 'stddev': {
      const squared = variance(values.map(Number));
      return squared === null ? null : Math.sqrt(squared);
    }
  }
}

function total(values: readonly Value[]): bigint {
  return values.reduce<bigint>((sum, value) => sum + BigInt(value as number | bigint), 0n);
}

function wholeSum(values: readonly Value[]): bigint {
  const sum = total(values);
  if (sum !== BigInt.asIntN(64, sum)) throw new Error('HR_INTEGER_OVERFLOW');
  return sum;
}

function floatSum(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Of the sample, in two passes. */
function variance(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const mean = floatSum(values) / values.length;
  return floatSum(values.map((value) => (value - mean) ** 2)) / (values.length - 1);
}

/** The total order of a key's rows: (event time, known time, created order, place in the log, row content). */
function compareEvents(source: SourceSpec, a: Event, b: Event): number {
  if (a.eventMicros !== b.eventMicros) return a.eventMicros - b.eventMicros;
  if (a.knownMicros !== b.knownMicros) return a.knownMicros - b.knownMicros;
  if (source.createdOrder !== undefined) {
    const order = compareValues(a.row[source.createdOrder] as Value, b.row[source.createdOrder] as Value);
    if (order !== 0) return order;
  }
  const place = a.place[0] - b.place[0] || a.place[1] - b.place[1];
  if (place !== 0) return place;
  for (const { name } of source.columns) {
    const order = compareValues(a.row[name] as Value, b.row[name] as Value);
    if (order !== 0) return order;
  }
  return 0;
}

/** What is known before it happens is known when it happens; a row whose known time is null is not known yet. */
function knownTime(source: SourceSpec, row: Row, eventMicros: Micros): Micros | null {
  if (source.knownTime.kind === 'after') return eventMicros + source.knownTime.micros;
  const known = row[source.knownTime.column] as Micros | null;
  return known === null ? null : Math.max(known, eventMicros);
}

/** Of a pushed row; null where its source has no column for it, or the row leaves it null. */
function statedKnown({ knownTime: known, eventTime }: SourceSpec, row: Row): Micros | null {
  return known.kind === 'column' && known.column !== eventTime ? (row[known.column] as Micros | null) : null;
}

function isDeletion(source: SourceSpec, row: Row): boolean {
  return source.tombstone !== undefined && row[source.tombstone] === true;
}

function sameKey(a: Value, b: Value): boolean {
  if (a === null || b === null) return false;
  if (typeof a === 'number' && a === b) return true;
  return compareValues(a, b) === 0;
}

function columnType(source: SourceSpec, name: string): DataType {
  const found = [...source.columns, ...source.derive].find((column) => column.name === name);
  if (found === undefined) throw new Error(`source ${source.name} has no column ${name}`);
  return found.type;
}

function derive(world: World, source: SourceSpec, declared: Row): Row {
  const row: Record<string, Value> = {};
  for (const { name } of source.columns) row[name] = declared[name] ?? null;
  for (const column of source.derive) {
    if (column.by.kind === 'sql') {
      row[column.name] = world.sql?.[`${source.name}.${column.name}`]?.(row) ?? null;
    } else {
      const fields = source.columns;
      row[column.name] = fromUser(column.type, callUser(world, column.by.function.id, toUserRow(fields, row)));
    }
  }
  return row;
}

function readView(
  world: World,
  viewName: string,
  keyColumns: readonly string[],
  request: Row,
  at: Micros | null,
  boundary: Boundary,
): Record<string, Value> {
  const { entity, features } = world.manifest.views[viewName] as ViewSpec;
  const keys = world.manifest.entities[entity]?.keys ?? [];
  const asked = keyColumns.map((name, i): Field => ({ ...(keys[i] as Field), name }));
  const given = withDefaults(asked, request);
  const key = keyColumns.map((column) => given[column] ?? null);
  const values = at === null ? features.map(() => null) : oracleView(world, viewName, key, at, boundary);
  return Object.fromEntries(features.map((feature, i) => [feature.name, values[i] as Value]));
}

function runTransform(
  world: World,
  viewName: string,
  request: Row,
  at: Micros | null,
  boundary: Boundary,
): Record<string, Value> {
  const view = world.manifest.onDemandViews[viewName];
  if (view === undefined) throw new Error(`no on-demand view ${viewName}`);
  const inputs: Record<string, Record<string, unknown>> = {};
  for (const input of view.inputs) {
    if (input.kind === 'request') {
      inputs[input.name] = toUserRow(input.columns, withDefaults(input.columns, request));
    } else if (input.kind === 'view') {
      const read = readView(world, input.view, input.keyColumns, request, at, boundary);
      inputs[input.name] = toUserRow((world.manifest.views[input.view] as ViewSpec).features, read);
    } else {
      const computed = runTransform(world, input.view, request, at, boundary);
      inputs[input.name] = toUserRow(world.manifest.onDemandViews[input.view]?.features ?? [], computed);
    }
  }
  const result = callUser(world, view.transform.id, inputs) as Record<string, unknown>;
  return Object.fromEntries(view.features.map(({ name, type }) => [name, fromUser(type, result[name])]));
}

/** Of a request: a null is the column's default, where it has one. */
function withDefaults(columns: readonly Field[], request: Row): Row {
  const filled: Record<string, Value> = { ...request };
  for (const { name, type, default: written } of columns)
    if (written !== undefined && (filled[name] ?? null) === null) filled[name] = parseValue(type, written) as Value;
  return filled;
}

function callUser(world: World, id: string, argument: unknown): unknown {
  const called = world.functions?.get(id);
  if (called === undefined) throw new Error(`no function ${id}`);
  // The manifest names a function of one argument here.
  return (called as unknown as (argument: unknown) => unknown)(argument);
}

function toUserRow(fields: readonly Field[], row: Row): Record<string, unknown> {
  return Object.fromEntries(fields.map(({ name, type }) => [name, toUser(type, row[name] ?? null)]));
}

function toUser(type: DataType, value: Value): unknown {
  if (value === null) return null;
  if (type.kind === 'timestamp') return toDate(value as number);
  if (type.kind === 'list') return (value as readonly Value[]).map((item) => toUser(type.of, item));
  return value;
}

function fromUser(type: DataType, value: unknown): Value {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.getTime() * 1000;
  if (type.kind === 'float32') return Math.fround(value as number);
  if (type.kind === 'list') return (value as unknown[]).map((item) => fromUser(type.of, item));
  return value as Value;
}

/** Throws at the first value that is not the oracle's. */
export function expectRows(
  columns: readonly Field[],
  got: readonly Row[],
  expected: readonly Row[],
  what = 'row',
): void {
  if (got.length !== expected.length) throw new Error(`${got.length} rows, expected ${expected.length}`);
  for (const [i, values] of got.entries())
    for (const { name, type } of columns) {
      const [a, b] = [values[name] ?? null, expected[i]?.[name] ?? null];
      if (!sameValue(type, a, b)) throw new Error(`${what} ${i}, ${name}: got ${String(a)}, expected ${String(b)}`);
    }
}
