// Messages of each format as rows of a push.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import avro from 'avsc';
import protobuf from 'protobufjs';
import descriptors from 'protobufjs/ext/descriptor.js';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import type { DataType } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { avroDecoder } from '../../src/streams/decode/avro.ts';
import { Undecodable } from '../../src/streams/decode/decoder.ts';
import { createProtobufRoot } from '../../src/streams/decode/protobuf-root.ts';
import { topMessages } from '../../src/streams/decode/registered-protobuf.ts';
import { type DecoderPlace, openDecoder, openSchemaRegistry } from '../../src/streams/index.ts';
import { startSchemaRegistry } from '../support/schema-registry.ts';

const directory = mkdtempSync(join(tmpdir(), 'headrace-decode-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const TYPES: Readonly<Record<string, DataType['kind'] | DataType>> = {
  id: 'int64',
  n: 'int32',
  x: 'float64',
  s: 'string',
  ok: 'bool',
  raw: 'bytes',
  at: 'timestamp',
  tags: { kind: 'list', of: { kind: 'string' } },
};
const columns = Object.entries(TYPES).map(([name, type]) => ({
  name,
  type: (typeof type === 'string' ? { kind: type } : type) as DataType,
}));
const sourceOf = (location: SourceSpec['location']): SourceSpec => ({
  name: 'events',
  kind: 'kafka',
  location,
  columns,
  derive: [],
  eventTime: 'at',
  knownTime: { kind: 'column', column: 'at' },
  pushes: 'keep',
});
const open = (location: SourceSpec['location'], more: Partial<DecoderPlace> = {}) =>
  openDecoder(sourceOf(location), { directory, ...more });
const file = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text);
  return name;
};
const BIG = 9_007_199_254_740_993n;
const ROW = { id: BIG, n: 7, x: 1.5, s: 'é', ok: true, raw: 'AQI=', at: '2026-01-02T03:04:05.678Z', tags: ['a', 'b'] };
const AT_MS = Date.parse(ROW.at);

describe('JSON', () => {
  it('keeps all digits, and leaves times as they are', async () => {
    const decode = await open({ format: 'json' });
    expect(decode(Buffer.from(`{"id":${BIG},"at":"x","other":[1]}`))).toEqual({ id: BIG, at: 'x', other: [1] });
    expect(decode(Buffer.from('{"at":5}'))).toEqual({ at: 5 });
  });

  it.each([
    ['s', 1_767_323_045.678],
    ['ms', AT_MS],
    ['us', AT_MS * 1000],
  ] as const)('takes times that are numbers in %s', async (timeUnit, at) => {
    const decode = await open({ format: 'json', timeUnit });
    expect(decode(Buffer.from(JSON.stringify({ at })))).toEqual({ at: ROW.at });
    expect(decode(Buffer.from('{"at":"2026-01-02"}'))).toEqual({ at: '2026-01-02' });
    expect(decode(Buffer.from('{"at":1e300}'))).toEqual({ at: 1e300 });
  });

  it.each([
    ['nothing', ''],
    ['half an object', '{"id":1'],
    ['a number', '7'],
    ['an array', '[{}]'],
    ['null', 'null'],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ])('refuses %s', async (_name, value) => {
    const decode = await open({ format: 'json' });
    expect(() => decode(Buffer.from(value))).toThrow(/^it is no JSON/);
  });
});

const AVSC = {
  type: 'record',
  name: 'Event',
  namespace: 'shop',
  fields: [
    { name: 'extra', type: { type: 'enum', name: 'Kind', symbols: ['ONE', 'TWO'] } },
    { name: 'id', type: 'long' },
    { name: 'n', type: ['null', 'int'] },
    { name: 'x', type: 'double' },
    { name: 's', type: 'string' },
    { name: 'ok', type: ['null', 'boolean'] },
    { name: 'raw', type: 'bytes' },
    { name: 'at', type: ['null', { type: 'long', logicalType: 'timestamp-millis' }] },
    { name: 'tags', type: { type: 'array', items: 'string' } },
  ],
};
/** Written by the library's own types, whose longs are numbers: all that is held against it here are its bytes. */
const avroBytes = (schema: object, record: object): Buffer =>
  avro.Type.forSchema(schema as avro.Schema).toBuffer(record);
