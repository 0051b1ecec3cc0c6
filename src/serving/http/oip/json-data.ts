// Tensor data as JSON has it: flat, or nested as the shape says, row-major. Every element is checked: a number that its type
// does not hold, or a row of another length, is a mistake, and nothing is cut or rounded but a float.

import { describe, invalid } from '../../../core/index.ts';
import {
  fromHalf,
  isText,
  requestArrayOf,
  type Tensor,
  type TensorData,
  type TensorType,
  toHalf,
} from '../../../models/index.ts';
import { datatypeOf } from '../../oip/tensors.ts';

/** Throws HR_INVALID at `path`. `count`: the elements of `shape`, no more than a body of that size can hold. */
export function readJsonData(
  json: unknown,
  type: TensorType,
  shape: readonly number[],
  count: number,
  path: string,
): TensorData {
  const flat = Array.isArray(json) ? json : shape.length === 0 ? [json] : undefined;
  if (flat === undefined) throw wrong(path, `expected an array of ${count} elements, got ${describe(json)}`);
  const target = requestArrayOf(type, count);
  // Each type writes its own kind of element.
  const elements = target as unknown as unknown[];
  const read = READERS[type];
  const fill = (from: readonly unknown[], start: number): void => {
    const first = type === 'float32' ? fillFloats(from, target as Float32Array, start) : 0;
    for (let at = first; at < from.length; at++) {
      const element = read(from[at]);
      if (element === undefined) throw wrong(path, `element ${start + at}: ${misfit(type, from[at])}`);
      elements[start + at] = element;
    }
  };
  if (shape.length < 2 || !Array.isArray(flat[0])) {
    if (flat.length !== count)
      throw wrong(path, `the shape [${listed(shape)}] has ${count} elements, got ${flat.length}`);
    fill(flat, 0);
  } else if (count === 0) checkEmpty(flat, shape, 0, path);
  else fillNested(flat, shape, 0, 0, { fill, path });
  return target;
}

/** What nearly all data is, without a call for each: gives the first place that holds something else. */
function fillFloats(from: readonly unknown[], target: Float32Array, start: number): number {
  for (let at = 0; at < from.length; at++) {
    const element = from[at];
    if (typeof element !== 'number') return at;
    target[start + at] = element;
    // An overflow makes an infinity.
    if (!Number.isFinite(target[start + at])) return at;
  }
  return from.length;
}

interface Filling {
  readonly fill: (from: readonly unknown[], start: number) => void;
  readonly path: string;
}

/** As deep as the shape, which the caller bounds; gives where the next element goes. */
function fillNested(json: unknown, shape: readonly number[], depth: number, start: number, filling: Filling): number {
  const size = shape[depth] as number;
  const items = needItems(json, shape, depth, filling.path);
  if (depth === shape.length - 1) {
    filling.fill(items, start);
    return start + size;
  }
  let next = start;
  for (const item of items) next = fillNested(item, shape, depth + 1, next, filling);
  return next;
}

function checkEmpty(json: unknown, shape: readonly number[], depth: number, path: string): void {
  const items = needItems(json, shape, depth, path);
  if (depth < shape.length - 1) for (const item of items) checkEmpty(item, shape, depth + 1, path);
}

function needItems(json: unknown, shape: readonly number[], depth: number, path: string): readonly unknown[] {
  const size = shape[depth] as number;
  if (Array.isArray(json) && json.length === size) return json;
  const came = Array.isArray(json) ? `${json.length}` : describe(json);
  throw wrong(
    path,
    `nested data has the shape [${listed(shape)}]: expected ${size} items in dimension ${depth}, got ${came}`,
  );
}

/** Undefined for what the type does not hold. */
type ReadElement = (json: unknown) => unknown;

const WHOLE = /^-?\d{1,20}$/;

function wholeNumber(least: number, most: number): ReadElement {
  return (json) =>
    typeof json === 'number' && Number.isInteger(json) && json >= least && json <= most ? json : undefined;
}

