// Rows of headrace.v1 as a request brings them: each read into the columns that are asked for, with the rules of JSON rows for what
// is absent, null or superfluous.

import {
  absentValueOf,
  type ErrorDetail,
  type Field,
  INVALID,
  noteMistake,
  reportUnknownMembers,
  typeName,
  type Value,
} from '../../../core/index.ts';
import { mayLack } from '../../../definitions/index.ts';
import { REQUIRED, type RequestRow } from '../../row-parser.ts';
import { type ParsePlace, type SentRows, sentRows } from '../../sent-rows.ts';
import { DELIMITED, WireReader } from '../wire/wire-reader.ts';
import { asType, describeMisfit, readValue, type SentValue } from './read-value.ts';
import { KEY, VALUE } from './value-fields.ts';

const COLUMNS = 1;

/** Where rows lie in a message. */
export interface RowPlaces {
  readonly bytes: Buffer;
  /** From and to of each, one after the other. */
  readonly places: number[];
}

/** Notes the row that is the field's value, to be read once its columns are known. */
export function noteRow(reader: WireReader, { places }: RowPlaces): void {
  places.push(reader.delimited(), reader.at);
}

/** Reading one throws HR_MALFORMED_PROTOBUF where its bytes are no Row. */
export function rowsOf({ bytes, places }: RowPlaces): SentRows {
  return sentRows({
    count: places.length / 2,
    parser: (columns, path) => parserOf(bytes, places, columns, path),
  });
}

/** By column name; of two of one name the later counts. */
export function readColumns(reader: WireReader, tell: (name: string, sent: SentValue) => void): void {
  while (reader.next()) {
    if (!reader.is(COLUMNS, DELIMITED)) {
      reader.skip();
      continue;
    }
    const row = reader.enter();
    let name = '';
    let sent: SentValue = null;
    while (reader.next()) {
      if (reader.is(KEY, DELIMITED)) name = reader.text();
      else if (reader.is(VALUE, DELIMITED)) {
        const entry = reader.enter();
        sent = readValue(reader);
        reader.leave(entry);
      } else reader.skip();
    }
    reader.leave(row);
    tell(name, sent);
  }
}

function parserOf(bytes: Buffer, places: readonly number[], columns: readonly Field[], path: string): ParsePlace {
  const size = columns.length;
  const positions = new Map(columns.map(({ name }, at) => [name, at]));
  const names = columns.map(({ name }) => name);
  const absent = columns.map((column) => (mayLack(column) ? absentValueOf(column) : undefined));
  const isRequired = columns.map((column) => !mayLack(column));
  const reader = new WireReader(bytes);
  return (place, mistakes) => {
    const row: (Value | undefined)[] = new Array<undefined>(size).fill(undefined);
    const others: string[] = [];
    const wrong = (at: number, message: string): void => {
      noteMistake(mistakes, () => ({ path: `${path}[${place}].${names[at] as string}`, message }));
    };
    reader.at = places[2 * place] as number;
    reader.end = places[2 * place + 1] as number;
    readColumns(reader, (name, sent) => {
      const at = positions.get(name);
      if (at === undefined) {
        others.push(name);
        return;
      }
      const { type } = columns[at] as Field;
      const value = asType(type, sent);
      row[at] = value === INVALID ? null : value;
      if (value === INVALID) wrong(at, describeMisfit(type, sent));
      else if (value === null && isRequired[at] === true)
        wrong(at, `expected ${typeName(type)}, got null. ${REQUIRED}`);
    });
    eachAbsent(row, (at) => {
      if (isRequired[at] === true)
        wrong(at, `expected ${typeName((columns[at] as Field).type)}, got nothing. ${REQUIRED}`);
    });
    const isShort = row.includes(undefined);
    if (isShort && others.length > 0) reportOthers(row, names, others, `${path}[${place}]`, mistakes);
    for (let at = 0; at < size; at++) row[at] ??= absent[at]?.() ?? null;
    return row as RequestRow;
  };
}

function eachAbsent(row: readonly (Value | undefined)[], tell: (at: number) => void): void {
  for (let at = 0; at < row.length; at++) if (row[at] === undefined) tell(at);
}

function reportOthers(
  row: readonly (Value | undefined)[],
  names: readonly string[],
  others: readonly string[],
  path: string,
  mistakes: ErrorDetail[],
): void {
  const present = names.filter((_, at) => row[at] !== undefined);
  reportUnknownMembers(Object.fromEntries([...present, ...others].map((name) => [name, true])), names, path, mistakes);
}