/** A long as Avro has it: zigzag, seven bits a byte. */
function longBytes(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  for (; left > 0x7fn; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(left)]);
}
/** A file of a record's schema. */
const avroFile = (name: string, ...fields: readonly (readonly [name: string, type: unknown])[]) => {
  const schema = { type: 'record', name: 'E', fields: fields.map(([name, type]) => ({ name, type })) };
  return { schema, location: { format: 'avro', schema: file(`${name}.avsc`, JSON.stringify(schema)) } as const };
};
const decimalOf = (precision: number, scale: number) => ({ type: 'bytes', logicalType: 'decimal', precision, scale });
const avroRecord = {
  extra: 'TWO',
  id: 12,
  n: 7,
  x: 1.5,
  s: 'é',
  ok: true,
  raw: Buffer.from([1, 2]),
  at: AT_MS,
  tags: ['a', 'b'],
};

describe('Avro', () => {
  const avsc = file('event.avsc', JSON.stringify(AVSC));

  it('reads a record by the columns', async () => {
    const decode = await open({ format: 'avro', schema: avsc });
    expect(decode(avroBytes(AVSC, avroRecord))).toEqual({ ...ROW, id: 12n });
    expect(decode(avroBytes(AVSC, { ...avroRecord, n: null, at: null, x: NaN }))).toMatchObject({
      n: null,
      at: null,
      x: 'NaN',
    });
  });

  it('keeps all digits of a long', async () => {
    const decode = await open(avroFile('long', ['id', 'long']).location);
    for (const id of [BIG, -BIG, 2n ** 63n - 1n, -(2n ** 63n)]) expect(decode(longBytes(id))).toMatchObject({ id });
  });

  it.each([
    ['timestamp-micros', { type: 'long', logicalType: 'timestamp-micros' }, AT_MS * 1000, ROW.at],
    ['date', { type: 'int', logicalType: 'date' }, Math.floor(AT_MS / 86_400_000), '2026-01-02T00:00:00Z'],
  ])('knows %s', async (name, type, at, expected) => {
    const { schema, location } = avroFile(name, ['at', type]);
    const decode = await open(location);
    expect(decode(avroBytes(schema, { at }))).toMatchObject({ at: expect.stringContaining(expected.slice(0, 19)) });
  });

  it('knows times in nanoseconds, to the microsecond', async () => {
    const decode = await open(avroFile('nanos', ['at', { type: 'long', logicalType: 'timestamp-nanos' }]).location);
    expect(decode(longBytes(BigInt(AT_MS) * 1_000_000n + 1999n))).toMatchObject({ at: '2026-01-02T03:04:05.678001Z' });
  });

  it('knows decimals, and times that only the source knows the unit of', async () => {
    const { schema, location } = avroFile('decimal', ['x', decimalOf(9, 2)], ['at', 'long']);
    const decode = await open({ ...location, timeUnit: 'ms' });
    const message = avroBytes(schema, { x: Buffer.from([0xff, 0x85]), at: AT_MS });
    expect(decode(message)).toMatchObject({ x: -1.23, at: ROW.at });
  });

  it('knows them in lists too', async () => {
    const listOf = (items: unknown) => ({ type: 'array', items });
    const { schema, location } = avroFile(
      'lists',
      ['days', listOf(['null', { type: 'int', logicalType: 'date' }])],
      ['amounts', listOf(decimalOf(9, 2))],
    );
    const column = (name: string, kind: 'timestamp' | 'float64') => {
      return { name, type: { kind: 'list', of: { kind } } as const };
    };
    const source = { ...sourceOf(location), columns: [column('days', 'timestamp'), column('amounts', 'float64')] };
    const decode = await openDecoder(source, { directory });
    const message = avroBytes(schema, { days: [1, null], amounts: [Buffer.from([0xff, 0x85])] });
    expect(decode(message)).toEqual({ days: ['1970-01-02T00:00:00Z', null], amounts: [-1.23] });
  });

  it('has every digit of a decimal that is whole', async () => {
    const { schema, location } = avroFile('whole', ['id', decimalOf(20, 1)]);
    const decode = await open(location);
    const ofTenths = (tenths: bigint) => {
      const id = Buffer.alloc(9);
      id.writeBigInt64BE(tenths, 1);
      return avroBytes(schema, { id });
    };
    expect(decode(ofTenths(90_071_992_547_409_930n))).toMatchObject({ id: 9_007_199_254_740_993n });
    expect(decode(ofTenths(15n))).toMatchObject({ id: 1.5 });
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['half of one', avroBytes(AVSC, avroRecord).subarray(0, 5)],
    ['more than one', Buffer.concat([avroBytes(AVSC, avroRecord), Buffer.from([1])])],
  ])('refuses %s', async (_name, bytes) => {
    const decode = await open({ format: 'avro', schema: avsc });
    expect(() => decode(bytes)).toThrow(/^it is no Avro of the schema/);
  });

  it('says that the schema is missing, or is none', async () => {
    await expect(open({ format: 'avro', schema: 'none.avsc' })).rejects.toMatchObject({ code: 'HR_STREAM_SCHEMA' });
    await expect(open({ format: 'avro', schema: file('bad.avsc', '{"type":"no"}') })).rejects.toMatchObject({
      code: 'HR_STREAM_SCHEMA',
      message: expect.stringMatching(/bad\.avsc/),
    });
  });
});

