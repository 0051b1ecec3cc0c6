// Rows as they came, checked whole before anything is kept: types, times, likely typos.

import {
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
  const door: Door = { source, limits, latest: now + limits.maxAheadMicros, mistakes };
  const names = source.columns.map(({ name }) => name);
  const derived = source.derive.map(({ name }) => name);
  const parsed = rows.map((json: unknown, index) => {
    const path = `rows[${index}]`;
    const row = parseRow(source.columns, json, path, mistakes);
    if (typeof json === 'object' && json !== null && names.some((name) => !Object.hasOwn(json, name))) {
      reportUnknownMembers(json, names, path, mistakes, derived);
    }
    return checkTimes(door, row, path);
  });
  if (mistakes.length > 0) throw invalid(mistakes);
  return parsed;
}

/** For rows with their derived columns, of which the event time may be one. Throws HR_INVALID. */
export function checkDerivedTimes(source: SourceSpec, rows: readonly Row[], now: Micros, limits: PushLimits): void {
  const mistakes: ErrorDetail[] = [];
  if (!isDerived(source, source.eventTime)) return;
  const door: Door = { source, limits, latest: now + limits.maxAheadMicros, mistakes };
  for (const [index, row] of rows.entries()) checkAhead(door, row, source.eventTime, `rows[${index}]`);
  if (mistakes.length > 0) throw invalid(mistakes);
}

// The known time is the row's own where the source has a column for it and the row fills it; else it is the arrival.
function checkTimes(door: Door, row: Row, path: string): ParsedRow {
  const { source, mistakes } = door;
  const event = row[source.eventTime];
  const isGiven = typeof event === 'number' || isDerived(source, source.eventTime);
  if (!isGiven && !isNamed(mistakes, `${path}.${source.eventTime}`)) {
    mistakes.push({ path: `${path}.${source.eventTime}`, message: 'expected the event time (a timestamp), got null' });
  }
  checkAhead(door, row, source.eventTime, path);
  if (source.knownTime.kind !== 'column' || source.knownTime.column === source.eventTime) return { row };
  const { column } = source.knownTime;
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
