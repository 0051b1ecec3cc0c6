// Rows as they came, checked whole before anything is kept: types, times, likely typos.

import {
  compileRowReader,
  describe,
  describeMistake,
  type ErrorDetail,
  type Field,
  formatDuration,
  formatTimestamp,
  checkRowLimit,
  INVALID,
  invalid,
  type Micros,
  parseRow,
  parseValue,
  reportUnknownMembers,
  type Row,
  TIME_RANGE,
  type Value,
} from '../core/index.ts';
import { knownColumn, type OnFailedValue, type SourceSpec } from '../definitions/index.ts';
import { isTime, statedKnown } from './known-time.ts';
import type { SourcePlan } from './source-plan.ts';

export interface PushLimits {
  readonly maxRows: number;
  readonly maxAheadMicros: Micros;
}

interface Door {
  readonly entry: SourceEntry;
  readonly source: SourceSpec;
  readonly kept: readonly Field[];
  readonly limits: PushLimits;
  /** No time may lie past it. */
  readonly latest: Micros;
  readonly mistakes: ErrorDetail[];
}

/** `rows` is JSON. Throws HR_INVALID naming each row and column, HR_TOO_LARGE. */
export function parsePush(
  { source, kept, onLost }: Pick<SourcePlan, 'source' | 'kept' | 'onLost'>,
  rows: unknown,
  now: Micros,
  limits: PushLimits,
): Row[] {
  if (!Array.isArray(rows))
    throw invalid([{ path: 'rows', message: `expected an array of rows, got ${describe(rows)}` }]);
  checkRowLimit('rows', rows, limits.maxRows, 'server.maxRows');
  const mistakes: ErrorDetail[] = [];
  const entry = entryOf(source);
  const door: Door = { entry, source, kept, limits, latest: now + limits.maxAheadMicros, mistakes };
  const parsed = new Array<Row>(rows.length);
  for (let index = 0; index < rows.length; index++) {
    parsed[index] = parseGood(door, rows[index]) ?? parseAny(door, rows[index], index);
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  return kept.length === 0
    ? parsed
    : parsed.map((row, index) => ({ ...keptValues(kept, onLost, rows[index]), ...row }));
}

// Nobody declares these any more: a value that is none of the type is null, not a mistake, and `onLost` is called.
function keptValues(kept: readonly Field[], onLost: OnFailedValue, json: unknown): Row {
  const values: Record<string, Value> = {};
  for (const { name, type } of kept) {
    // A row that was parsed is an object.
    const raw = Object.hasOwn(json as object, name) ? (json as Record<string, unknown>)[name] : null;
    const value = parseValue(type, raw);
    if (value === INVALID) onLost(name, describeMistake(type, raw));
    values[name] = value === INVALID ? null : value;
  }
  return values;
}

/** What is the same for all pushes into a source. */
interface SourceEntry {
  readonly read: (json: unknown) => Row | undefined;
  readonly names: readonly string[];
  readonly derived: readonly string[];
  /** The column of its own that says when a row was known. */
  readonly known: string | undefined;
}

const entries = new WeakMap<SourceSpec, SourceEntry>();

function entryOf(source: SourceSpec): SourceEntry {
  let entry = entries.get(source);
  if (entry === undefined) {
    const { columns, derive } = source;
    entry = {
      read: compileRowReader(columns),
      names: columns.map(({ name }) => name),
      derived: derive.map(({ name }) => name),
      known: knownColumn(source),
    };
    entries.set(source, entry);
  }
  return entry;
}

// Most rows are complete and right: of the others `parseAny` says what is wrong, if anything is.
function parseGood({ entry, source, latest }: Door, json: unknown): Row | undefined {
  const row = entry.read(json);
  const event = row?.[source.eventTime];
  if (row === undefined || !isTime(event) || event > latest) return undefined;
  if (entry.known === undefined) return row;
  const known = row[entry.known];
  return known === null || (isTime(known) && known >= event && known <= latest) ? row : undefined;
}

function parseAny(door: Door, json: unknown, index: number): Row {
  const { entry, source, kept, mistakes } = door;
  const path = `rows[${index}]`;
  const row = parseRow(source.columns, json, path, mistakes);
  if (typeof json === 'object' && json !== null && entry.names.some((name) => !Object.hasOwn(json, name))) {
    reportUnknownMembers(json, entry.names, path, mistakes, [...entry.derived, ...kept.map(({ name }) => name)]);
  }
  checkTimes(door, row, path);
  return row;
}

/** For rows with their derived columns, of which the times may be some. Throws HR_INVALID. */
export function checkDerivedTimes(source: SourceSpec, rows: readonly Row[], now: Micros, limits: PushLimits): void {
  const known = knownColumn(source);
  const times = known === undefined ? [source.eventTime] : [source.eventTime, known];
  const own = times.filter((name) => isDerived(source, name));
  if (own.length === 0) return;
  const mistakes: ErrorDetail[] = [];
  const latest = now + limits.maxAheadMicros;
  const door: Door = { entry: entryOf(source), source, kept: [], limits, latest, mistakes };
  for (const [index, row] of rows.entries()) {
    for (const name of own) checkAhead(door, row, name, `rows[${index}]`);
  }
  if (mistakes.length > 0) throw invalid(mistakes);
}

/**
 * For rows as a kept version has them, whose times today's definitions may not know: one with a time too far ahead loses its
 * event time, and so matches nothing.
 */
export function withoutFarTimes(
  source: SourceSpec,
  rows: readonly Row[],
  now: Micros,
  limits: PushLimits,
): readonly Row[] {
  const latest = now + limits.maxAheadMicros;
  const isFar = (row: Row): boolean =>
    isAfter(row[source.eventTime], latest) || isAfter(statedKnown(source, row), latest);
  return rows.some(isFar) ? rows.map((row) => (isFar(row) ? { ...row, [source.eventTime]: null } : row)) : rows;
}

function isAfter(time: Value | undefined, latest: Micros): boolean {
  return typeof time === 'number' && time > latest;
}

function checkTimes(door: Door, row: Row, path: string): void {
  const { entry, source, mistakes } = door;
  const event = row[source.eventTime];
  const isGiven = typeof event === 'number' || isDerived(source, source.eventTime);
  if (!isGiven && !isNamed(mistakes, `${path}.${source.eventTime}`)) {
    mistakes.push({ path: `${path}.${source.eventTime}`, message: 'expected the event time (a timestamp), got null' });
  }
  checkAhead(door, row, source.eventTime, path);
  const column = entry.known;
  if (column === undefined) return;
  const known = row[column];
  if (typeof known !== 'number') return;
  if (typeof event === 'number' && known < event) {
    mistakes.push({ path: `${path}.${column}`, message: 'the known time is before the event time' });
  }
  checkAhead(door, row, column, path);
}

// An event is not known before it happens, so its own time is bounded too: what is not known yet waits in its record.
function checkAhead({ latest, limits, mistakes }: Door, row: Row, column: string, path: string): void {
  const time = row[column];
  if (typeof time !== 'number' || (isTime(time) && time <= latest)) return;
  mistakes.push({
    path: `${path}.${column}`,
    message: !isTime(time)
      ? `event times and known times go from ${TIME_RANGE}, got ${formatTimestamp(time)}`
      : `the time is more than ${formatDuration(limits.maxAheadMicros)} ahead of the clock (pushLog.maxAhead)`,
  });
}

function isDerived({ derive }: SourceSpec, column: string): boolean {
  return derive.some(({ name }) => name === column);
}

function isNamed(mistakes: readonly ErrorDetail[], path: string): boolean {
  return mistakes.some((mistake) => mistake.path === path);
}
