// What a Kafka source compiles to, and what is refused in one.

import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../src/core/index.ts';
import { compileDefinitions, isLogAlone, loadDefinitions, viewVersion } from '../../src/definitions/index.ts';
import { count, entity, featureView, kafka, latest, parquet, pushed, query, sql, t } from '../../src/index.ts';
import { compile, loose, mistakesOf } from '../support/written-definitions.ts';
import { type Files, writeFiles, writeRepository } from '../support/written-repository.ts';

const columns = { id: t.string(), at: t.timestamp() };
const shared = { columns, eventTime: 'at' } as const;
const where = { brokers: 'env:K_BROKERS', topic: 'orders' } as const;
const avro = { format: 'avro', schema: 'a.avsc' };
const of = (more: object): unknown => loose['kafka']('src', { ...shared, ...where, format: 'json', ...more });
const user = entity('user', { keys: { id: t.string() } });
const manifestOf = (source: ReturnType<typeof pushed<typeof columns>>) =>
  compile({ source, view: featureView('v', { entity: user, source, features: { n: count().over('1d') } }) }).manifest;

it('says where its messages are, and that the log is all there is', () => {
  const more = { format: 'avro', schema: 'orders.avsc', deadLetter: 'file:d.jsonl' } as const;
  const spec = manifestOf(kafka('src', { ...shared, ...where, ...more })).sources['src'];
  expect(spec).toMatchObject({ kind: 'kafka', pushes: 'keep', location: { ...where, ...more } });
  expect(spec !== undefined && isLogAlone(spec)).toBe(true);
});

it('has the facts of a pushed source of its name: what was stored stays', () => {
  const before = manifestOf(pushed('src', shared));
  const after = manifestOf(kafka('src', { ...shared, ...where, format: 'json' }));
  expect(viewVersion(after, 'v')).toBe(viewVersion(before, 'v'));
});

