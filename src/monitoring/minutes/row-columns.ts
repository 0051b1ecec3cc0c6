// A minute's row to columns and back.

import { parseJson, stringifyJson } from '../../core/index.ts';
import type { PackedSketch } from '../monitor/latency-sketch.ts';
import type { MinuteCounts, MinuteOutcomes, MinuteRow, SeriesKind } from './minute-row.ts';
import type { HourColumns, MinuteColumns } from './minute-tables.ts';

export function toColumns(row: MinuteRow): MinuteColumns {
  return {
    kind: row.kind,
    name: row.endpoint,
    minute: row.minute,
    variant: row.variant,
    version: row.version,
    arm: row.arm,
    revision: row.revision,
    writer: row.writer,
    sequence: row.sequence,
    reported_at: row.reportedMicros,
    ...countColumns(row),
    slow_micros: row.slowMicros,
    latency: stringifyJson(row.latency),
    units: row.units,
    error_units: row.errorUnits,
    slow_units: row.slowUnits,
    null_units: row.nullUnits,
    outcomes: row.outcomes === null ? null : stringifyJson(row.outcomes),
  };
}

export function fromColumns(columns: MinuteColumns): MinuteRow {
  return {
    // Written by `toColumns`, as the texts are.
    kind: columns.kind as SeriesKind,
    endpoint: columns.name,
    minute: columns.minute,
    variant: columns.variant,
    version: columns.version,
    arm: columns.arm,
    revision: columns.revision,
    writer: columns.writer,
    sequence: columns.sequence,
    reportedMicros: columns.reported_at,
    ...countsOf(columns),
    slowMicros: columns.slow_micros,
    latency: readSketch(columns.latency),
    units: columns.units,
    errorUnits: columns.error_units,
    slowUnits: columns.slow_units,
    nullUnits: columns.null_units,
    outcomes: columns.outcomes === null ? null : readOutcomes(columns.outcomes),
  };
}

/** What is counted by minutes and by hours. */
export function countColumns(counts: MinuteCounts): Omit<CountColumns, 'latency'> {
  const { requests, rows, errors, refused, rejected, slow, nulls, breakerOpens } = counts;
  return { requests, rows, errors, refused, rejected, slow, nulls, breaker_opens: breakerOpens };
}

export type CountColumns = Pick<
  HourColumns,
  'requests' | 'rows' | 'errors' | 'refused' | 'rejected' | 'slow' | 'nulls' | 'breaker_opens' | 'latency'
>;

export function countsOf(columns: CountColumns): MinuteCounts {
  const { requests, rows, errors, refused, rejected, slow, nulls, breaker_opens: breakerOpens } = columns;
  return { requests, rows, errors, refused, rejected, slow, nulls, breakerOpens };
}

// Doubles all of them, though a great one is written as a whole number whose digits are kept elsewhere.
const readOutcomes = (text: string): MinuteOutcomes => JSON.parse(text) as MinuteOutcomes;

// Written by `stringifyJson` of a packed one.
export const readSketch = (text: string): PackedSketch => parseJson(text) as unknown as PackedSketch;
