// A row of feature values as a text of what the model's tensors take of it, bit by bit: what is kept of answers is found by it.

import { sha256Hex, type Value } from '../../core/index.ts';
import type { BatchInput } from '../model-work.ts';
import { arrayOf, isText, placedBytes } from '../tensor-arrays.ts';
import type { InputPlan } from './binding-plan.ts';
import { compileRowWriter } from './row-writer.ts';

/**
 * For a row that `check` has passed. Two rows have one text only where the tensors hold the same bits and texts for both: a null
 * in a float tensor is a NaN there, −0 is not 0, and 2⁵³ + 1 is itself in an int64 tensor alone.
 */
export type RowKey = (values: readonly Value[]) => string;

/** A map takes the length of a text above 16,383 signs for its hash, and would then compare all of them. */
const LONGEST_TEXT = 8192;
/** No other key begins with it: those begin with a byte of a tensor, or with a digit. */
const HASHED = '\u2020';

export function compileRowKey(inputs: readonly InputPlan[]): RowKey {
  let bytes = 0;
  const offsets = inputs.map(({ type, width }) => {
    const offset = bytes;
    bytes += placedBytes(type, width);
    return offset;
  });
  const memory = new ArrayBuffer(bytes);
  const numbers = Buffer.from(memory);
  const row = inputs.map(
    ({ type, width }, at): BatchInput => ({ width, data: arrayOf(type, width, memory, offsets[at]) }),
  );
  const texts = row.flatMap(({ data }) => (isText(data) ? [data] : []));
  const write = compileRowWriter(inputs);
  return (values) => {
    write(values, row, 0);
    let key = numbers.toString('latin1');
    for (const text of texts) for (const one of text) key += `${one.length}:${one}`;
    return key.length > LONGEST_TEXT ? HASHED + sha256Hex(key) : key;
  };
}
