// Messages of gRPC held against protobufjs over the .proto files, read and written; other bytes are refused by a sentence.

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
import { message } from '../support/protobuf.ts';
import { runs } from '../support/tier.ts';
import { int64, TYPES, valueOf } from '../support/typed-values.ts';

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
const micros = fc.integer({ min: -(2 ** 52), max: 2 ** 52 });
const OWN = {
  float32: fc.float({ noDefaultInfinity: true, noNaN: true }),
  float64: fc.double(),
  string: text,
  bytes: fc.uint8Array({ maxLength: 300 }),
  timestamp: micros,
};

/** A type, and a value of it. */
type Typed = [DataType, Value];
const vector = fc.integer({ min: 1, max: 60 }).map((size): DataType => ({ kind: 'vector', size }));
const scalar = fc
  .oneof({ weight: 8, arbitrary: fc.constantFrom(...TYPES.slice(0, 8)) }, vector)
  .chain((type) => valueOf(type, OWN).map((value): Typed => [type, value]));
const typed = fc.oneof(
  scalar,
  scalar.map(([type]): Typed => [type, null]),
  scalar.chain(([type, value]) => {
    const items = fc.array(fc.constantFrom(value, null), { maxLength: 20 });
    return items.map((list): Typed => [{ kind: 'list', of: type }, list]);
  }),
);

/** As a client of the .proto file would put it, by hand. */
function asMessage(type: DataType, value: Value): object {
  if (value === null) return { null_value: 0 };
  if (type.kind === 'timestamp') {
    const seconds = Math.floor((value as number) / 1e6);
    return { timestamp_value: { seconds: String(seconds), nanos: ((value as number) - seconds * 1e6) * 1000 } };
  }
  if (type.kind === 'vector') return { vector_value: { items: Array.from(value as Float32Array) } };
  if (type.kind === 'list')
    return { list_value: { items: (value as readonly Value[]).map((item) => asMessage(type.of, item)) } };
  if (type.kind.startsWith('int')) return { int64_value: String(value) };
  return { [`${type.kind.startsWith('float') ? 'double' : type.kind}_value`]: value };
}
const rowOf = (members: readonly (readonly [name: string, Typed])[]) => ({
  columns: Object.fromEntries(members.map(([name, [type, value]]) => [name, asMessage(type, value)])),
});

describe('rows', () => {
  it('are read as they were meant, of every type', () => {
    const member = fc.tuple(fc.string({ minLength: 1, maxLength: 20 }), typed);
    const row = fc.uniqueArray(member, { selector: ([name]) => name, minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(row, fc.boolean(), (members, isShuffled) => {
        const columns = members.map(([name, [type]]): Field => ({ name, type, isOptional: true }));
        const inputs = [rowOf(isShuffled ? members.toReversed() : members)];
        const request = readPredictRequest(encoded('headrace.v1.PredictRequest', { endpoint: 'e', inputs }));
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
        const bytes = encoded('headrace.v1.PredictRequest', { inputs: [rowOf([['c', [type, value]]])] });
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
      const list = written((out) => writeValue(out, 1, type, value));
      const [told] = decoded('headrace.v1.ListValue', list)['items'] as [object];
      // By way of the other's own bytes, which are what the hand-made message gives.
      expect(encoded('headrace.v1.Value', told)).toEqual(encoded('headrace.v1.Value', asMessage(type, value)));
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
      const input = { name: 'x', datatype, shape };
      for (const request of [
        { inputs: [{ ...input, contents: output.contents }] },
        { inputs: [input], raw_input_contents: [raw] },
      ]) {
        const read = readInference(encoded('inference.ModelInferRequest', { model_name: 'm', ...request }));
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
    const bytes = fc.uint8Array({ maxLength: 200 }).map((one) => Buffer.from(one));
    fc.assert(fc.property(bytes, refusesAtMost), { numRuns: runs(3000) });
  });

  it('and so are empty rows beyond what the message has bytes', () => {
    const inputs = [{ name: 'x', datatype: 'FP32', shape: ['9007199254740991', '0'] }];
    const bytes = encoded('inference.ModelInferRequest', { model_name: 'm', inputs });
    const told = /inputs\[0\].shape: has more elements than a message of \d+ bytes can hold/;
    expect(() => readInference(bytes)).toThrow(told);
  });

  it('and so are messages with bytes changed, left out and put in', () => {
    const infer = encoded('inference.ModelInferRequest', {
      model_name: 'm',
      parameters: { timeout: { int64_param: '5' }, priority: { uint64_param: '1' } },
      inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 2], contents: { fp32_contents: [1, 2, 3, 4] } }],
      outputs: [{ name: 'y' }],
    });
    const items = [{ int64_value: '-1' }, { timestamp_value: { seconds: 1 } }];
    const inputs = [{ columns: { c: { list_value: { items } } } }];
    const predict = encoded('headrace.v1.PredictRequest', { endpoint: 'checkout', inputs });
    const change = fc.tuple(fc.nat(), fc.constantFrom('set', 'cut', 'put'), fc.integer({ min: 0, max: 255 }));
    const changes = fc.array(change, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(infer, predict), changes, (whole, made) => {
        let bytes = [...whole];
        for (const [at, what, byte] of made) {
          const place = at % (bytes.length + 1);
          if (what === 'cut') bytes = bytes.slice(0, place);
          else bytes.splice(place, what === 'set' ? 1 : 0, byte);
        }
        refusesAtMost(Buffer.from(bytes));
      }),
      { numRuns: runs(3000) },
    );
  });

  it('nest no deeper than they are read', () => {
    let nested: Buffer = Buffer.alloc(0);
    for (let depth = 0; depth < 5000; depth++) nested = message(8, [message(1, [nested])]);
    expect(() => readValue(new WireReader(nested))).toThrow('lists are too deep');
    refusesAtMost(Buffer.alloc(100_000, 0x0b));
  });
});

it('messages come whole out of any pieces', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 });
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(messages, sizes, (sent, pieces) => {
      const whole = Buffer.concat(sent.map((message) => writeMessage((out) => out.raw(message))));
      const frames = new MessageFrames(1000);
      const got: Buffer[] = [];
      for (let at = 0, i = 0; at < whole.length; i++) {
        const size = pieces[i % pieces.length] as number;
        for (const frame of frames.push(whole.subarray(at, at + size))) got.push(Buffer.from(frame.bytes));
        at += size;
      }
      expect(got.map((bytes) => [...bytes])).toEqual(sent.map((message) => [...message]));
      expect(frames.isBegun).toBe(false);
    }),
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
