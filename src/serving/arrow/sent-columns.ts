// A stream's rows as a request brings them: columns by name, read into the types that they have to have, with the rules of JSON
// rows for what is absent, null or superfluous.

import {
  absentValueOf,
  type ErrorDetail,
  type Field,
  invalid,
  noteMistake,
  reportUnknownMembers,
  typeName,
  type Value,
} from '../../core/index.ts';
import { mayLack } from '../../definitions/index.ts';
import { REQUIRED } from '../row-parser.ts';
import { type ParsePlace, type SentRows, sentRows } from '../sent-rows.ts';
import { type Cell, WrongCell } from './cells.ts';
import { compileCells, describeMisfit } from './compile-cells.ts';
import type { ArrowField } from './read-schema.ts';
import { type ArrowStream, readStream } from './read-stream.ts';
import { createRoom, type Room } from './room.ts';

/**
 * The rows of a body; values that come to more than `limitBytes` are refused when they are read. Throws HR_MALFORMED_ARROW,
 * and HR_INVALID for two columns of one name.
 */
export function readArrowRows(body: Uint8Array, limitBytes: number): SentRows {
  const stream = readStream(body);
  const places = placesOf(stream.fields);
  return sentRows({
    count: stream.rows,
    parser: (columns, path) => parserOf(stream, places, createRoom(limitBytes), columns, path),
  });
}

/** A DataFrame's index comes along under such a name. */
const PANDAS_INDEX = /^__index_level_\d+__$/;

function placesOf(fields: readonly ArrowField[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  for (const [place, { name }] of fields.entries()) {
    if (places.has(name)) throw invalid([{ path: name.slice(0, 100), message: 'two columns have this name' }]);
    places.set(name, place);
  }
  return places;
}

function parserOf(
  stream: ArrowStream,
  places: ReadonlyMap<string, number>,
  room: Room,
  columns: readonly Field[],
  path: string,
): ParsePlace {
  const mistakes: ErrorDetail[] = [];
  const readers = columns.map((column) => columnReader(stream, places.get(column.name), column, path, mistakes));
  if (columns.some(({ name }) => !places.has(name))) {
    const names = columns.map(({ name }) => name);
    const indexes = [...places.keys()].filter((name) => PANDAS_INDEX.test(name));
    reportUnknownMembers(Object.fromEntries(places), names, path, mistakes, indexes);
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  const cells = readers.map((read) => read?.(room));
  const parsers = columns.map((column, at) => cellParser(column, cells[at], path));
  return (place, wrong) => {
    const row = new Array<Value>(parsers.length);
    for (let at = 0; at < parsers.length; at++) row[at] = (parsers[at] as CellParser)(place, wrong);
    return row;
  };
}

/** All batches' cells of a column; undefined where it is absent, which is a mistake unless a row may lack it. */
function columnReader(
  { fields, batches }: ArrowStream,
  place: number | undefined,
  column: Field,
  path: string,
  mistakes: ErrorDetail[],
): ((room: Room) => readonly Cell[]) | undefined {
  const field = place === undefined ? undefined : fields[place];
  if (place === undefined || field === undefined) {
    if (mayLack(column)) return undefined;
    const message = `expected ${typeName(column.type)}, got no column. ${REQUIRED}`;
    noteMistake(mistakes, () => ({ path: `${path}.${column.name}`, message }));
    return undefined;
  }
  const read = compileCells(field, column.type);
  if (read === undefined) {
    noteMistake(mistakes, () => ({ path: `${path}.${column.name}`, message: describeMisfit(field, column.type) }));
    return undefined;
  }
  return (room) => {
    const parts = batches.map((batch) => read(batch[place] as (typeof batch)[number], room));
    return parts.length === 1 ? (parts[0] as Cell[]) : parts.flat();
  };
}

type CellParser = (place: number, mistakes: ErrorDetail[]) => Value;

function cellParser(column: Field, cells: readonly Cell[] | undefined, path: string): CellParser {
  const absent = absentValueOf(column);
  const isRequired = !mayLack(column);
  const tell = (place: number, mistakes: ErrorDetail[], message: string): null => {
    noteMistake(mistakes, () => ({ path: `${path}[${place}].${column.name}`, message }));
    return null;
  };
  return (place, mistakes) => {
    const cell = cells === undefined ? null : (cells[place] as Cell);
    if (cell instanceof WrongCell) return tell(place, mistakes, cell.message);
    if (cell !== null) return cell;
    if (isRequired) return tell(place, mistakes, `expected ${typeName(column.type)}, got null. ${REQUIRED}`);
    return absent === undefined ? null : absent();
  };
}
