// Messages of the inference protocol at their bounds.

import { describe, expect, it } from 'vitest';
import { readInference } from '../../src/serving/grpc/oip/read-infer-request.ts';
import { bytes, type Encoded, ints, message, text } from '../support/protobuf.ts';

const REQUEST = { inputs: 5, outputs: 6, raw: 7 } as const;
const INPUT = { name: 1, datatype: 2, shape: 3, contents: 5 } as const;
/** Of InferTensorContents. */
const INT64 = 3;

const inputOf = (shape: readonly number[], more: readonly Encoded[] = [], name = 'x'): Encoded =>
  message(REQUEST.inputs, [text(INPUT.name, name), text(INPUT.datatype, 'INT64'), ints(INPUT.shape, shape), ...more]);
const contents = (values: readonly number[]): Encoded => message(INPUT.contents, [ints(INT64, values)]);
const read = (...parts: readonly Encoded[]) => readInference(Buffer.concat(parts));
const codeOf = (...parts: readonly Encoded[]): unknown => {
  try {
    return read(...parts) && undefined;
  } catch (thrown) {
    return (thrown as { code?: unknown }).code;
  }
};

describe('an inference request', () => {
  it('may give an input’s contents in a thousand pieces, and in no more', () => {
    const pieces = (count: number): Encoded[] => Array.from({ length: count }, (_, at) => contents([at]));
    const [input] = read(inputOf([1000], pieces(1000))).inputs;
    expect(Array.from(input?.data as BigInt64Array)).toEqual(Array.from({ length: 1000 }, (_, at) => BigInt(at)));
    expect(codeOf(inputOf([1001], pieces(1001)))).toBe('HR_MALFORMED_PROTOBUF');
  });

  it('has raw contents for all of its inputs or for none, and then no others', () => {
    const raw = bytes(REQUEST.raw, new Uint8Array(8));
    expect(read(inputOf([1]), raw)).toMatchObject({ isRaw: true });
    expect(codeOf(inputOf([1]), inputOf([1], [], 'y'), raw)).toBe('HR_INVALID');
    expect(codeOf(inputOf([1], [contents([1])]), raw)).toBe('HR_INVALID');
    expect(read(inputOf([1], [message(INPUT.contents, [])]), raw)).toMatchObject({ isRaw: true });
  });

  it('asks for all outputs where it names none', () => {
    expect(read(inputOf([0])).outputs).toBeUndefined();
    expect(read(inputOf([0]), message(REQUEST.outputs, [text(1, 'y')])).outputs).toEqual(['y']);
  });
});
