// An endpoint's request columns as tensors, one element a row: what comes is put into JSON rows, which the endpoint's own parser
// checks, so that both protocols have the same rules.

import { checkRowLimit, type DataType, type ErrorDetail, type Field, invalid, parseJson } from '../../core/index.ts';
import { mayLack } from '../../definitions/index.ts';
import { fromHalf } from '../../models/index.ts';
import { datatypeOf, type DescribedTensor, type NamedTensor } from './tensors.ts';

/** How values of a column, or of an output, go over the wire: vectors as rows of floats, what JSON has as text as BYTES. */
export function tensorOfField({ name, type }: Pick<Field, 'name' | 'type'>): DescribedTensor {
  return {
    name,
    datatype: datatypeOf(tensorTypeOfField(type)),
    shape: type.kind === 'vector' ? [-1, type.size] : [-1],
  };
}

/** A list goes as JSON text, bytes as base64, a timestamp as RFC 3339. */
export function tensorTypeOfField(type: DataType): 'bool' | 'int32' | 'int64' | 'float32' | 'float64' | 'string' {
  switch (type.kind) {
    case 'bool':
    case 'int32':
    case 'int64':
    case 'float32':
    case 'float64':
      return type.kind;
    case 'vector':
      return 'float32';
    default:
      return 'string';
  }
}

/**
 * JSON rows for the endpoint. Columns that a row may lack can be left out as a whole. Throws HR_INVALID for inputs that are no
 * columns, are missing or have no such shape, and HR_TOO_LARGE for more than `mostRows`, before any is made: a row is far larger
 * than the byte that it may have come in.
 */
export function rowsOf(
  inputs: readonly NamedTensor[],
  columns: readonly Field[],
  mostRows: number,
): Record<string, unknown>[] {
  const mistakes: ErrorDetail[] = [];
  const byName = new Map(inputs.map((input) => [input.name, input]));
  const known = new Set(columns.map(({ name }) => name));
  const unknown = inputs.find(({ name }) => !known.has(name));
  if (unknown !== undefined) {
    const message = `is no input of this model; it takes ${[...known].join(', ')}`;
    mistakes.push({ path: unknown.name.slice(0, 100), message });
  }
  const rows = inputs[0]?.shape[0] ?? 1;
  checkRowLimit('inputs', { length: rows }, mostRows, 'server.maxRows');
  for (const column of columns) {
    const { name, type } = column;
    const input = byName.get(name);
    if (input === undefined) {
      if (!mayLack(column)) mistakes.push({ path: name, message: 'the input is missing' });
    } else {
      const message = shapeMistake(input, type, rows);
      if (message !== undefined) mistakes.push({ path: name, message });
    }
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  const readers = columns.flatMap(({ name, type }) => {
    const input = byName.get(name);
    return input === undefined ? [] : [{ name, read: readerOf(input, type) }];
  });
  return Array.from({ length: rows }, (_, row) => {
    const json: Record<string, unknown> = {};
    for (const { name, read } of readers) json[name] = read(row);
    return json;
  });
}

function shapeMistake({ shape }: NamedTensor, type: DataType, rows: number): string | undefined {
  const [first, second] = shape;
  const isVector = type.kind === 'vector';
  const expected = isVector ? `[N, ${type.size}]` : '[N] or [N, 1]';
  const fits = isVector
    ? shape.length === 2 && second === type.size
    : shape.length === 1 || (shape.length === 2 && second === 1);
  if (!fits) return `has the shape [${shape.slice(0, 8).join(', ')}], expected ${expected}`;
  return first === rows ? undefined : `has ${first} rows, another input has ${rows}`;
}

/** Gives a row's value in the form that JSON has it. */
function readerOf(input: NamedTensor, type: DataType): (row: number) => unknown {
  const { data } = input;
  const at = elementReader(input);
  if (type.kind === 'vector') {
    const { size } = type;
    return (row) => Array.from({ length: size }, (_, place) => at(row * size + place));
  }
  if (type.kind === 'list' && input.type === 'string')
    return (row) => {
      try {
        return parseJson(data[row] as string);
      } catch {
        // The row's parser tells that it is no list.
        return data[row];
      }
    };
  return at;
}

function elementReader({ type, data }: NamedTensor): (place: number) => unknown {
  // Each type has its own array.
  const elements = data as ArrayLike<unknown>;
  switch (type) {
    case 'bool':
      return (place) => elements[place] === 1;
    case 'int64':
    case 'uint64':
      return (place) => {
        const value = elements[place] as bigint;
        const number = Number(value);
        return Number.isSafeInteger(number) ? number : value;
      };
    case 'float16':
      return (place) => numberForm(fromHalf(elements[place] as number));
    case 'float32':
    case 'float64':
      return (place) => numberForm(elements[place] as number);
    default:
      return (place) => elements[place];
  }
}

function numberForm(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}
