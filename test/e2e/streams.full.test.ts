// `headrace consume` as a user runs it, on a real Kafka: the guide from the first command to the last, what goes wrong, and topics in Avro
// with a schema registry and in Protobuf with a file, from the topic to a training set.
// twin: test/integration/consume.test.ts > pushes what the topic holds, and says how far it came
// twin: test/unit/streams-decode.test.ts > reads a record by the columns
// twin: test/unit/streams-decode.test.ts > reads a message by the columns: what is unset is null where the field can tell

import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import avro from 'avsc';
import protobuf from 'protobufjs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, startKafka } from '../support/kafka-server.ts';
import { runGuide } from '../support/run-guide.ts';
import { startSchemaRegistry } from '../support/schema-registry.ts';
import { MAIN } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { ownProject, testProject } from '../support/test-project.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/streams.md');
const program = findKafka();
if (program === undefined) skipBecause(`the guide on Kafka: ${WITHOUT_KAFKA}`);

let kafka: KafkaServer;
beforeAll(async () => {
  if (program !== undefined) kafka = await startKafka(program);
}, 90_000);
afterAll(() => kafka?.stop());

describe.skipIf(program === undefined)('headrace consume', { timeout: 300_000 }, () => {
  const all = `import { featureService } from 'headrace';\nimport { spending } from './orders.ts';\nexport const all = featureService('all', [spending]);\n`;
  const project = testProject({ 'feature_repo/all.ts': all });
  const env = () => ({ ORDERS_BROKERS: kafka.broker });
  const spent = (customer: string) => project.features('all', [{ customer }], env())[0];
  const order = (customer: string, amount: number) => ({
    value: JSON.stringify({ customer, amount, ordered_at: new Date(Date.now() - 60_000).toISOString() }),
  });

  it('does what the guide says', async () => {
    await kafka.newTopic(1, 'orders');
    await kafka.send('orders', [order('ada', 5), { value: 'no order' }, order('ada', 7), order('bob', 1)]);
    const shown = runGuide(GUIDE, project, env());
    expect(shown).toHaveLength(1);
    for (const { command, shown: said, printed } of shown) expect(printed, command).toBe(said);
    expect(spent('ada')).toEqual({ spending__orders_1d: 2, spending__amount_1d: 12 });
    const told = { pushed: 0, dead: 0, group: 'headrace.shop.orders', partitions: [{ position: 4, lag: 0 }] };
    expect(project.json('consume orders --until-caught-up', env())).toMatchObject(told);
    const { stderr, stdout } = project.run('materialize --incremental', env());
    expect(stderr + stdout).not.toMatch(/cannot|HR_/);
    expect(spent('ada')).toEqual({ spending__orders_1d: 2, spending__amount_1d: 12 });
  });

  it('tells how far behind it is, and stops when it is told to, with what it has begun', async () => {
    const child = spawn(process.execPath, [MAIN, 'consume', 'orders', '--json', '--metrics-port', '0'], {
      cwd: project.directory,
      env: { ...process.env, npm_lifecycle_event: '', ...env() },
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let [out, told] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
    const ended = new Promise<number | null>((done) => child.once('close', done));
    await expect.poll(() => told, { timeout: 60_000 }).toMatch(/\((http:\S+)\)/);
    const [, url = ''] = /\((http:\S+)\)/.exec(told) ?? [];
    const orders = Array.from({ length: 500 }, () => order('cy', 1));
    await kafka.send('orders', orders);
    const metric = async (name: string): Promise<number> => {
      const text = await (await fetch(url)).text();
      return Number(new RegExp(`^headrace_stream_${name}{[^}]*} (\\d+)$`, 'm').exec(text)?.[1] ?? NaN);
    };
    await expect.poll(() => metric('position'), { timeout: 60_000 }).toBe(504);
    expect([await metric('lag'), await metric('rows_total')]).toEqual([0, 500]);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ pushed: 500, partitions: [{ position: 504, lag: 0 }] });
    expect(spent('cy')).toEqual({ spending__orders_1d: 500, spending__amount_1d: 500 });
  });

  it.each<[string, () => Readonly<Record<string, string>>, number, RegExp]>([
    ['orders', () => ({}), 1, /ORDERS_BROKERS, which is not set/],
    ['ordres', env, 1, /"ordres".*orders/],
    ['orders --from middle', env, 2, /--from takes/],
    ['orders --max 0', env, 2, /--max takes/],
    [
      'orders',
      () => ({ ORDERS_BROKERS: `kafka://${kafka.guarded.user}:hunter2@${kafka.guarded.broker}` }),
      1,
      /HR_STREAM_REFUSED/,
    ],
    ['orders --patience 1s', () => ({ ORDERS_BROKERS: '127.0.0.1:1' }), 1, /HR_STREAM_UNAVAILABLE.*127\.0\.0\.1:1/s],
  ])('of %s says what is wrong, and shows no password', (words, variables, code, why) => {
    const run = project.run(`consume ${words}`, variables());
    expect(run).toMatchObject({ code, stderr: expect.stringMatching(why) });
    expect(run.stderr).not.toMatch(/hunter2/);
  });
});

