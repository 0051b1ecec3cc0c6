// Messages of gRPC held against protobufjs over the .proto files: what it writes is read as it was meant, what is written it reads, and
// bytes that are nobody's message are refused by a sentence.

import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { type DataType, type Field, HeadraceError, type Value } from '../../src/core/index.ts';
import { readOutcomesRequest } from '../../src/serving/grpc/native/outcomes.ts';
import { readPredictRequest } from '../../src/serving/grpc/native/predict.ts';
import { readPushRequest } from '../../src/serving/grpc/native/push.ts';
import { readReadRequest } from '../../src/serving/grpc/native/read-features.ts';
import { rowsOf } from '../../src/serving/grpc/native/read-rows.ts';
import { readValue } from '../../src/serving/grpc/native/read-value.ts';
import { writeValue } from '../../src/serving/grpc/native/write-value.ts';
import { readAskedModel, readInference } from '../../src/serving/grpc/oip/read-infer-request.ts';
import { writeInferResponse } from '../../src/serving/grpc/oip/write-infer-response.ts';
import { MessageFrames } from '../../src/serving/grpc/transport/message-frames.ts';
import { percentEncoded } from '../../src/serving/grpc/transport/status.ts';
import { WireReader } from '../../src/serving/grpc/wire/wire-reader.ts';
import { PREFIX_BYTES, writeMessage } from '../../src/serving/grpc/wire/wire-writer.ts';
import { runs } from '../support/tier.ts';

const folder = fileURLToPath(new URL('../../proto/', import.meta.url));
const root = new protobuf.Root();
const resolve = root.resolvePath.bind(root);
root.resolvePath = (origin, target) =>
  target.startsWith('google/') ? resolve(origin, target) : `${folder}${target.replace(folder, '')}`;
root.loadSync(['headrace/v1/serving.proto', 'inference/grpc_service.proto'], { keepCase: true });
const typeOf = (name: string): protobuf.Type => root.lookupType(name);
const encoded = (name: string, message: object): Buffer =>
  Buffer.from(typeOf(name).encode(typeOf(name).fromObject(message)).finish());
const decoded = (name: string, bytes: Uint8Array): Record<string, unknown> =>
  typeOf(name).toObject(typeOf(name).decode(bytes), { longs: String, enums: String, arrays: true });
const written = (write: Parameters<typeof writeMessage>[0]): Buffer => writeMessage(write).subarray(PREFIX_BYTES);

