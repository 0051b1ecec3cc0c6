// A server whose event log lies in a Kafka topic, as users run it: pushed over HTTP, killed, settled by another machine,
// covered by a run, in a training set; backed up, and restored beside the topic.
// twin: test/contract/event-log.test.ts > an event log with its registry on $database and its segments on $store

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, startKafka } from '../support/kafka-server.ts';
import { readRows } from '../support/predict-project.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { purchase, pushPurchases, testProject } from '../support/test-project.ts';
import { workersOf } from '../support/worker-processes.ts';

const program = findKafka();
if (program === undefined) skipBecause(`an event log in a topic: ${WITHOUT_KAFKA}`);

const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({
  project: 'shop',
  pushLog: { topic: 'pushed', brokers: 'env:LOG_BROKERS', partitions: 4 },
});
`;

describe.skipIf(program === undefined)('a server whose event log lies in a topic', { timeout: 400_000 }, () => {
  let kafka: KafkaServer;
  const project = testProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': REPOSITORY,
    'events.jsonl': `${JSON.stringify(purchase('cy'))}\n`,
  });
  beforeAll(async () => {
    if (program === undefined) return;
    kafka = await startKafka(program);
    project.env = { LOG_BROKERS: kafka.broker };
    project.json('apply');
  }, 120_000);
  afterAll(() => kafka?.stop());

  const counted = (customer: string, env = {}): unknown =>
    project.features('numbers', [{ customer }], env)[0]?.['history__purchases_1d'];
  const writers = () => project.json<{ writers: { state: string; shipped: number }[] }>('log list').writers;

  it('loses nothing when it is killed: another machine settles, a run covers it, a training set reads it', async () => {
    const rows = [purchase('ada', 1), purchase('ada', 2), purchase('bob', 3)];
    const push = async (server: { readonly url: string }, key: string) => {
      const { status, body } = await pushPurchases(server, rows, { 'idempotency-key': key });
      expect({ status, accepted: body['accepted'] }).toEqual({ status: 200, accepted: 3 });
      return body['duplicate'];
    };
    const first = await project.serve();
    expect(await push(first, 'k1')).toBe(false);
    expect(counted('ada')).toBe(2);
    const primary = first.process.pid as number;
    for (const pid of [primary, ...workersOf(primary)]) process.kill(pid, 'SIGKILL');
    // Another machine: nothing of its disk is the first one's but what both are told to share.
    const elsewhere = { HEADRACE_PUSH_LOG_PATH: project.file('other-machine/log') };
    const second = await project.serve([], elsewhere);
    const states = () => writers().map(({ state }) => state);
    await expect.poll(states, { timeout: 60_000, interval: 1000 }).toEqual(['ended']);
    // The same push again is the one that was taken.
    expect(await push(second, 'k1')).toBe(true);
    expect(counted('ada')).toBe(2);
    expect(await push(second, 'k2')).toBe(false);
    expect(counted('ada')).toBe(4);
    const run = project.run('materialize --from 2020-01-01', elsewhere);
    expect(run.code, run.stderr).toBe(0);
    expect(counted('ada')).toBe(4);
    expect(writers().filter(({ shipped }) => shipped > 0)).toHaveLength(2);
    const now = new Date().toISOString();
    project.write('spine.csv', `customer,amount,at\nada,1,${now}\nbob,1,${now}\ncy,1,${now}\n`);
    const create = 'training-set create --service numbers --spine spine.csv --timestamp at --out set.parquet';
    project.json(create, elsewhere);
    const read = await readRows(
      `SELECT customer, history__purchases_1d AS n FROM '${project.file('set.parquet')}' ORDER BY 1`,
    );
    expect(read.map(({ customer, n }) => [customer, Number(n)])).toEqual([
      ['ada', 4],
      ['bob', 2],
      ['cy', 0],
    ]);
  });

  it('leaves its events in the topic for a backup, and a restored registry reads them there', () => {
    project.json('push purchases events.jsonl');
    const stay = expect.stringMatching(/Pushed events in topic "pushed" stay there/);
    expect(project.run('backup kept')).toMatchObject({ code: 0, stdout: stay });
    const restored = {
      HEADRACE_REGISTRY_URL: `sqlite:${project.file('restored/registry.db')}`,
      HEADRACE_ARTIFACTS_URL: `file:${project.file('restored/artifacts')}`,
      HEADRACE_ONLINE_URL: `lmdb:${project.file('restored/online')}`,
      HEADRACE_PUSH_LOG_PATH: project.file('restored/log'),
      HEADRACE_PUSH_LOG_TOPIC: 'pushed-after',
      HEADRACE_OFFLINE_PATH: project.file('restored/offline'),
    };
    expect(project.run('restore kept', restored).code).toBe(0);
    expect(project.run('materialize --from 2020-01-01', restored).code).toBe(0);
    expect([counted('ada', restored), counted('cy', restored)]).toEqual([counted('ada'), 1]);
    project.json('push purchases events.jsonl', restored);
    expect([counted('cy', restored), counted('cy')]).toEqual([2, 1]);
  });

  it('says what is wrong with its brokers, and shows no password', () => {
    const push = (LOG_BROKERS: string) => project.run('push purchases events.jsonl', { LOG_BROKERS });
    const doctor = (env = {}) => project.run('doctor', env).stdout;
    expect(push(kafka.broker).code).toBe(0);
    expect(doctor()).toMatch(/ok {4}push log: topic "pushed", 4 partitions/);
    const away = doctor({ LOG_BROKERS: '127.0.0.1:1' });
    expect(away).toMatch(/FAIL {2}push log: the brokers at 127\.0\.0\.1:1 do not answer/);
    const { broker, user } = kafka.guarded;
    const refused = push(`kafka://${user}:hunter2@${broker}`);
    const why = expect.stringMatching(/HR_STORAGE_UNAVAILABLE.*refuse us.*pushLog\.topic/s);
    expect(refused).toMatchObject({ code: 1, stderr: why });
    expect(refused.stderr).not.toMatch(/hunter2/);
    project.env = {};
    const unset = expect.stringMatching(/LOG_BROKERS, which is not set/);
    expect(project.run('push purchases events.jsonl')).toMatchObject({ code: 1, stderr: unset });
  });
});
