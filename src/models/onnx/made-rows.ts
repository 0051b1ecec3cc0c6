// Rows that a model is tried with before anyone asks it. They come from a seed, so that each load tries the same.

import { seeded } from '../../core/index.ts';
import { toHalf } from '../binding/half.ts';
import { widthOf } from '../row-shapes.ts';
import type { Signature, Tensor, TensorSpec, TensorType } from '../tensor.ts';
import { arrayOf } from '../tensor-arrays.ts';

/**
 * `tame`: floats between -1 and 1, whole numbers from 1 to 10, texts that are words. `wide`: a scale of its own for each row, from
 * 0.01 to 10,000, and texts that are numbers. `small`: floats and texts between 0 and 1, whole numbers 1 and 2, for models that take
 * sizes, indexes or shares. No whole number is 0: there are operators that divide by one unseen (STFT by its step), and end the process.
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

/** That number throughout, as each type has it; 1 where a size is open. */
export function equalRows({ inputs }: Signature, number: 0 | 1, rows: number): Tensor[] {
  return inputs.map(({ type, shape }) => {
    const { full, width } = sizesOf(shape, rows, 1);
    const data = arrayOf(type, (full[0] ?? 1) * width);
    // Each type gets its kind of element.
    (data as unknown as unknown[]).fill(typed(type, number));
    return { type, shape: full, data };
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
  // Of other lengths by the row, for models that pad to the longest.
  if (type === 'string') return kind === 'tame' ? `${'word '.repeat(row % 3)}${drawn}` : String(number);
  if (type === 'bool') return Math.round(drawn);
  if (type.startsWith('float')) return typed(type, number);
  return typed(type, 1 + Math.floor(drawn * Math.min(kind === 'small' ? 2 : Math.max(2, 10 * scale), mostOf(type))));
}

function typed(type: TensorType, number: number): unknown {
  if (type === 'string') return String(number);
  if (type === 'float16') return toHalf(number);
  return type === 'int64' || type === 'uint64' ? BigInt(number) : number;
}

function mostOf(type: TensorType): number {
  return type === 'int8' || type === 'uint8' ? 127 : MOST_WHOLE;
}