describe('a mistake is told', () => {
  it.each<[string, object, RegExp]>([
    ['no brokers', { brokers: undefined }, /it needs `brokers`.*'env:NAME'/],
    ['no topic', { topic: undefined }, /it needs `topic`/],
    ['a topic that is none', { topic: 'two words' }, /topic "two words" is no topic's name: up to 249 letters/],
    ['a topic that is a folder', { topic: '..' }, /topic ".." is no topic's name/],
    ['no format', { format: undefined }, /format must be 'json', 'avro' or 'protobuf', got nothing/],
    [
      'two schemas',
      { format: 'avro', schema: 'a', registry: 'env:R' },
      /either `schema`.* or `registry`.*, one of them/,
    ],
    ['a schema of JSON', { schema: 'a.avsc' }, /`schema` is for Avro and Protobuf/],
    ['a message of Avro', { ...avro, message: 'M' }, /`message` names a message of a Protobuf/],
    ['dead letters nowhere', { deadLetter: 'file:' }, /deadLetter "file:" must be a topic or file:PATH/],
    ['a unit of time', { timeUnit: 'ns' }, /timeUnit must be 's', 'ms' or 'us', got "ns"/],
  ])('%s', (_name, more, sentence) => {
    expect(mistakesOf({ s: of(more) }).join('\n')).toMatch(sentence);
  });

  it.each(['brokers', 'registry'])('a URL in `%s`, of which nothing is shown', (member) => {
    const told = mistakesOf({
      s: of({ format: 'avro', registry: 'env:R', [member]: 'kafka://ann:hunter2@h:9092' }),
    }).join('\n');
    expect(told).toMatch(new RegExp(`\`${member}\` must name an environment variable .*${member}: 'env:SRC_`));
    expect(told).not.toMatch(/hunter2|ann/);
  });
});

describe('a query or partitions', () => {
  const options = { columns: { id: t.string(), at: t.timestamp(), x: t.float64() }, eventTime: 'at' } as const;
  const orders = parquet('orders', { ...options, path: 'orders/*.parquet' });
  const countries = parquet('countries', { ...options, path: 'countries.parquet' });
  const compile = (...values: object[]) =>
    compileDefinitions(
      values.map((value, i) => ({ file: 'a.ts', name: `v${i}`, value })),
      { project: 'p', directory: '/' },
    ).manifest;

  describe('a query source', () => {
    it('has its SQL, and brings the sources that it reads', () => {
      const sold = query('sold', { ...options, sql: 'SELECT * FROM orders', over: [orders], static: [countries] });
      const { sources } = compile(sold);
      expect(Object.keys(sources)).toEqual(['countries', 'orders', 'sold']);
      const over = ['orders', 'countries'].map((source) => ({ source, isStatic: source === 'countries' }));
      const location = { query: 'SELECT * FROM orders' };
      expect(sources['sold']).toMatchObject({ kind: 'query', location, over, pushes: 'keep' });
      const tagged = query('sold', { ...options, sql: sql`SELECT 1`, over: [orders] });
      expect(compile(tagged).sources['sold']?.location).toEqual({ query: 'SELECT 1' });
    });

    it('makes another version of a view where what it reads means something else, and not where it lies elsewhere', () => {
      const thing = entity('thing', { keys: { id: t.string() } });
      const versionOf = (of: object) => {
        const source = query('sold', { ...options, sql: 'SELECT * FROM orders', over: [of as typeof orders] });
        return viewVersion(compile(featureView('v', { entity: thing, source, features: { x: latest('x') } })), 'v');
      };
      const version = versionOf(orders);
      expect(versionOf(parquet('orders', { ...options, path: 's3://elsewhere/x.parquet' }))).toBe(version);
      expect(versionOf(parquet('orders', { ...options, path: 'x', knownTime: { after: '1h' } }))).not.toBe(version);
      const columns = { ...options.columns, x: t.int32() };
      expect(versionOf(parquet('orders', { ...options, columns, path: 'x' }))).not.toBe(version);
      const expecting = (onFail: 'warn' | 'quarantine') =>
        versionOf(parquet('orders', { ...options, path: 'x', expect: { between: { x: [0, 1] }, onFail } }));
      expect(expecting('warn')).toBe(version);
      expect(expecting('quarantine')).not.toBe(version);
    });

    it.each<[object, RegExp]>([
      [{ sql: ' ', over: [orders] }, /it needs `sql`/],
      [{ sql: 'SELECT 1', over: [] }, /`over` names no source/],
      [{ sql: 'SELECT 1', over: [orders, 3] }, /over\[1\] must be a source, got number 3/],
    ])('is refused: %o', (given, message) => {
      expect(() => compile((query as (...of: unknown[]) => object)('sold', { ...options, ...given }))).toThrow(message);
    });
  });

  describe('partitions', () => {
    const events = (partitions: unknown) =>
      compile(parquet('events', { ...options, path: 'x', partitions } as never)).sources['events'];

    it('say what folders mean, and are no meaning', () => {
      expect(events({ dt: 'date' })).toMatchObject({ partitions: { dt: 'date' } });
      expect(events({ y: 'year', m: 'month' })).toMatchObject({ partitions: { y: 'year', m: 'month' } });
      expect(events(undefined)).not.toHaveProperty('partitions');
    });

    it.each<[unknown, RegExp]>([
      [{ dt: 3 }, /partition "dt" must be/],
      [{ a: 'date', b: 'date' }, /must say a stretch of time/],
      [{ y: 'year', d: 'day' }, /must say a stretch of time/],
      [{}, /must say a stretch of time/],
    ])('are refused: %o', (given, message) => {
      expect(() => events(given)).toThrow(message);
    });
  });
});

describe('what travels with a topic', () => {
  let folder: string;
  const write = (files: Files): Promise<void> => writeFiles(folder, files);
  const load = async (options: string) => {
    await write({
      'repo/orders.ts': `import { count, entity, featureView, kafka, t } from 'headrace';
export const customer = entity('customer', { keys: { customer: t.string() } });
export const orders = kafka('orders', { brokers: 'env:B', topic: 'orders', ${options},
  columns: { customer: t.string(), at: t.timestamp() }, eventTime: 'at' });
export const view = featureView('view', { entity: customer, source: orders, features: { n: count().over('1d') } });`,
    });
    return loadDefinitions(join(folder, 'repo'), 'test');
  };
  const filesOf = async (options: string) => {
    const { manifest } = await load(options);
    return manifest.sources['orders']?.files?.map(({ path }) => path);
  };
  beforeEach(async () => {
    folder = await writeRepository({});
  });

  it('is the schema’s file, under the hash of its content', async () => {
    const text = '{"type":"record","name":"O","fields":[]}';
    await write({ 'repo/orders.avsc': text });
    const { manifest, bundles, hash } = await load(`format: 'avro', schema: './orders.avsc'`);
    expect(manifest.sources['orders']?.files).toEqual([{ path: 'orders.avsc', hash: sha256Hex(text) }]);
    expect(bundles.get(sha256Hex(text))).toBe(text);
    await write({ 'repo/orders.avsc': `${text}\n` });
    const other = await load(`format: 'avro', schema: './orders.avsc'`);
    expect(other.hash).not.toBe(hash);
    // How messages are read is not what their rows mean.
    expect(viewVersion(other.manifest, 'view')).toBe(viewVersion(manifest, 'view'));
  });

  it('is what a Protobuf schema imports too, each from where it lies, and not what Google’s own is', async () => {
    await write({
      'repo/shop/order.proto': `syntax = "proto3";
import "google/protobuf/timestamp.proto";
// import "none.proto";
import public "../money.proto";
message Order { Money price = 1; google.protobuf.Timestamp at = 2; }`,
      'repo/money.proto': `syntax = "proto3"; import "shop/currency.proto"; message Money { Currency of = 1; }`,
      'repo/shop/currency.proto': `syntax = "proto3"; import "order.proto"; enum Currency { NONE = 0; }`,
    });
    const expected = ['money.proto', 'shop/currency.proto', 'shop/order.proto'];
    expect(await filesOf(`format: 'protobuf', schema: 'shop/order.proto', message: 'Order'`)).toEqual(expected);
  });

  it('is nothing of JSON, of a registry’s, and of a file that is the machine’s own', async () => {
    expect(await filesOf(`format: 'json'`)).toBeUndefined();
    expect(await filesOf(`format: 'avro', registry: 'env:R'`)).toBeUndefined();
    expect(await filesOf(`format: 'avro', schema: '/etc/orders.avsc'`)).toBeUndefined();
  });

  it.each([
    ['is not there', 'none.avsc', 'avro', /source "orders" needs none\.avsc, which is not in the feature repository/],
    ['lies outside', '../orders.avsc', 'avro', /source "orders" takes \.\.\/orders\.avsc, which is outside/],
    ['is none', 'orders.proto', 'protobuf', /source "orders" has a schema that cannot be read: orders\.proto/],
    ['imports none', 'lost.proto', 'protobuf', /source "orders" needs gone\.proto, which is not in/],
  ])('and says so where one %s', async (_how, schema, format, message) => {
    await write({
      'orders.avsc': '{}',
      'repo/orders.proto': 'message {',
      'repo/lost.proto': 'syntax = "proto3"; import "gone.proto"; message O {}',
    });
    const expected = { code: 'HR_DEFINITION', message: expect.stringMatching(message) };
    await expect(load(`format: '${format}', schema: '${schema}'`)).rejects.toMatchObject(expected);
  });
});

describe('completeAfter', () => {
  const options = { columns: { at: t.timestamp() }, eventTime: 'at' } as const;
  const compile = (source: object) =>
    compileDefinitions([{ file: 'a.ts', name: 'source', value: source }], { project: 'p', directory: '/' }).manifest
      .sources['events'];

  it('is a duration in microseconds, and nothing where it is none', () => {
    const of = (completeAfter?: string) =>
      compile(parquet('events', { path: 'x', ...options, ...(completeAfter === undefined ? {} : { completeAfter }) }));
    expect(of('2h')).toMatchObject({ pushes: 'until-materialized', completeAfterMicros: 7_200_000_000 });
    expect(of()).not.toHaveProperty('completeAfterMicros');
    expect(of('0s')).toEqual(of());
  });

  it('is refused where it is no duration, and where pushed events are kept', () => {
    for (const source of [
      pushed('events', { ...options, completeAfter: '2h' }),
      parquet('events', { path: 'x', ...options, pushes: 'keep', completeAfter: '2h' }),
    ]) {
      expect(() => compile(source)).toThrow(/`completeAfter` is for files that get pushed events later/);
    }
  });
});