describe('a union of Avro: the value is that of the branch it was written by', () => {
  const ENUM = { type: 'enum', name: 'E', symbols: ['A', 'B'] };
  /** Decodes a record whose field `a`, a union, holds `value`: an object with the branch's name. */
  const decoded = async (union: unknown, type: DataType | DataType['kind'], value: unknown): Promise<unknown> => {
    const schema = { type: 'record', name: 'R', fields: [{ name: 'a', type: union }] };
    const written = avro.Type.forSchema(schema as avro.Schema, { wrapUnions: true }).toBuffer({ a: value });
    const column = { name: 'a', type: (typeof type === 'string' ? { kind: type } : type) as DataType };
    return (await avroDecoder(schema, { name: 'messages', columns: [column] })(written))['a'];
  };
  const NUMBERS = ['null', 'float', 'double'];
  const DATE = { type: 'int', logicalType: 'date' };
  const NANOS = { type: 'long', logicalType: 'timestamp-nanos' };
  const MOMENT = { type: 'long', logicalType: 'timestamp-micros' };

  it.each([
    [['null', 'long'], 'int64', { long: 5 }, 5n],
    [['null', 'string', 'bytes'], 'string', { string: 'x' }, 'x'],
    [['null', 'string', 'long'], 'int64', { long: 7 }, 7n],
    [['null', decimalOf(9, 2), 'string'], 'float64', { bytes: Buffer.from([0x00, 0x85]) }, 1.33],
    [['null', 'string', MOMENT], 'timestamp', { long: 1_000_000 }, '1970-01-01T00:00:01Z'],
  ] as const)('of types that no value is of two of: %j', async (union, kind, value, is) => {
    expect(await decoded(union, kind, value)).toBe(is);
  });

  it.each([
    [NUMBERS, 'float64', { double: 1.5 }, 1.5],
    [NUMBERS, 'float64', { float: NaN }, 'NaN'],
    [NUMBERS, 'float64', null, null],
    [['null', 'int', 'string', 'double'], 'float64', { double: 1.5 }, 1.5],
    [['null', 'int', 'string', 'double'], 'int32', { int: 3 }, 3],
    [['int', 'long'], 'int64', { long: 5 }, 5n],
    [['null', ENUM, 'string'], 'string', { E: 'A' }, 'A'],
    [['null', DATE, MOMENT], 'timestamp', { int: 1 }, '1970-01-02T00:00:00Z'],
    [['int', NANOS], 'timestamp', { long: -1 }, '1969-12-31T23:59:59.999999Z'],
    [['null', DATE, MOMENT], 'timestamp', { long: 1_000_000 }, '1970-01-01T00:00:01Z'],
  ] as const)('of several types of one family: %j as %s', async (union, kind, value, is) => {
    expect(await decoded(union, kind, value)).toBe(is);
  });

  it('of several types of one family, as the items of a list and of a vector', async () => {
    const array = { type: 'array', items: NUMBERS };
    const items = [{ double: 1.5 }, null, { float: 2 }];
    const list: DataType = { kind: 'list', of: { kind: 'float64' } };
    expect(await decoded(array, list, items)).toEqual([1.5, null, 2]);
    expect(await decoded(['null', array], list, { array: items })).toEqual([1.5, null, 2]);
    expect(await decoded(array, { kind: 'vector', size: 1 }, [{ float: 2 }])).toEqual([2]);
  });

  it('of several types of one family, within what no column holds: a map and a record, which may hold itself', async () => {
    const map = { type: 'map', values: NUMBERS };
    expect(await decoded(map, 'string', { k: { double: 1.5 } })).toEqual({ k: 1.5 });
    const fields = [
      { name: 'x', type: NUMBERS },
      { name: 'more', type: ['null', 'S'] },
    ];
    const value = { x: { float: 1 }, more: { S: { x: { double: 1.5 }, more: null } } };
    expect(await decoded({ type: 'record', name: 'S', fields }, 'string', value)).toEqual({
      x: 1,
      more: { x: 1.5, more: null },
    });
  });
});