/** Also as text of digits, since not every client can write so large a number. */
function wholeBigint(least: bigint, most: bigint): ReadElement {
  return (json) => {
    const value =
      typeof json === 'bigint'
        ? json
        : typeof json === 'number' && Number.isSafeInteger(json)
          ? BigInt(json)
          : typeof json === 'string' && WHOLE.test(json)
            ? BigInt(json)
            : undefined;
    return value !== undefined && value >= least && value <= most ? value : undefined;
  };
}

const SPECIAL: ReadonlyMap<unknown, number> = new Map([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  // What Python's quick writer makes of NaN.
  [null, NaN],
]);

/** A number past what the type holds is none; an infinity goes as text, NaN as text or null. */
function float(round: (value: number) => number): ReadElement {
  return (json) => {
    if (typeof json === 'number') return Number.isFinite(round(json)) ? json : undefined;
    if (typeof json === 'bigint') return Number.isFinite(round(Number(json))) ? Number(json) : undefined;
    return SPECIAL.get(json);
  };
}

const readHalf = float((value) => fromHalf(toHalf(value)));

const READERS: Readonly<Record<TensorType, ReadElement>> = {
  bool: (json) => (typeof json === 'boolean' ? Number(json) : undefined),
  uint8: wholeNumber(0, 2 ** 8 - 1),
  uint16: wholeNumber(0, 2 ** 16 - 1),
  uint32: wholeNumber(0, 2 ** 32 - 1),
  uint64: wholeBigint(0n, 2n ** 64n - 1n),
  int8: wholeNumber(-(2 ** 7), 2 ** 7 - 1),
  int16: wholeNumber(-(2 ** 15), 2 ** 15 - 1),
  int32: wholeNumber(-(2 ** 31), 2 ** 31 - 1),
  int64: wholeBigint(-(2n ** 63n), 2n ** 63n - 1n),
  float16: (json) => {
    const value = readHalf(json);
    return value === undefined ? undefined : toHalf(value as number);
  },
  float32: float(Math.fround),
  float64: float((value) => value),
  string: (json) => (typeof json === 'string' && json.isWellFormed() ? json : undefined),
};

function misfit(type: TensorType, came: unknown): string {
  const isFloat = type === 'float16' || type === 'float32' || type === 'float64';
  const hint = isFloat ? '. An infinity goes as "Infinity"' : '';
  return `expected ${datatypeOf(type)}, got ${describe(came)}${hint}`;
}

/** The text of a tensor's elements, without brackets: each float reads back as it is. NaN and the infinities, which JSON has not, are texts. */
export function writeJsonData({ type, data }: Pick<Tensor, 'type' | 'data'>): string {
  if (isText(data)) return data.map((text) => JSON.stringify(text)).join(',');
  switch (type) {
    case 'bool':
      return Array.from(data as Uint8Array, (value) => value !== 0).join(',');
    case 'float16':
      return floatText(Array.from(data as Uint16Array, fromHalf));
    case 'float32':
    case 'float64':
      return floatText(data as Float32Array | Float64Array);
    default:
      return data.join(',');
  }
}

function floatText(data: readonly number[] | Float32Array | Float64Array): string {
  for (let at = 0; at < data.length; at++)
    // With a point: "-0" is a whole number to some parsers, which have no negative zero.
    if (Object.is(data[at], -0))
      return quoteSpecial(Array.from(data, (value) => (Object.is(value, -0) ? '-0.0' : String(value))).join(','));
  return quoteSpecial(data.join(','));
}

function quoteSpecial(text: string): string {
  // Both words hold an n that no number has.
  return text.includes('n') || text.includes('N') ? text.replace(/-?Infinity|NaN/g, '"$&"') : text;
}

function listed(shape: readonly number[]): string {
  return shape.slice(0, 8).join(', ') + (shape.length > 8 ? ', …' : '');
}

function wrong(path: string, message: string): Error {
  return invalid([{ path, message }]);
}
