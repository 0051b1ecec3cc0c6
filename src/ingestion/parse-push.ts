// Rows as they came, checked whole before anything is kept: types, times, likely typos.

import {
  compileRowReader,
  describe,
  type ErrorDetail,
  formatDuration,
  HeadraceError,
  invalid,
  type Micros,
  parseRow,
  reportUnknownMembers,
  type Row,
} from '../core/index.ts';
import type { SourceSpec } from '../definitions/index.ts';

export interface ParsedRow {
  readonly row: Row;
  /** Left out: the time of arrival. */
  readonly knownMicros?: Micros;
}

export interface PushLimits {
  readonly maxRows: number;
  readonly maxAheadMicros: Micros;
}

interface Door {
  readonly entry: SourceEntry;
  readonly source: SourceSpec;
  readonly limits: PushLimits;
  /** No time may lie past it. */
  readonly latest: Micros;
  readonly mistakes: ErrorDetail[];
}

/** `rows` is JSON. Throws HR_INVALID naming each row and column, HR_TOO_LARGE. */
export function parsePush(source: SourceSpec, rows: unknown, now: Micros, limits: PushLimits): ParsedRow[] {
  if (!Array.isArray(rows))
    throw invalid([{ path: 'rows', message: `expected an array of rows, got ${describe(rows)}` }]);
  if (rows.length > limits.maxRows) {
    throw new HeadraceError(
      'HR_TOO_LARGE',
      `there are ${rows.length} rows, the limit is ${limits.maxRows}. Push them in parts.`,
    );
  }
  const mistakes: ErrorDetail[] = [];
  const entry = entryOf(source);
  const door: Door = { entry, source, limits, latest: now + limits.maxAheadMicros, mistakes };
  const parsed = new Array<ParsedRow>(rows.length);
  for (let index = 0; index < rows.length; index++) {
    parsed[index] = parseGood(door, rows[index]) ?? parseAny(door, rows[index], index);
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  return parsed;
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
    const { columns, derive, knownTime, eventTime } = source;
    entry = {
      read: compileRowReader(columns),
      names: columns.map(({ name }) => name),
      derived: derive.map(({ name }) => name),
      known: knownTime.kind === 'column' && knownTime.column !== eventTime ? knownTime.column : undefined,
    };
    entries.set(source, entry);
  }
  return entry;
}

// Most rows are complete and right: of the others `parseAny` says what is wrong, if anything is.
function parseGood({ entry, source, latest }: Door, json: unknown): ParsedRow | undefined {
  const row = entry.read(json);
  const event = row?.[source.eventTime];
  if (row === undefined || typeof event !== 'number' || event > latest) return undefined;
  if (entry.known === undefined) return { row };
  const knownMicros = row[entry.known];
  if (knownMicros === null) return { row };
  return typeof knownMicros === 'number' && knownMicros >= event && knownMicros <= latest
    ? { row, knownMicros }
    : undefined;
}

function parseAny(door: Door, json: unknown, index: number): ParsedRow {
  const { entry, source, mistakes } = door;
  const path = `rows[${index}]`;
  const row = parseRow(source.columns, json, path, mistakes);
  if (typeof json === 'object' && json !== null && entry.names.some((name) => !Object.hasOwn(json, name))) {
    reportUnknownMembers(json, entry.names, path, mistakes, entry.derived);
  }
  return checkTimes(door, row, path);
}

/** When a row was known, where a derived column tells; undefined where none does, or it is null. */
export function derivedKnown({ knownTime, derive }: SourceSpec, row: Row): Micros | undefined {
  if (knownTime.kind !== 'column' || derive.every(({ name }) => name !== knownTime.column)) return undefined;
  const known = row[knownTime.column];
  return typeof known === 'number' ? known : undefined;
}

/** For rows with their derived columns, of which the times may be some. Throws HR_INVALID. */
export function checkDerivedTimes(source: SourceSpec, rows: readonly Row[], now: Micros, limits: PushLimits): void {
  const { knownTime, eventTime } = source;
  const times =
    knownTime.kind === 'column' && knownTime.column !== eventTime ? [eventTime, knownTime.column] : [eventTime];
  const own = times.filter((name) => isDerived(source, name));
  if (own.length === 0) return;
  const mistakes: ErrorDetail[] = [];
  const door: Door = { entry: entryOf(source), source, limits, latest: now + limits.maxAheadMicros, mistakes };
  for (const [index, row] of rows.entries()) {
    for (const name of own) checkAhead(door, row, name, `rows[${index}]`);
  }
  if (mistakes.length > 0) throw invalid(mistakes);
}

// The known time is the row's own where the source has a column for it and the row fills it; else it is the arrival.
function checkTimes(door: Door, row: Row, path: string): ParsedRow {
  const { entry, source, mistakes } = door;
  const event = row[source.eventTime];
  const isGiven = typeof event === 'number' || isDerived(source, source.eventTime);
  if (!isGiven && !isNamed(mistakes, `${path}.${source.eventTime}`)) {
    mistakes.push({ path: `${path}.${source.eventTime}`, message: 'expected the event time (a timestamp), got null' });
  }
  checkAhead(door, row, source.eventTime, path);
  const column = entry.known;
  if (column === undefined) return { row };
  const known = row[column];
  if (typeof known !== 'number') return { row };
  if (typeof event === 'number' && known < event) {
    mistakes.push({ path: `${path}.${column}`, message: 'the known time is before the event time' });
  }
  checkAhead(door, row, column, path);
  return { row, knownMicros: known };
}

// An event is not known before it happens, so its own time is bounded too: what is not known yet waits in its record.
function checkAhead({ latest, limits, mistakes }: Door, row: Row, column: string, path: string): void {
  const time = row[column];
  if (typeof time !== 'number' || time <= latest) return;
  mistakes.push({
    path: `${path}.${column}`,
    message: `the time is more than ${formatDuration(limits.maxAheadMicros)} ahead of the clock (pushLog.maxAhead)`,
  });
}

function isDerived({ derive }: SourceSpec, column: string): boolean {
  return derive.some(({ name }) => name === column);
}

function isNamed(mistakes: readonly ErrorDetail[], path: string): boolean {
  return mistakes.some((mistake) => mistake.path === path);
}