const PROTO = `syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
message Event {
  int64 id = 1; optional int32 n = 2; google.protobuf.DoubleValue x = 3; string s = 4; bool ok = 5; bytes raw = 6;
  google.protobuf.Timestamp at = 7; repeated string tags = 8;
}
message Other { message Inner { string s = 1; } }
`;
const protoType = (name: string, text = PROTO): protobuf.Type => {
  const root = new protobuf.Root();
  protobuf.parse(text, root, { keepCase: true });
  for (const common of ['timestamp', 'wrappers'])
    root.addJSON(protobuf.common.get(`google/protobuf/${common}.proto`)?.nested ?? {});
  return root.lookupType(name);
};
const protoBytes = (name: string, message: object): Buffer => {
  const type = protoType(name);
  return Buffer.from(type.encode(type.fromObject(message)).finish());
};
const protoMessage = {
  id: String(BIG),
  n: 7,
  x: { value: 1.5 },
  s: 'é',
  ok: true,
  raw: Buffer.from([1, 2]),
  at: { seconds: Math.floor(AT_MS / 1000), nanos: 678_000_000 },
  tags: ['a', 'b'],
};

describe('Protobuf', () => {
  const proto = file('event.proto', PROTO);

  it('reads a message by the columns: what is unset is null where the field can tell', async () => {
    const decode = await open({ format: 'protobuf', schema: proto, message: 'shop.Event' });
    expect(decode(protoBytes('shop.Event', protoMessage))).toEqual(ROW);
    expect(decode(Buffer.alloc(0))).toEqual({
      id: 0n,
      n: null,
      x: null,
      s: '',
      ok: false,
      raw: '',
      at: null,
      tags: [],
    });
    expect(decode(protoBytes('shop.Event', { n: 0, id: '-5' }))).toMatchObject({ n: 0, id: -5n });
  });

  it('refuses what is none', async () => {
    const decode = await open({ format: 'protobuf', schema: proto, message: 'Event' });
    expect(() => decode(Buffer.from([0x0a, 0xff]))).toThrow(/^it is no Event in Protobuf/);
  });

  it('says which messages there are when it is not told which is meant', async () => {
    await expect(open({ format: 'protobuf', schema: proto })).rejects.toMatchObject({
      code: 'HR_STREAM_SCHEMA',
      message: expect.stringMatching(/3 messages \(shop\.Event, shop\.Other, shop\.Other\.Inner\).*`message`/),
    });
    await expect(open({ format: 'protobuf', schema: proto, message: 'Evnt' })).rejects.toMatchObject({
      message: expect.stringMatching(/no one message "Evnt"/),
    });
  });
});

describe('what a Protobuf schema imports', () => {
  const importing = (...names: readonly string[]): string =>
    `syntax = "proto3";\n${names.map((name) => `import "${name}";`).join('\n')}\nmessage M { int32 a = 1; }`;

  it('is known where it is Google’s, by the end of its path, though the path names that folder twice', () => {
    const { root, add } = createProtobufRoot();
    expect(add(importing('vendor/google/protobuf/src/google/protobuf/any.proto'))).toEqual([]);
    expect(root.lookupType('google.protobuf.Any').fields).toHaveProperty('type_url');
  });

  it('is asked for where it is of others, once for each that imports it, and Google’s is taken once', () => {
    const { add } = createProtobufRoot();
    expect(add(importing('shop/order.proto', 'google/protobuf/timestamp.proto'))).toEqual(['shop/order.proto']);
    const weak = 'syntax = "proto3";\nimport weak "google/protobuf/timestamp.proto";\nmessage N { int32 a = 1; }';
    expect(add(weak)).toEqual([]);
    const unknown = 'google/protobuf/no_such.proto';
    expect(add(`syntax = "proto3";\nimport "${unknown}";`)).toEqual([unknown]);
  });
});

