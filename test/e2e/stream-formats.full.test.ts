// Avro with a schema registry and Protobuf with a file, from the topic to a training set: the values that the same events in
// Parquet's place have, by a sum over all of them.
// twin: test/unit/streams-decode.test.ts > reads a record by the columns
// twin: test/unit/streams-decode.test.ts > reads a message by the columns

import { renameSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DuckDBInstance } from '@duckdb/node-api';
import avro from 'avsc';
import protobuf from 'protobufjs';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, startKafka } from '../support/kafka-server.ts';
import { createRandom } from '../support/chance.ts';
import { type SchemaRegistryServer, startSchemaRegistry } from '../support/schema-registry.ts';
import { headraceBeside } from '../support/evolving-project.ts';
import { createProject, headraceJson, type Project } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';

const program = findKafka();
if (program === undefined) skipBecause(`topics in Avro and Protobuf: ${WITHOUT_KAFKA}`);

const START_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
const CUSTOMERS = ['ada', 'bob', 'cy'];
const AVSC = {
  type: 'record',
  name: 'Sale',
  fields: [
    { name: 'customer', type: 'string' },
    { name: 'cents', type: ['null', 'long'] },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'known', type: { type: 'long', logicalType: 'timestamp-micros' } },
  ],
};
const PROTO = `syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Sale { string customer = 1; optional int64 cents = 2; google.protobuf.Timestamp at = 3; google.protobuf.Timestamp known = 4; }
`;
const source = (name: string, more: string): string => `
export const ${name} = kafka('${name}', {
  brokers: 'env:BROKERS', topic: '${name}', ${more},
  columns: { customer: t.string(), cents: t.int64(), at: t.timestamp(), known: t.timestamp() },
  eventTime: 'at', knownTime: 'known',
});
export const ${name}View = featureView('${name}_view', {
  entity: customer, source: ${name},
  features: { ${name}_n: count().over('1d'), ${name}_sum: sum('cents').over('1d'), ${name}_last: latest('cents') },
});`;

interface Sale {
  readonly customer: string;
  readonly cents: number | null;
  readonly atMs: number;
}

describe.skipIf(program === undefined)('topics in other formats', () => {
  let kafka: KafkaServer;
  let registry: SchemaRegistryServer;
  let project: Project;
  beforeAll(async () => {
    if (program === undefined) return;
    kafka = await startKafka(program);
    registry = await startSchemaRegistry();
    project = createProject({
      'headrace.config.ts': `import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'shop' });\n`,
      'feature_repo/sale.proto': PROTO,
      'feature_repo/all.ts': `import { count, entity, featureService, featureView, kafka, latest, sum, t } from 'headrace';
export const customer = entity('customer', { keys: { customer: t.string() } });
${source('avro_sales', `format: 'avro', registry: 'env:REGISTRY'`)}
${source('proto_sales', `format: 'protobuf', schema: 'sale.proto'`)}
export const all = featureService('all', [avro_salesView, proto_salesView]);
`,
    });
  }, 90_000);
  afterAll(async () => {
    project.remove();
    await registry.stop();
    await kafka.stop();
  });

  it('have the values that their events say', { timeout: 240_000 }, async () => {
    const draw = createRandom(5);
    const sales: Sale[] = Array.from({ length: 400 }, () => ({
      customer: draw.pick(CUSTOMERS),
      cents: draw.below(9) === 0 ? null : draw.below(10_000) - 2000,
      atMs: START_MS + draw.below(72 * 60) * 60_000,
    }));
    const id = registry.add('sales', JSON.stringify(AVSC));
    const type = avro.Type.forSchema(AVSC as avro.Schema);
    const avroOf = ({ customer, cents, atMs }: Sale): Buffer => {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(id, 1);
      return Buffer.concat([head, type.toBuffer({ customer, cents, at: atMs, known: atMs * 1000 })]);
    };
    const root = new protobuf.Root();
    protobuf.parse(PROTO, root, { keepCase: true });
    root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')?.nested ?? {});
    const message = root.lookupType('Sale');
    const protoOf = ({ customer, cents, atMs }: Sale): Buffer =>
      Buffer.from(
        message
          .encode(
            message.fromObject({
              customer,
              ...(cents === null ? {} : { cents }),
              at: { seconds: atMs / 1000, nanos: 0 },
              known: { seconds: atMs / 1000, nanos: 0 },
            }),
          )
          .finish(),
      );
    for (const [topic, bytesOf] of [
      ['avro_sales', avroOf],
      ['proto_sales', protoOf],
    ] as const) {
      await kafka.newTopic(3, topic);
      await kafka.send(
        topic,
        sales.map((sale, i) => ({ value: bytesOf(sale), partition: i % 3 })),
      );
    }
    const env = { BROKERS: kafka.broker, REGISTRY: registry.url };
    headraceJson(project, ['apply', '--yes'], env);
    // As on a machine that has no working copy: what was applied has the schemas.
    renameSync(project.file('feature_repo'), project.file('elsewhere'));
    for (const name of ['avro_sales', 'proto_sales']) {
      // The registry answers from this process.
      const { stdout, stderr } = await headraceBeside(project, ['consume', name, '--until-caught-up', '--json'], env);
      expect(JSON.parse(stdout || `"${stderr}"`)).toMatchObject({ pushed: 400, dead: 0 });
    }
    renameSync(project.file('elsewhere'), project.file('feature_repo'));
    // Times between the events: nothing happens at one of them.
    const spine = Array.from({ length: 30 }, (_, i) => ({
      customer: CUSTOMERS[i % 3] as string,
      atMs: START_MS + i * 3 * HOUR_MS + 30_500,
    }));
    const expected = spine.map(({ customer, atMs }) => {
      // A day's window reaches back to the hour in which it begins.
      const from = Math.floor((atMs - 24 * HOUR_MS) / HOUR_MS) * HOUR_MS;
      const within = sales.filter((sale) => sale.customer === customer && sale.atMs <= atMs && sale.atMs >= from);
      const cents = within.flatMap((one) => (one.cents === null ? [] : [one.cents]));
      return { n: within.length, sum: cents.length === 0 ? null : cents.reduce((a, b) => a + b, 0) };
    });
    project.write(
      'spine.csv',
      `customer,at\n${spine.map(({ customer, atMs }) => `${customer},${new Date(atMs).toISOString()}`).join('\n')}\n`,
    );
    const words = ['--service', 'all', '--spine', 'spine.csv', '--timestamp', 'at', '--out', 'set.parquet'];
    const made = headraceJson(project, ['training-set', 'create', ...words], env) as { id: string };
    expect(made).toMatchObject({ rows: 30 });
    const connection = await (await DuckDBInstance.create()).connect();
    for (const name of ['avro_sales', 'proto_sales']) {
      const columns = `${name}_view__${name}_n AS n, ${name}_view__${name}_sum AS sum`;
      const read = await connection.runAndReadAll(
        `SELECT ${columns} FROM read_parquet('${project.file('set.parquet')}')`,
      );
      const numbers = read
        .getRowObjects()
        .map(({ n, sum }) => ({ n: Number(n), sum: sum === null ? null : Number(sum) }));
      expect(numbers, name).toEqual(expected);
    }
    connection.closeSync();
    expect(headraceJson(project, ['training-set', 'audit', made.id], env)).toBeTruthy();
  });
});
