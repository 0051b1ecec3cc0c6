// A file of outcomes: lines of JSON, or Parquet with the members as columns.

import {
  describe,
  type ErrorDetail,
  HeadraceError,
  invalid,
  messageOf,
  noteMistake,
  parseJson,
} from '../../core/index.ts';
import type { OutcomeInput } from '../../serving/index.ts';
import { type DuckDb, quoteName, quoteText } from '../../storage/index.ts';
import { usageError } from '../command.ts';
import { readJsonLines } from '../read-event-file.ts';

const TEXTS = ['prediction_id', 'observed_at', 'at', 'from', 'within'];
const MEMBERS = ['value', 'unit', ...TEXTS];

/** Throws HR_USAGE for another ending, HR_SOURCE_UNREADABLE, HR_INVALID with every row that is no outcome. */
export async function readOutcomeFile(file: string, duckdb: () => Promise<DuckDb>): Promise<readonly OutcomeInput[]> {
  const isLines = /\.(jsonl|ndjson)$/i.test(file);
  if (!isLines && !/\.parquet$/i.test(file))
    throw usageError(`a file of outcomes ends in .jsonl or .parquet, got "${file}".`);
  const rows = isLines ? await readJsonLines(file) : await readParquet(file, await duckdb());
  const mistakes: ErrorDetail[] = [];
  rows.forEach((row, index) => {
    const mistake = mistakeOf(row);
    if (mistake === undefined) return;
    noteMistake(mistakes, () => ({ path: `outcomes[${index}]${mistake.member}`, message: mistake.message }));
  });
  if (mistakes.length > 0) throw invalid(mistakes);
  // Each was looked at.
  return rows as readonly OutcomeInput[];
}

function mistakeOf(row: unknown): { readonly member: string; readonly message: string } | undefined {
  if (row === null || typeof row !== 'object' || Array.isArray(row))
    return { member: '', message: `expected an object, got ${describe(row)}` };
  const of = row as Readonly<Record<string, unknown>>;
  const other = Object.keys(of).find((name) => !MEMBERS.includes(name));
  if (other !== undefined)
    return { member: `.${other}`, message: `is not a known member. The members: ${MEMBERS.join(', ')}.` };
  if (!Object.hasOwn(of, 'value')) return { member: '.value', message: 'is missing' };
  if (!isValue(of['value']))
    return { member: '.value', message: `expected number, boolean, text or null, got ${describe(of['value'])}` };
  const text = TEXTS.find((name) => of[name] !== undefined && (typeof of[name] !== 'string' || of[name] === ''));
  if (text !== undefined) return { member: `.${text}`, message: `expected text, got ${describe(of[text])}` };
  const { unit } = of;
  const isUnit =
    unit === undefined || isScalar(unit) || (Array.isArray(unit) && unit.length > 0 && unit.every(isScalar));
  return isUnit
    ? undefined
    : { member: '.unit', message: `expected a value or an array of values, got ${describe(unit)}` };
}

const isScalar = (value: unknown): boolean =>
  typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value));

// Past 2^53 a number has digits that a double loses.
const isValue = (value: unknown): boolean =>
  value === null || (isScalar(value) && (typeof value !== 'number' || Math.abs(value) <= Number.MAX_SAFE_INTEGER));

// Through JSON text, in the file's own order. A null is an absent member, but as a value.
async function readParquet(file: string, duckdb: DuckDb): Promise<unknown[]> {
  const connection = await duckdb.connect();
  try {
    const path = quoteText(file);
    const described = await connection.runAndReadAll(
      `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet(${path}))`,
    );
    const members = described
      .getRows()
      .map(([name, type]) => [String(name), String(type)] as const)
      .filter(([name]) => MEMBERS.includes(name))
      .map(
        ([name, type]) =>
          `${quoteText(name)}: ${type.startsWith('TIMESTAMP') ? `strftime(${quoteName(name)}::TIMESTAMPTZ AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')` : quoteName(name)}`,
      );
    if (members.length === 0)
      throw new HeadraceError('HR_SOURCE_UNREADABLE', `${file} has none of the columns ${MEMBERS.join(', ')}.`);
    const reader = await connection.runAndReadAll(
      `SELECT to_json({${members.join(', ')}})::VARCHAR FROM read_parquet(${path}, file_row_number = true) ORDER BY file_row_number`,
    );
    return reader.getRows().map(([text]) => {
      // What `to_json` made of a struct.
      const row = parseJson(String(text)) as Readonly<Record<string, unknown>>;
      return Object.fromEntries(Object.entries(row).filter(([name, value]) => value !== null || name === 'value'));
    });
  } catch (thrown) {
    if (thrown instanceof HeadraceError) throw thrown;
    throw new HeadraceError('HR_SOURCE_UNREADABLE', `${file} cannot be read: ${messageOf(thrown)}`, { cause: thrown });
  } finally {
    connection.closeSync();
  }
}