it.each(['shop', ''])('the messages of a Protobuf descriptor are those of its file, in package "%s"', (within) => {
  const descriptor = (name: string, ...messages: readonly string[]): string => {
    const of = { name, package: within, syntax: 'proto3', messageType: messages.map((message) => ({ name: message })) };
    return Buffer.from(descriptors.FileDescriptorProto.encode(of).finish()).toString('base64');
  };
  const top = topMessages(descriptor('event.proto', 'Other', 'Event'), [descriptor('money.proto', 'Money')]);
  expect(top.map(({ fullName }) => fullName)).toEqual(
    ['Other', 'Event'].map((name) => (within === '' ? `.${name}` : `.${within}.${name}`)),
  );
});

describe('a schema registry', () => {
  const start = async (...login: Parameters<typeof startSchemaRegistry>) => {
    const registry = await startSchemaRegistry(...login);
    onTestFinished(registry.stop);
    return registry;
  };
  const openFrom = (format: 'avro' | 'protobuf', url: string) =>
    open({ format, registry: 'env:R' }, { registry: openSchemaRegistry(url, 'R') });
  it.each(['registry:8081/x y', 'ftp://host', 'http://me:hunter2%zz@host:1'])(
    'of which the variable holds no URL (%s) is told without it',
    (text) => {
      let thrown: unknown;
      try {
        openSchemaRegistry(text, 'REGISTRY');
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({
        code: 'HR_CONFIG',
        message: expect.stringMatching(/^the environment variable REGISTRY holds no URL/),
      });
      expect(String(thrown)).not.toMatch(/hunter2|8081/);
    },
  );

  const frame = (id: number, ...rest: Uint8Array[]): Buffer => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(id, 1);
    return Buffer.concat([head, ...rest]);
  };

  it('gives the schema of each message, once, with what that refers to', async () => {
    const registry = await start({ user: 'ann', password: 'hunter2' });
    const money = { type: 'record', name: 'Tags', namespace: 'shop', fields: [{ name: 's', type: 'string' }] };
    const first = registry.add('events', JSON.stringify(AVSC));
    const wider = { ...AVSC, fields: [...AVSC.fields, { name: 'more', type: 'shop.Tags' }] };
    registry.add('tags', JSON.stringify(money));
    const second = registry.add('events', JSON.stringify(wider), [{ name: 'shop.Tags', subject: 'tags', version: 1 }]);
    const url = registry.url.replace('//', '//ann:hunter2@');
    const decode = await openFrom('avro', url);
    expect(await decode(frame(first, avroBytes(AVSC, avroRecord)))).toMatchObject({ s: 'é' });
    const whole = { ...wider, fields: [...AVSC.fields, { name: 'more', type: money }] };
    expect(await decode(frame(second, avroBytes(whole, { ...avroRecord, more: { s: 'm' } })))).toMatchObject({ n: 7 });
    const asked = registry.requests();
    expect(decode(frame(first, avroBytes(AVSC, avroRecord)))).toMatchObject({ s: 'é' });
    expect(registry.requests()).toBe(asked);
    // Of the same registry, and no Avro: what one message says must not be in the way of the others.
    const other = registry.add('other', 'syntax = "proto3"; message M { string s = 1; }');
    const strange = registry.add('strange', '{"type":"no such type"}');
    for (const id of [other, strange])
      await expect(async () => decode(frame(id, Buffer.alloc(3)))).rejects.toThrow(Undecodable);
    await expect(async () => decode(frame(99, Buffer.alloc(3)))).rejects.toThrow(
      /^the schema registry has no schema 99/,
    );
    expect(() => decode(Buffer.from('{"plain":1}'))).toThrow(/^it does not begin with the number of a schema/);
    const stranger = await openFrom('avro', url.replace('hunter2', 'wrong'));
    const refused = await Promise.resolve(stranger(frame(first, Buffer.alloc(3)))).catch((error: Error) => error);
    expect(refused).toMatchObject({ code: 'HR_STREAM_SCHEMA', message: expect.stringMatching(/answers 401/) });
    expect(String(refused)).not.toMatch(/wrong|ann/);
    await registry.stop();
    await expect(async () => decode(frame(77, Buffer.alloc(3)))).rejects.toMatchObject({ code: 'HR_STREAM_SCHEMA' });
  });

  it('knows what an Avro schema refers to by a name of its own namespace, more than once', async () => {
    const registry = await start();
    const day = { type: 'int', logicalType: 'date' };
    const moment = { type: 'record', name: 'Moment', namespace: 'shop', fields: [{ name: 'day', type: day }] };
    const item = { type: 'record', name: 'Item', namespace: 'shop', fields: [{ name: 'of', type: 'Moment' }] };
    const reference = (name: string) => ({ name: `shop.${name}`, subject: name, version: 1 });
    registry.add('Moment', JSON.stringify(moment));
    registry.add('Item', JSON.stringify(item), [reference('Moment')]);
    const fields = (first: unknown, second: unknown) => [
      { name: 'n', type: 'int' },
      { name: 'one', type: first },
      { name: 'two', type: second },
    ];
    const own = { type: 'record', name: 'E', namespace: 'shop', fields: fields('Item', 'Moment') };
    const id = registry.add('events', JSON.stringify(own), [reference('Moment'), reference('Item')]);
    const whole = { ...own, fields: fields({ ...item, fields: [{ name: 'of', type: moment }] }, 'Moment') };
    const decode = await openFrom('avro', registry.url);
    const bytes = avroBytes(whole, { n: 7, one: { of: { day: 1 } }, two: { day: 2 } });
    expect(await decode(frame(id, bytes))).toMatchObject({ n: 7 });
  });

  it('puts a Protobuf schema together of what it refers to, whatever several of them import', async () => {
    const registry = await start();
    const time = 'import "google/protobuf/timestamp.proto";';
    const files = {
      'unit.proto': `syntax = "proto3"; ${time} message Unit { string s = 1; google.protobuf.Timestamp since = 2; }`,
      'money.proto': `syntax = "proto3"; import "unit.proto"; ${time} message Money { Unit of = 1; }`,
      'weight.proto': `syntax = "proto3"; import "unit.proto"; message Weight { Unit of = 1; }`,
    };
    const own = `syntax = "proto3"; import "money.proto"; import "weight.proto"; ${time}
message E { google.protobuf.Timestamp at = 1; int32 n = 2; Money price = 3; Weight mass = 4; }`;
    const unit = { name: 'unit.proto', subject: 'unit.proto', version: 1 };
    registry.add('unit.proto', files['unit.proto']);
    for (const name of ['money.proto', 'weight.proto'] as const) registry.add(name, files[name], [unit]);
    const references = ['money.proto', 'weight.proto'].map((name) => ({ name, subject: name, version: 1 }));
    const id = registry.add('events', own, references);
    const bytes = Buffer.from([0x0a, 2, 0x08, 1, 0x10, 7]);
    const decode = await openFrom('protobuf', registry.url);
    const expected = { at: expect.stringContaining('1970-01-01T00:00:01'), n: 7 };
    expect(await decode(frame(id, Buffer.from([0]), bytes))).toMatchObject(expected);
    // And so of files, as they were applied.
    const applied = new Map(Object.entries({ ...files, 'e.proto': own }));
    const ofFile = await open({ format: 'protobuf', schema: './e.proto', message: 'E' }, { applied });
    expect(ofFile(bytes)).toMatchObject(expected);
  });

  it('says which of a Protobuf schema’s messages it is', async () => {
    const registry = await start();
    const id = registry.add('events', PROTO);
    const decode = await openFrom('protobuf', registry.url);
    expect(await decode(frame(id, Buffer.from([0]), protoBytes('shop.Event', protoMessage)))).toEqual(ROW);
    // Two levels, the second message, the first within it.
    const inner = Buffer.concat([Buffer.from([4, 2, 0]), protoBytes('shop.Other.Inner', { s: 'in' })]);
    expect(await decode(frame(id, inner))).toMatchObject({ s: 'in', id: null });
    await expect(async () => decode(frame(id, Buffer.from([2, 18])))).rejects.toThrow(/^its schema has no message 9/);
    // At most 32 levels, each the first message.
    const deep = async (levels: number) => decode(frame(id, Buffer.from([2 * levels]), Buffer.alloc(levels)));
    await expect(deep(32)).rejects.toThrow(/^its schema has no message 0(\.0){31}$/);
    await expect(deep(33)).rejects.toThrow(/^it does not say which message/);
  });
});