const text = fc.string({ unit: 'grapheme', maxLength: 200 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const float = fc.float({ noDefaultInfinity: true, noNaN: true });
const micros = fc.integer({ min: -(2 ** 52), max: 2 ** 52 });

/** A type, and a value of it. */
const scalar: fc.Arbitrary<[DataType, Value]> = fc.oneof(
  fc.boolean().map((value): [DataType, Value] => [{ kind: 'bool' }, value]),
  fc.integer().map((value): [DataType, Value] => [{ kind: 'int32' }, value]),
  int64.map((value): [DataType, Value] => [{ kind: 'int64' }, value]),
  float.map((value): [DataType, Value] => [{ kind: 'float32' }, value]),
  fc.double().map((value): [DataType, Value] => [{ kind: 'float64' }, value]),
  text.map((value): [DataType, Value] => [{ kind: 'string' }, value]),
  fc.uint8Array({ maxLength: 300 }).map((value): [DataType, Value] => [{ kind: 'bytes' }, value]),
  micros.map((value): [DataType, Value] => [{ kind: 'timestamp' }, value]),
  fc
    .array(float, { minLength: 1, maxLength: 60 })
    .map((items): [DataType, Value] => [{ kind: 'vector', size: items.length }, Float32Array.from(items)]),
);
const typed: fc.Arbitrary<[DataType, Value]> = fc.oneof(
  scalar,
  scalar.map(([type]): [DataType, Value] => [type, null]),
  scalar.chain(([type, value]) =>
    fc
      .array(fc.constantFrom(value, null), { maxLength: 20 })
      .map((items): [DataType, Value] => [{ kind: 'list', of: type }, items]),
  ),
);

/** As a client of the .proto file would put it, by hand. */
function asMessage(type: DataType, value: Value): object {
  if (value === null) return { null_value: 0 };
  switch (type.kind) {
    case 'bool':
      return { bool_value: value };
    case 'int32':
    case 'int64':
      return { int64_value: String(value) };
    case 'float32':
    case 'float64':
      return { double_value: value };
    case 'string':
      return { string_value: value };
    case 'bytes':
      return { bytes_value: value };
    case 'timestamp': {
      const seconds = Math.floor((value as number) / 1e6);
      return { timestamp_value: { seconds: String(seconds), nanos: ((value as number) - seconds * 1e6) * 1000 } };
    }
    case 'vector':
      return { vector_value: { items: Array.from(value as Float32Array) } };
    case 'list':
      return { list_value: { items: (value as readonly Value[]).map((item) => asMessage(type.of, item)) } };
  }
}

describe('rows', () => {
  it('are read as they were meant, of every type', () => {
    const row = fc.uniqueArray(fc.tuple(fc.string({ minLength: 1, maxLength: 20 }), typed), {
      selector: ([name]) => name,
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(row, fc.boolean(), (members, isShuffled) => {
        const columns = members.map(([name, [type]]): Field => ({ name, type, isOptional: true }));
        const sent = isShuffled ? members.toReversed() : members;
        const bytes = encoded('headrace.v1.PredictRequest', {
          endpoint: 'e',
          inputs: [
            { columns: Object.fromEntries(sent.map(([name, [type, value]]) => [name, asMessage(type, value)])) },
          ],
        });
        const request = readPredictRequest(bytes);
        const mistakes: never[] = [];
        const parse = rowsOf(request).parser(columns, 'inputs');
        expect(request.endpoint).toBe('e');
        expect(parse(0, mistakes)).toEqual(members.map(([, [, value]]) => value));
        expect(mistakes).toEqual([]);
      }),
    );
  });

  it('with a value of another type are told of, and nothing is made of it', () => {
    fc.assert(
      fc.property(typed, typed, ([type, value], [other]) => {
        const kinds = [type.kind, other.kind].map((kind) => (/int|float/.test(kind) ? 'number' : kind));
        fc.pre(value !== null && kinds[0] !== kinds[1] && !(type.kind === 'string' && other.kind === 'timestamp'));
        const bytes = encoded('headrace.v1.PredictRequest', { inputs: [{ columns: { c: asMessage(type, value) } }] });
        const mistakes: { path: string }[] = [];
        rowsOf(readPredictRequest(bytes)).parser([{ name: 'c', type: other }], 'inputs')(0, mistakes as never[]);
        expect(mistakes.map(({ path }) => path)).toEqual(['inputs[0].c']);
      }),
    );
  });
});

it('values are written as another reads them, and read back as they were', () => {
  fc.assert(
    fc.property(typed, ([type, value]) => {
      const bytes = written((out) => writeValue(out, 1, type, value));
      const [value_] = (decoded('headrace.v1.ListValue', bytes) as { items: object[] }).items;
      // By way of the other's own bytes, which are what the hand-made message gives.
      expect(encoded('headrace.v1.Value', value_ as object)).toEqual(
        encoded('headrace.v1.Value', asMessage(type, value)),
      );
    }),
  );
});

const INFER_TYPES = [
  ['INT64', 'int64', 'int64_contents', int64, BigInt64Array],
  ['UINT64', 'uint64', 'uint64_contents', fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), BigUint64Array],
  ['INT8', 'int8', 'int_contents', fc.integer({ min: -128, max: 127 }), Int8Array],
  ['UINT32', 'uint32', 'uint_contents', fc.integer({ min: 0, max: 2 ** 32 - 1 }), Uint32Array],
  ['FP32', 'float32', 'fp32_contents', fc.float(), Float32Array],
  ['FP64', 'float64', 'fp64_contents', fc.double(), Float64Array],
] as const;

it.each(INFER_TYPES)('tensors of %s go there and back, as contents and raw', (datatype, type, member, item, Array_) => {
  fc.assert(
    fc.property(fc.array<number | bigint>(item, { maxLength: 80 }), (items) => {
      // The items are of the array's kind.
      const data = (Array_ as unknown as { from(items: readonly unknown[]): Float32Array }).from(items);
      const shape = [items.length];
      const answer = { version: '3', outputs: [{ name: 'x', type, shape, data }] };
      const form = { isRaw: false, saysFinal: false };
      const contents = written((out) => writeInferResponse(out, { model: 'm', id: 'i' }, answer, form));
      const told = decoded('inference.ModelInferResponse', contents);
      expect(told).toMatchObject({ model_name: 'm', model_version: '3', id: 'i', raw_output_contents: [] });
      const [output] = told['outputs'] as [{ readonly contents: object }];
      expect(output).toMatchObject({ name: 'x', datatype, shape: shape.map(String) });
      const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      const inputs = [{ name: 'x', datatype, shape, contents: output.contents }];
      for (const request of [
        { model_name: 'm', inputs },
        { model_name: 'm', inputs: [{ name: 'x', datatype, shape }], raw_input_contents: [raw] },
      ]) {
        // Nothing of an empty repeated field is sent.
        const read = readInference(encoded('inference.ModelInferRequest', request));
        expect(read.inputs).toEqual([{ name: 'x', type, shape, data }]);
      }
      expect(Object.keys(output.contents)).toContain(member);
    }),
  );
});

describe('bytes that are nobody’s message', () => {
  const readers: readonly ((bytes: Buffer) => unknown)[] = [
    (bytes) => {
      const rows = rowsOf(readPredictRequest(bytes));
      const parse = rows.parser([{ name: 'c', type: { kind: 'list', of: { kind: 'int64' } } }], 'inputs');
      for (let place = 0; place < rows.count; place++) parse(place, []);
    },
    readReadRequest,
    readPushRequest,
    readOutcomesRequest,
    readAskedModel,
    readInference,
    (bytes) => readValue(new WireReader(bytes)),
  ];
  const refusesAtMost = (bytes: Buffer): void => {
    for (const read of readers) {
      try {
        read(bytes);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(HeadraceError);
        expect((thrown as HeadraceError).status).toBe(400);
      }
    }
  };
  it('are refused by a sentence, or read as far as they go', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => refusesAtMost(Buffer.from(bytes))),
      { numRuns: runs(3000) },
    );
  });

  it('and so are empty rows beyond what the message has bytes', () => {
    const shape = ['9007199254740991', '0'];
    const bytes = encoded('inference.ModelInferRequest', {
      model_name: 'm',
      inputs: [{ name: 'x', datatype: 'FP32', shape }],
    });
    expect(() => readInference(bytes)).toThrow(
      /inputs\[0\].shape: has more elements than a message of \d+ bytes can hold/,
    );
  });

  it('and so are messages with bytes changed, left out and put in', () => {
    const infer = encoded('inference.ModelInferRequest', {
      model_name: 'm',
      parameters: { timeout: { int64_param: '5' }, priority: { uint64_param: '1' } },
      inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 2], contents: { fp32_contents: [1, 2, 3, 4] } }],
      outputs: [{ name: 'y' }],
    });
    const predict = encoded('headrace.v1.PredictRequest', {
      endpoint: 'checkout',
      inputs: [
        { columns: { c: { list_value: { items: [{ int64_value: '-1' }, { timestamp_value: { seconds: 1 } }] } } } },
      ],
    });
    const change = fc.tuple(fc.nat(), fc.constantFrom('set', 'cut', 'put'), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(
        fc.constantFrom(infer, predict),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        (whole, changes) => {
          let bytes = [...whole];
          for (const [at, what, byte] of changes) {
            const place = at % (bytes.length + 1);
            if (what === 'cut') bytes = bytes.slice(0, place);
            else bytes.splice(place, what === 'set' ? 1 : 0, byte);
          }
          refusesAtMost(Buffer.from(bytes));
        },
      ),
      { numRuns: runs(3000) },
    );
  });

  it('come in no more pieces than can be put together: each would copy those before it', () => {
    const pieces = (count: number): Buffer => {
      const piece = Buffer.from([42, 6, 50, 4, 0, 0, 128, 63]);
      const input = Buffer.concat([
        Buffer.from([10, 1, 120, 18, 4]),
        Buffer.from('FP32'),
        Buffer.concat([Buffer.from([26]), varint(varint(count).length), varint(count)]),
        ...Array.from({ length: count }, () => piece),
      ]);
      return Buffer.concat([Buffer.from([42]), varint(input.length), input]);
    };
    expect(readInference(pieces(100)).inputs).toEqual([
      { name: 'x', type: 'float32', shape: [100], data: new Float32Array(100).fill(1) },
    ]);
    expect(() => readInference(pieces(10_000))).toThrow('more than 1000 pieces');
  });

  it('nest no deeper than they are read', () => {
    let nested = Buffer.alloc(0);
    for (let depth = 0; depth < 5000; depth++) {
      const inner = Buffer.concat([Buffer.from([10]), varint(nested.length), nested]);
      nested = Buffer.concat([Buffer.from([66]), varint(inner.length), inner]);
    }
    expect(() => readValue(new WireReader(nested))).toThrow('lists are too deep');
    refusesAtMost(Buffer.alloc(100_000, 0x0b));
  });
});

function varint(value: number): Buffer {
  return written((out) => out.packedInt(value));
}

it('messages come whole out of any pieces', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 }),
      (messages, sizes) => {
        const whole = Buffer.concat(messages.map((message) => writeMessage((out) => out.raw(message))));
        const frames = new MessageFrames(1000);
        const got: Buffer[] = [];
        for (let at = 0, i = 0; at < whole.length; i++) {
          const size = sizes[i % sizes.length] as number;
          for (const frame of frames.push(whole.subarray(at, at + size))) got.push(Buffer.from(frame.bytes));
          at += size;
        }
        expect(got.map((bytes) => [...bytes])).toEqual(messages.map((message) => [...message]));
        expect(frames.isBegun).toBe(false);
      },
    ),
  );
});

it('a status’ sentence comes out of its encoding as it was, in header characters alone', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (sentence) => {
      const header = percentEncoded(sentence.toWellFormed());
      expect(header).toMatch(/^[\x20-\x7e]*$/);
      expect(decodeURIComponent(header)).toBe(sentence.toWellFormed());
    }),
  );
});
