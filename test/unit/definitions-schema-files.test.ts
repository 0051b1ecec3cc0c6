import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../src/core/index.ts';
import { loadDefinitions, viewVersion } from '../../src/definitions/index.ts';
import { type Files, writeFiles, writeRepository } from '../support/written-repository.ts';

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
    expect(await filesOf(`format: 'protobuf', schema: 'shop/order.proto', message: 'Order'`)).toEqual([
      'money.proto',
      'shop/currency.proto',
      'shop/order.proto',
    ]);
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
    await expect(load(`format: '${format}', schema: '${schema}'`)).rejects.toMatchObject({
      code: 'HR_DEFINITION',
      message: expect.stringMatching(message),
    });
  });
});