describe.skipIf(program === undefined)('topics in Avro and Protobuf', () => {
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
export const of_${name} = featureView('of_${name}', {
  entity: customer, source: ${name},
  features: { n: count().over('1d'), sum: sum('cents').over('1d'), last: latest('cents') },
});`;

  it('have the values that their events say, consumed where no working copy is', { timeout: 240_000 }, async () => {
    const registry = await startSchemaRegistry();
    onTestFinished(() => registry.stop());
    const project = ownProject({
      'feature_repo/sale.proto': PROTO,
      'feature_repo/all.ts': `import { count, entity, featureService, featureView, kafka, latest, sum, t } from 'headrace';
export const customer = entity('customer', { keys: { customer: t.string() } });
${source('avro', `format: 'avro', registry: 'env:REGISTRY'`)}
${source('proto', `format: 'protobuf', schema: 'sale.proto'`)}
export const all = featureService('all', [of_avro, of_proto]);
`,
    });
    project.env = { BROKERS: kafka.broker, REGISTRY: registry.url };
    const DAY = Date.UTC(2026, 0, 1);
    // The second of ada's has no number, and the third is of another day.
    const sales: [customer: string, cents: number | null, atMs: number][] = [
      ['ada', 250, DAY + 1000],
      ['ada', null, DAY + 2000],
      ['ada', 9_000_000_000_000_000, DAY + 40 * 3_600_000],
      ['bob', -70, DAY + 1500],
    ];
    const head = Buffer.alloc(5);
    head.writeUInt32BE(registry.add('sales', JSON.stringify(AVSC)), 1);
    const type = avro.Type.forSchema(AVSC as avro.Schema);
    const root = new protobuf.Root();
    protobuf.parse(PROTO, root, { keepCase: true });
    root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')?.nested ?? {});
    const message = root.lookupType('Sale');
    const messages = sales.map(([customer, cents, atMs]) => {
      const at = { seconds: Math.floor(atMs / 1000), nanos: (atMs % 1000) * 1_000_000 };
      const given = { customer, ...(cents === null ? {} : { cents }), at, known: at };
      return {
        avro: Buffer.concat([head, type.toBuffer({ customer, cents, at: atMs, known: atMs * 1000 })]),
        proto: Buffer.from(message.encode(message.fromObject(given)).finish()),
      };
    });
    project.json('apply --yes');
    // What was applied has the schemas.
    rmSync(project.file('feature_repo'), { recursive: true });
    for (const topic of ['avro', 'proto'] as const) {
      await kafka.newTopic(2, topic);
      const values = messages.map((one, i) => ({ value: one[topic], partition: i % 2 }));
      await kafka.send(topic, values);
      // The registry answers from this process.
      const { stdout, stderr } = await project.beside(`consume ${topic} --until-caught-up --json`);
      expect(JSON.parse(stdout || `"${stderr}"`)).toMatchObject({ pushed: 4, dead: 0 });
    }
    const read = (hour: string) => {
      const rows = '[{"customer":"ada"},{"customer":"bob"}]';
      const words = `features get --service all --rows ${rows} --at 2026-01-0${hour}:30:00Z`;
      return project.json<{ rows: { features: object }[] }>(words).rows.map(({ features }) => features);
    };
    const of = (n: number, sum: number | null, last: number | null) =>
      Object.fromEntries(
        ['avro', 'proto'].flatMap((name) =>
          Object.entries({ n, sum, last }).map(([key, value]) => [`of_${name}__${key}`, value]),
        ),
      );
    expect(read('1T12')).toEqual([of(2, 250, null), of(1, -70, -70)]);
    expect(read('2T20')).toEqual([of(1, 9_000_000_000_000_000, 9_000_000_000_000_000), of(0, null, -70)]);
  });
});
