// Rows of a request as a protocol brings them: JSON rows as they are, or rows in a form that knows its types and reads itself
// into the columns that are asked for.

import { describe, type ErrorDetail, type Field, invalid } from '../core/index.ts';
import type { RequestRow, RowParser } from './row-parser.ts';

/** No JSON has it. */
const SENT: unique symbol = Symbol('rows');

export interface SentRows {
  readonly [SENT]: true;
  readonly count: number;
  /** Reads one row by its place, as a `RowParser` would. Throws HR_INVALID where whole columns are not what they should be. */
  parser(columns: readonly Field[], path: string): ParsePlace;
}

export type ParsePlace = (place: number, mistakes: ErrorDetail[]) => RequestRow;

export function sentRows(rows: Omit<SentRows, typeof SENT>): SentRows {
  return { [SENT]: true, ...rows };
}

export function isSentRows(rows: unknown): rows is SentRows {
  return rows !== null && typeof rows === 'object' && SENT in rows;
}

/** How many there are, as far as it is known before they are read. */
export function countSent(rows: unknown): number {
  if (isSentRows(rows)) return rows.count;
  return Array.isArray(rows) ? rows.length : 1;
}

export interface RowColumns {
  readonly columns: readonly Field[];
  /** Of JSON rows, compiled for the columns. */
  readonly parseRow: RowParser;
  /** The request's member that they are in. */
  readonly path: string;
}

export interface OpenedRows {
  readonly count: number;
  /** Throws what `SentRows.parser` throws. */
  parser(): ParsePlace;
}

/** Throws HR_INVALID where they are no rows at all. */
export function openRows(rows: unknown, { columns, parseRow, path }: RowColumns): OpenedRows {
  if (isSentRows(rows)) return { count: rows.count, parser: () => rows.parser(columns, path) };
  if (!Array.isArray(rows)) {
    const came = rows === undefined ? 'nothing' : describe(rows);
    throw invalid([{ path, message: `expected an array of rows, got ${came}` }]);
  }
  return {
    count: rows.length,
    parser: () => (place, mistakes) => parseRow(rows[place], place, mistakes),
  };
}
