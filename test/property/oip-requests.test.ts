// Tensors of the Open Inference Protocol there and back, whatever their datatype, shape and form; and bodies that are cut,
// altered, or lie about lengths, shapes and datatypes: a request, or an error of the client's.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERRORS, HeadraceError } from '../../src/core/index.ts';
import { fromHalf, type TensorType, toHalf } from '../../src/models/index.ts';
import { writeInferAnswer } from '../../src/serving/http/oip/write-infer-answer.ts';
import { type InferBody, readInferBody } from '../../src/serving/http/oip/read-infer-body.ts';
import { type DescribedTensor, datatypeOf, KNOWN_DATATYPES, tensorTypeOf } from '../../src/serving/oip/tensors.ts';
import { runs } from '../support/tier.ts';

/** An element as plain JavaScript has it: what it is after all conversions. */
type Plain = number | bigint | string | boolean;

interface Sample {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly elements: readonly Plain[];
}

const float = (values: fc.Arbitrary<number>) => fc.oneof({ weight: 9, arbitrary: values }, fc.constant(-0));
const ELEMENTS: Readonly<Record<string, fc.Arbitrary<Plain>>> = {
  BOOL: fc.boolean(),
  UINT8: fc.integer({ min: 0, max: 255 }),
  UINT16: fc.integer({ min: 0, max: 65_535 }),
  UINT32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  UINT64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  INT8: fc.integer({ min: -128, max: 127 }),
  INT16: fc.integer({ min: -32_768, max: 32_767 }),
  INT32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  INT64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  FP16: float(fc.integer({ min: 0, max: 65_535 }).map((bits) => fromHalf(bits))),
  FP32: float(fc.float()),
  FP64: float(fc.double()),
  BYTES: fc.string({ unit: 'grapheme', maxLength: 12 }),
};

const samples: fc.Arbitrary<Sample[]> = fc.uniqueArray(
  fc.tuple(fc.string({ minLength: 1, maxLength: 6 }), fc.constantFrom(...KNOWN_DATATYPES)).chain(([name, datatype]) =>
    fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }).chain((shape) => {
      const count = shape.reduce((product, size) => product * size, 1);
      const element = ELEMENTS[datatype] as fc.Arbitrary<Plain>;
      return fc
        .array(element, { minLength: count, maxLength: count })
        .map((elements): Sample => ({ name, datatype, shape, elements }));
    }),
  ),
  { selector: ({ name }) => name, minLength: 1, maxLength: 4 },
);

// The oracle: what a client would write, element by element, with nothing of ours.

function jsonElement(element: Plain): string {
  if (typeof element === 'bigint') return String(element);
  // As Python and C++ write it.
  if (Object.is(element, -0)) return '-0.0';
  if (typeof element === 'number' && !Number.isFinite(element)) return Number.isNaN(element) ? 'NaN' : String(element);
  return JSON.stringify(element);
}

function nested(elements: readonly string[], shape: readonly number[]): string {
  const [size = 0, ...inner] = shape;
  if (shape.length === 0) return elements[0] as string;
  const step = inner.reduce((product, one) => product * one, 1);
  const items = Array.from({ length: size }, (_, at) => nested(elements.slice(at * step, (at + 1) * step), inner));
  return `[${items.join(',')}]`;
}

function binaryOf({ datatype, elements }: Sample): Buffer {
  const parts = elements.map((element) => {
    const part = Buffer.alloc(8);
    switch (datatype) {
      case 'BYTES': {
        const text = Buffer.from(String(element));
        const length = Buffer.alloc(4);
        length.writeUInt32LE(text.length);
        return Buffer.concat([length, text]);
      }
      case 'BOOL':
        return Buffer.from([element === true ? 1 : 0]);
      case 'FP64':
        part.writeDoubleLE(element as number);
        return part;
      case 'FP32':
        part.writeFloatLE(element as number);
        return part.subarray(0, 4);
      case 'FP16':
        part.writeUInt16LE(toHalf(element as number));
        return part.subarray(0, 2);
      default: {
        part.writeBigInt64LE(BigInt.asIntN(64, BigInt(element as number)));
        return part.subarray(0, Number(/\d+$/.exec(datatype)?.[0]) / 8);
      }
    }
  });
  return Buffer.concat(parts);
}

type Form = 'flat' | 'nested' | 'binary';

function bodyOf(tensors: readonly Sample[], forms: readonly Form[]) {
  const binary: Buffer[] = [];
  const inputs = tensors.map((tensor, at) => {
    const { name, datatype, shape, elements } = tensor;
    const start = `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}]`;
    const form = forms[at % forms.length];
    if (form === 'binary') {
      const data = binaryOf(tensor);
      binary.push(data);
      return `${start},"parameters":{"binary_data_size":${data.length}}}`;
    }
    const texts = elements.map(jsonElement);
    return `${start},"data":${form === 'flat' ? `[${texts.join(',')}]` : nested(texts, shape)}}`;
  });
  // Room for shapes of many elements that are empty: a body can't hold less than a byte an element.
  const json = Buffer.from(`{"inputs":[${inputs.join(',')}]}`);
  return { body: Buffer.concat([json, ...binary]), length: json.length };
}

