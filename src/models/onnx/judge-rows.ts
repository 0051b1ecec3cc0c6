// Whether rows of different callers may share a run: shown by rows that run alone, together, and together in another order.

import type { RowsVerdict } from '../../core/index.ts';
import { fromHalf } from '../binding/half.ts';
import type { Tensor } from '../tensor.ts';
import { arrayOf, isText } from '../tensor-arrays.ts';
import { asNoRoom, type OrtSession, toOrt } from './ort-session.ts';

/**
 * By how much of it a number that a row is answered with may differ from the one that it gets alone: sums are added up in another
 * order, and on devices factors may have ten bits besides, by the batch's size (TensorFloat-32).
 */
export const [ON_CPU, ON_DEVICES] = [1e-4, 5e-3];
/** The same of a half-precision number, which has eleven bits: two of its steps. */
const OF_HALVES = 2 ** -9;
/** A batch holds no more than this, beyond two rows: pictures of a few megapixels take tens of megabytes. */
export const ENOUGH_BYTES = 64 * 2 ** 20;
/** A number smaller than the largest of its output may differ by as much as that one, if it is between these. */
const [LEAST_LARGEST, MOST_LARGEST] = [0.01, 1];

/** Sessions that answer tensors, in the signature's order. */
type Runs = Pick<OrtSession, 'run'>;

/**
 * `batch`: one tensor an input, in the signature's order, all of the same number of rows. Rows that fail alone show nothing and are
 * left out; so do answers that are the same for all rows, and those of a row that is answered otherwise when it runs alone again.
 * `tolerance`: `ON_CPU` or `ON_DEVICES`. `most`: where it is twice the rows at least, they run as a batch of so many as well, each several
 * times, unless the answers would be too large. Throws HR_OVERLOADED without memory.
 */
export function judgeRows(session: Runs, batch: readonly Tensor[], tolerance: number, most = 0): RowsVerdict {
  const rows: number[] = [];
  const alone: Tensor[][] = [];
  for (let row = 0; row < (batch[0]?.shape[0] ?? 0); row++) {
    const answer = runOrFail(session, takeRows(batch, [row]));
    if (answer === undefined) continue;
    if (answer.some(({ shape }) => shape[0] !== 1)) return 'dependent';
    rows.push(row);
    alone.push(answer);
  }
  if (rows.length < 2) return 'unknown';
  const isClose = closenessOf(alone, tolerance);
  const bytes = (alone[0] as Tensor[]).reduce((sum, { data }) => sum + (isText(data) ? 0 : data.byteLength), 1);
  for (const order of ordersOf(rows.length, Math.min(most, Math.floor(ENOUGH_BYTES / bytes)))) {
    const given = takeRows(
      batch,
      order.map((at) => rows[at] as number),
    );
    const together = runOrFail(session, given);
    if (together === undefined || together.some(({ shape }) => shape[0] !== order.length)) return 'dependent';
    const other = order.find((at, place) => !isClose(takeRows(together, [place]), alone[at] as Tensor[]));
    if (other === undefined) continue;
    const again = runOrFail(session, takeRows(batch, [rows[other] as number]));
    return again !== undefined && isClose(again, alone[other] as Tensor[]) ? 'dependent' : 'unknown';
  }
  return alone.some((answer) => !isClose(answer, alone[0] as Tensor[])) ? 'independent' : 'unknown';
}

/** Rows together: in order, each elsewhere and beside others, and repeated in as large a batch as may be. */
function ordersOf(rows: number, most: number): number[][] {
  const inOrder = Array.from({ length: rows }, (_, at) => at);
  const half = rows >> 1;
  const orders = [inOrder, [...inOrder.slice(half), ...inOrder.slice(0, half)]];
  if (most >= 2 * rows) orders.push(Array.from({ length: most }, (_, at) => (at + Math.floor(at / rows)) % rows));
  return orders;
}

function runOrFail(session: Runs, tensors: readonly Tensor[]): Tensor[] | undefined {
  try {
    return session.run(tensors.map(toOrt));
  } catch (thrown) {
    // Memory that is full now would keep its rows apart for as long as it is loaded.
    const full = asNoRoom(thrown);
    if (full !== undefined) throw full;
    return undefined;
  }
}

/** The rows at these places, in this order. */
function takeRows(tensors: readonly Tensor[], places: readonly number[]): Tensor[] {
  return tensors.map(({ type, shape, data }) => {
    const width = data.length / (shape[0] as number);
    const sizes = [places.length, ...shape.slice(1)];
    if (isText(data))
      return { type, shape: sizes, data: places.flatMap((row) => data.slice(row * width, (row + 1) * width)) };
    // Both are arrays of this type.
    const taken = arrayOf(type, places.length * width) as Float32Array;
    for (const [at, row] of places.entries())
      taken.set(data.subarray(row * width, (row + 1) * width) as Float32Array, at * width);
    return { type, shape: sizes, data: taken };
  });
}

type IsClose = (answer: readonly Tensor[], expected: readonly Tensor[]) => boolean;

/** Compares a row's outputs, given those of all rows: what is small beside the output's other numbers may be lost beside them. */
function closenessOf(all: readonly (readonly Tensor[])[], tolerance: number): IsClose {
  const outputs = (all[0] ?? []).map(({ type }, at) => {
    const toNumber = type === 'float16' ? fromHalf : (value: number): number => value;
    let largest = LEAST_LARGEST;
    for (const answer of all)
      for (const value of answer[at]?.data ?? []) {
        const size = typeof value === 'number' ? Math.abs(toNumber(value)) : 0;
        if (size > largest && size < Infinity) largest = size;
      }
    const share = type === 'float16' ? Math.max(tolerance, OF_HALVES) : tolerance;
    return { toNumber, share, largest: Math.min(largest, MOST_LARGEST) };
  });
  return (answer, expected) =>
    outputs.every(({ toNumber, share, largest }, at) => {
      const [left, right] = [answer[at]?.data ?? [], expected[at]?.data ?? []];
      if (left.length !== right.length) return false;
      for (let place = 0; place < left.length; place++) {
        const [one, other] = [left[place], right[place]];
        if (typeof one !== 'number' || typeof other !== 'number') {
          if (one !== other) return false;
          continue;
        }
        const [value, beside] = [toNumber(one), toNumber(other)];
        if (Object.is(value, beside)) continue;
        // Beside an infinity nothing is near.
        const most = Number.isFinite(beside) ? share * Math.max(largest, Math.abs(beside)) : 0;
        if (!(Math.abs(value - beside) <= most)) return false;
      }
      return true;
    });
}
