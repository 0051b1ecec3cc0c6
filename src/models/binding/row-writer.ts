// Rows of feature values straight into a batch's tensors: no look-ups by name, and nothing allocated but for a row with a far time.

import { microsOfTime, type Value } from '../../core/index.ts';
import type { BatchInput } from '../model-work.ts';
import type { ColumnPlan, InputPlan } from './binding-plan.ts';
import { toHalf } from './half.ts';

export type RowWriter = (values: readonly Value[], batch: readonly BatchInput[], place: number) => void;

type InputWriter = (values: readonly Value[], input: BatchInput, place: number) => void;

export function compileRowWriter(inputs: readonly InputPlan[]): RowWriter {
  const write = writerOf(inputs.map(inputWriter));
  const times = inputs.flatMap(({ columns }) =>
    columns.flatMap(({ feature, field }) => (field.type.kind === 'timestamp' ? [feature] : [])),
  );
  if (times.length === 0) return write;
  return (values, batch, place) => write(hasFarTime(values, times) ? inMicros(values, times) : values, batch, place);
}

/** Whether one of these features is a time that is no safe integer of microseconds: see core's `timeOfMicros`. */
function hasFarTime(values: readonly Value[], times: readonly number[]): boolean {
  for (const feature of times) if (isFarTime(values[feature] ?? null)) return true;
  return false;
}

/** A copy in which far times are their microseconds, as a tensor takes them. */
function inMicros(values: readonly Value[], times: readonly number[]): readonly Value[] {
  const copy = [...values];
  for (const feature of times) {
    const value = copy[feature] ?? null;
    if (isFarTime(value)) copy[feature] = microsOfTime(value);
  }
  return copy;
}

function isFarTime(value: Value): value is number {
  return typeof value === 'number' && !Number.isSafeInteger(value);
}

function writerOf(writers: readonly InputWriter[]): RowWriter {
  const [only] = writers;
  if (writers.length === 1 && only !== undefined)
    return (values, batch, place) => only(values, batch[0] as BatchInput, place);
  return (values, batch, place) => {
    for (let at = 0; at < writers.length; at++) (writers[at] as InputWriter)(values, batch[at] as BatchInput, place);
  };
}

function inputWriter({ type, columns }: InputPlan): InputWriter {
  switch (type) {
    case 'float32':
    case 'float64':
      return (values, { data, width }, place) =>
        writeFloats(columns, values, data as Float32Array | Float64Array, place * width);
    case 'float16':
      return (values, { data, width }, place) => writeHalves(columns, values, data as Uint16Array, place * width);
    case 'int64':
      return each<bigint>(columns, (value) => BigInt(value as number | bigint | boolean));
    case 'string':
      return each<string>(columns, String);
    default:
      return each<number>(columns, Number);
  }
}

function writeFloats(
  columns: readonly ColumnPlan[],
  values: readonly Value[],
  data: Float32Array | Float64Array,
  start: number,
): void {
  for (let at = 0; at < columns.length; at++) {
    const column = columns[at] as ColumnPlan;
    const value = values[column.feature] ?? null;
    const target = start + column.offset;
    if (typeof value === 'number') data[target] = value;
    else if (value === null) data.fill(NaN, target, target + column.width);
    else if (value instanceof Float32Array) data.set(value, target);
    else data[target] = Number(value);
  }
}

function writeHalves(columns: readonly ColumnPlan[], values: readonly Value[], data: Uint16Array, start: number): void {
  for (const { feature, offset, width } of columns) {
    const value = values[feature] ?? null;
    const target = start + offset;
    if (value instanceof Float32Array)
      for (let at = 0; at < width; at++) data[target + at] = toHalf(value[at] as number);
    else data.fill(toHalf(value === null ? NaN : Number(value)), target, target + width);
  }
}

function each<E>(columns: readonly ColumnPlan[], convert: (value: Value) => E): InputWriter {
  return (values, { data, width }, place) => {
    // The signature pairs the tensor's type with its array, and `convert` gives that array's elements.
    const target = data as unknown as E[];
    for (let at = 0; at < columns.length; at++) {
      const { feature, offset, standIn } = columns[at] as ColumnPlan;
      target[place * width + offset] = convert(values[feature] ?? standIn);
    }
  };
}
