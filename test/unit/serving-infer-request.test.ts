// Messages of the inference protocol at their bounds.

import { describe, expect, it } from 'vitest';
import { readInference } from '../../src/serving/grpc/oip/read-infer-request.ts';
import { bytes, type Encoded, int, ints, message, text } from '../support/protobuf.ts';

const REQUEST = { parameters: 4, inputs: 5, outputs: 6, raw: 7 } as const;
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
    expect(() => read(inputOf([1001], pieces(1001)))).toThrow('more than 1000 pieces');
  });

  it('has raw contents for all of its inputs or for none, and then no others', () => {
    const raw = bytes(REQUEST.raw, new Uint8Array(8));
    expect(read(inputOf([1]), raw)).toMatchObject({ isRaw: true });
    expect(codeOf(inputOf([1]), inputOf([1], [], 'y'), raw)).toBe('HR_INVALID');
    expect(codeOf(inputOf([1], [contents([1])]), raw)).toBe('HR_INVALID');
    expect(read(inputOf([1], [message(INPUT.contents, [])]), raw)).toMatchObject({ isRaw: true });
  });

  it('says by its parameters how long it may take and that it gives way, and asks for no classes, sequences or shared memory', () => {
    const parameter = (field: number, name: string, value: Encoded): Encoded =>
      message(field, [text(1, name), message(2, [value])]);
    const asked = (name: string, value: Encoded) => parameter(REQUEST.parameters, name, value);
    const given = (name: string, value: number) => read(asked(name, int(2, value)));
    const limits = [given('timeout', 1500), given('timeout', 0), read()].map(({ timeoutMs }) => timeoutMs);
    expect(limits).toEqual([1.5, undefined, undefined]);
    const patience = [given('priority', 2), given('priority', 1), read()].map(({ isPatient }) => isPatient);
    expect(patience).toEqual([true, false, false]);
    expect(codeOf(asked('timeout', int(2, -1)))).toBe('HR_INVALID');
    expect(codeOf(asked('timeout', int(1, 1)))).toBe('HR_INVALID');
    const refused: unknown = expect.any(String);
    expect([1, 0].map((id) => codeOf(asked('sequence_id', int(2, id))))).toEqual([refused, undefined]);
    const output = (value: number) =>
      message(REQUEST.outputs, [text(1, 'y'), parameter(2, 'classification', int(2, value))]);
    expect([codeOf(output(1)), codeOf(output(0))]).toEqual([refused, undefined]);
    expect(codeOf(inputOf([0], [parameter(4, 'shared_memory_region', text(3, 'r'))]))).toEqual(refused);
  });

  it('asks for all outputs where it names none', () => {
    expect(read(inputOf([0])).outputs).toBeUndefined();
    expect(read(inputOf([0]), message(REQUEST.outputs, [text(1, 'y')])).outputs).toEqual(['y']);
  });
});
