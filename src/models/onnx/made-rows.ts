// Rows that a model is tried with before anyone asks it. They come from a seed, so that each load tries the same.

import { seeded } from '../../core/index.ts';
import { toHalf } from '../binding/half.ts';
import { widthOf } from '../row-shapes.ts';
import type { Signature, Tensor, TensorSpec, TensorType } from '../tensor.ts';
import { arrayOf } from '../tensor-arrays.ts';

/**
 * `tame`: floats between -1 and 1, whole numbers from 0 to 9, texts that are words. `wide`: a scale of its own for each row, from
 * 0.01 to 10,000, and texts that are numbers. `small`: floats, whole numbers and texts between 0 and 1, for models that take sizes,
 * indexes or shares.
 */
export type RowKind = 'tame' | 'wide' | 'small';

interface MadeRows {
  readonly kind: RowKind;
  readonly rows: number;
  /** Of each size that the signature leaves open, beside the first. */
  readonly length: number;
}

const SEED = 5;
/** Of the rows of a wide set, one after the other. */
const SCALES = [10, 100, 0.01, 10_000, 10, 1];
/** Whole numbers may be sizes or rounds of a loop: larger ones would take memory or time for nothing. */
const MOST_WHOLE = 1000;

/** One tensor an input, in the signature's order. No two floats or words of a tensor are alike; every other row has no negative number. */
export function madeRows({ inputs }: Signature, { kind, rows, length }: MadeRows): Tensor[] {
  const random = seeded(SEED);
  return inputs.map(({ type, shape }) => {
    const { full, width } = sizesOf(shape, rows, length);
    const data = arrayOf(type, (full[0] ?? 1) * width);
    // Each type gets its kind of element.
    const target = data as { [place: number]: unknown };
    for (let place = 0; place < data.length; place++)
      target[place] = elementOf(type, kind, Math.floor(place / width), random());
    return { type, shape: full, data };
  });
}

/** Zeros, `false` and "0" throughout, one where a size is open. */
export function zeroRows({ inputs }: Signature, rows: number): Tensor[] {
  return inputs.map(({ type, shape }) => {
    const { full, width } = sizesOf(shape, rows, 1);
    const data = arrayOf(type, (full[0] ?? 1) * width);
    return { type, shape: full, data: type === 'string' ? (data as string[]).fill('0') : data };
  });
}

function sizesOf(shape: TensorSpec['shape'], rows: number, length: number) {
  const rowShape = shape.slice(1).map((size) => size ?? length);
  return { full: shape.length === 0 ? [] : [shape[0] ?? rows, ...rowShape], width: widthOf(rowShape) };
}

/** `drawn`: from 0 to 1. */
function elementOf(type: TensorType, kind: RowKind, row: number, drawn: number): unknown {
  const scale = kind === 'wide' ? (SCALES[row % SCALES.length] as number) : 1;
  const isPositive = kind === 'small' || row % 2 === 0;
  const number = isPositive ? drawn * scale : (2 * drawn - 1) * scale;
  const whole = Math.floor(drawn * Math.min(kind === 'small' ? 2 : Math.max(2, 10 * scale), mostOf(type) + 1));
  switch (type) {
    case 'string':
      return kind === 'tame' ? `word ${drawn}` : String(kind === 'wide' ? number : drawn);
    case 'bool':
      return drawn < 0.5 ? 0 : 1;
    case 'float32':
    case 'float64':
      return number;
    case 'float16':
      return toHalf(number);
    case 'int64':
    case 'uint64':
      return BigInt(whole);
    default:
      return whole;
  }
}

function mostOf(type: TensorType): number {
  return type === 'int8' || type === 'uint8' ? 127 : MOST_WHOLE;
}