function plainOf({ inputs }: Pick<InferBody, 'inputs'>): unknown {
  return inputs.map(({ name, type, shape, data }) => ({
    name,
    datatype: datatypeOf(type),
    shape,
    elements: Array.from(data as ArrayLike<Plain>, (element) => plainElement(type, element)),
  }));
}

function plainElement(type: TensorType, element: Plain): Plain {
  if (type === 'bool') return element === 1;
  if (type === 'float16') return fromHalf(element as number);
  return element;
}

const noInputs = (): readonly DescribedTensor[] => [];

const someForms = fc.array(fc.constantFrom<Form>('flat', 'nested', 'binary'), { minLength: 1, maxLength: 4 });

it('a request is the tensors that were sent, flat, nested or binary', () => {
  fc.assert(
    fc.property(samples, someForms, (tensors, forms) => {
      const { body, length } = bodyOf(tensors, forms);
      expect(plainOf(readInferBody(body, length, noInputs))).toEqual(tensors);
    }),
  );
});

it('an answer is the tensors that were given, in JSON and in binary', () => {
  fc.assert(
    fc.property(samples, fc.boolean(), (tensors, isBinary) => {
      const { body, length } = bodyOf(tensors, ['binary']);
      const { inputs } = readInferBody(body, length, noInputs);
      const { json, binary = [] } = writeInferAnswer('m', { version: '1', outputs: inputs }, 'i', () => isBinary);
      // Strict JSON, whatever the numbers.
      expect(JSON.parse(json)).toMatchObject({ model_name: 'm', model_version: '1', id: 'i' });
      const asRequest = Buffer.from(json.replace('"outputs":', '"inputs":'));
      const again = readInferBody(Buffer.concat([asRequest, ...binary]), asRequest.length, noInputs);
      expect(plainOf(again)).toEqual(plainOf({ inputs }));
    }),
  );
});

/** What is read of it: `request`, or the status of what refuses it. What is no error of the catalogue is thrown. */
function outcome(body: Buffer, length: number | undefined, inputs = noInputs): number | 'request' {
  try {
    const read = readInferBody(body, length, inputs);
    for (const { shape, data, type } of read.inputs) {
      expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
      expect(tensorTypeOf(datatypeOf(type))).toBe(type);
    }
    return 'request';
  } catch (thrown) {
    if (thrown instanceof HeadraceError) return ERRORS[thrown.code].status;
    throw thrown;
  }
}

it('a request may have null for what it need not have, as clients write who leave nothing out', () => {
  const read = (more: object): InferBody => {
    const tensor = { name: 'x', datatype: 'FP32', shape: [1], data: [2], parameters: null };
    return readInferBody(Buffer.from(JSON.stringify({ inputs: [tensor], ...more })), undefined, noInputs);
  };
  const { isBinary: _, ...plain } = read({});
  expect(read({ id: null, parameters: null, outputs: null })).toMatchObject(plain);
  expect(
    read({ parameters: { timeout: null, priority: null, binary_data_output: null, sequence_id: null } }),
  ).toMatchObject(plain);
  expect(read({ outputs: [{ name: 'y', parameters: null }] }).outputs).toEqual(['y']);
});

describe('what is no request', () => {
  const altered = samples.chain((tensors) =>
    fc
      .record({
        forms: someForms,
        flips: fc.array(fc.tuple(fc.nat(4000), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
        cut: fc.option(fc.nat(4000)),
        length: fc.option(fc.nat(4000)),
      })
      .map(({ forms, flips, cut, length: lie }) => {
        const { body, length } = bodyOf(tensors, forms);
        for (const [at, byte] of flips) if (body.length > 0) body[at % body.length] = byte;
        return { body: cut === null ? body : body.subarray(0, cut % (body.length + 1)), length: lie ?? length };
      }),
  );

  const isTold = (given: fc.Arbitrary<{ body: Buffer; length: number | undefined; takes?: DescribedTensor[] }>): void =>
    fc.assert(
      fc.property(given, ({ body, length, takes }) => {
        expect(['request', 400]).toContain(outcome(body, length, () => takes ?? []));
      }),
      { numRuns: runs(1000) },
    );

  it('is told as the client’s mistake, wherever it is cut or altered', () => isTold(altered));

  it('is told so of any JSON in any place', () => {
    const json = fc.jsonValue({ maxDepth: 4 });
    const tensor = fc.record(
      {
        name: fc.oneof(fc.string(), json),
        datatype: fc.oneof(fc.constantFrom(...KNOWN_DATATYPES, 'BF16', 'fp32', ''), json),
        shape: fc.oneof(fc.array(fc.oneof(fc.integer(), fc.double(), json), { maxLength: 5 }), json),
        data: json,
        parameters: fc.oneof(fc.record({ binary_data_size: fc.oneof(fc.integer(), json) }), json),
      },
      { requiredKeys: [] },
    );
    const body = fc.record(
      {
        id: json,
        parameters: fc.oneof(json, fc.record({ timeout: json, priority: json, binary_data_output: json })),
        inputs: fc.oneof(fc.array(tensor, { maxLength: 3 }), json),
        outputs: fc.oneof(fc.array(fc.record({ name: json, parameters: json }), { maxLength: 3 }), json),
      },
      { requiredKeys: [] },
    );
    const bytes = fc.oneof(body, json).map((value) => Buffer.from(JSON.stringify(value)));
    isTold(fc.record({ body: bytes, length: fc.option(fc.nat(300), { nil: undefined }) }));
  });

  it('is told so of a body that is data alone, whatever the model takes', () => {
    const inputs = fc.array(
      fc.record({
        name: fc.string(),
        datatype: fc.constantFrom(...KNOWN_DATATYPES),
        shape: fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 3 }),
      }),
      { maxLength: 2 },
    );
    const takes = inputs as fc.Arbitrary<unknown> as fc.Arbitrary<DescribedTensor[]>;
    const body = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
    isTold(fc.record({ body, takes, length: fc.constant(0) }));
  });

  it.each([
    ['a shape of more elements than there can be', { shape: [2 ** 31, 2 ** 31], datatype: 'FP32', data: [] }],
    ['a shape of a million elements with none', { shape: [1_000_000], datatype: 'FP32', data: [] }],
    ['a million empty rows', { shape: [1_000_000, 0], datatype: 'FP32', data: [[]] }],
    ['more empty rows than the body has bytes', { shape: [9_007_199_254_740_991, 0], datatype: 'FP32', data: [] }],
    ['more rows of nothing than the body has bytes', { shape: [0, 2 ** 40], datatype: 'FP32', data: [] }],
    ['a negative size', { shape: [-1], datatype: 'FP32', data: [1] }],
    ['BF16', { shape: [1], datatype: 'BF16', data: [1] }],
    ['an overflow', { shape: [1], datatype: 'FP32', data: [1e39] }],
    ['a fraction for a whole number', { shape: [1], datatype: 'INT32', data: [1.5] }],
    ['a number for a BOOL', { shape: [1], datatype: 'BOOL', data: [1] }],
    ['a number past INT8', { shape: [1], datatype: 'INT8', data: [128] }],
    ['a negative UINT64', { shape: [1], datatype: 'UINT64', data: [-1] }],
    ['half of a surrogate pair', { shape: [1], datatype: 'BYTES', data: ['\ud800'] }],
    ['rows of different lengths', { shape: [2, 2], datatype: 'FP32', data: [[1], [2, 3, 4]] }],
    ['thirty-three dimensions', { shape: Array.from({ length: 33 }, () => 1), datatype: 'FP32', data: [1] }],
  ])('is %s', (_what, tensor) => {
    const body = Buffer.from(JSON.stringify({ inputs: [{ name: 'x', ...tensor }] }));
    expect(outcome(body, undefined)).toBe(400);
  });

  it.each(['FP16', 'FP32', 'FP64', 'INT32'])(
    'says how an infinity is written where it was to be a float: %s',
    (datatype) => {
      const body = Buffer.from(JSON.stringify({ inputs: [{ name: 'x', shape: [1], datatype, data: ['inf'] }] }));
      const hint = datatype.startsWith('FP')
        ? /got string "inf"\. An infinity goes as "Infinity"\.?$/
        : /got string "inf"\.?$/;
      expect(() => readInferBody(body, undefined, noInputs)).toThrow(hint);
    },
  );

  it('is told which member was meant, unless it has more of them than anybody sends', () => {
    const read = (members: object) => () => readInferBody(Buffer.from(JSON.stringify(members)), undefined, noInputs);
    expect(read({ id: 'a', input: [] })).toThrow('Did you mean "inputs"?');
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`inpu${at}`, 0]));
    expect(read(many)).toThrow('inputs: expected an array, got nothing');
  });

  it('is data of a text that says it is longer than all that follows', () => {
    const json = Buffer.from(
      '{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":8}}]}',
    );
    const data = Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]);
    expect(outcome(Buffer.concat([json, data]), json.length)).toBe(400);
    expect(outcome(Buffer.concat([json, data, data]), json.length)).toBe(400);
    data.writeUInt32LE(4);
    expect(outcome(Buffer.concat([json, data]), json.length)).toBe('request');
    // No UTF-8.
    data[4] = 0xff;
    expect(outcome(Buffer.concat([json, data]), json.length)).toBe(400);
  });
});
