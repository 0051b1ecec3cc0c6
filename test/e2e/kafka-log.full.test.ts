// A server whose event log lies in a Kafka topic, as users run it: pushed over HTTP, killed, settled by another machine,
// covered by a run, in a training set; backed up, and restored beside the topic.
// twin: test/contract/event-log.test.ts > an event log with its registry on

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDuckDb, quoteText } from '../../src/storage/index.ts';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, startKafka } from '../support/kafka-server.ts';
import {
  createProject,
  headrace,
  headraceJson,
  type Project,
  REPOSITORY,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { workersOf } from '../support/worker-processes.ts';

const program = findKafka();
if (program === undefined) skipBecause(`an event log in a topic: ${WITHOUT_KAFKA}`);

const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({
  project: 'shop',
  pushLog: { topic: 'pushed', brokers: 'env:LOG_BROKERS', partitions: 4 },
});
`;
const ago = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString();
const purchase = (customer: string, amount: number, hours = 1) => ({
  customer,
  amount,
  points: 1,
  bought_at: ago(hours),
});

describe.skipIf(program === undefined)('a server whose event log lies in a topic', () => {
  let kafka: KafkaServer;
  let project: Project;
  const env = (): Record<string, string> => ({ LOG_BROKERS: kafka.broker });
  /** Another machine: nothing of its disk is the first one's but what both are told to share. */
  const elsewhere = (): Record<string, string> => ({
    ...env(),
    HEADRACE_PUSH_LOG_PATH: project.file('other-machine/log'),
  });
  beforeAll(async () => {
    if (program === undefined) return;
    kafka = await startKafka(program);
    project = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': REPOSITORY });
    project.write('events.jsonl', `${JSON.stringify(purchase('cy', 1))}\n`);
    headraceJson(project, ['apply'], env());
  }, 120_000);
  afterAll(async () => {
    project?.remove();
    await kafka?.stop();
  });

  const push = async (server: ServerProcess, rows: readonly object[], key?: string) => {
    const response = await fetch(`${server.url}/v1/sources/purchases/push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
      body: JSON.stringify({ rows }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const killed = (server: ServerProcess): void => {
    const primary = server.process.pid as number;
    for (const pid of [primary, ...workersOf(primary)]) process.kill(pid, 'SIGKILL');
  };
  const counted = (customer: string, variables = env()): unknown => {
    const words = ['features', 'get', '--service', 'numbers', '--rows', JSON.stringify([{ customer }])];
    const { rows } = headraceJson(project, words, variables) as { rows: { features: Record<string, unknown> }[] };
    return rows[0]?.features['history__purchases_1d'];
  };
  const writers = () =>
    (headraceJson(project, ['log', 'list'], env()) as { writers: { writer: number; state: string; shipped: number }[] })
      .writers;

  it('loses nothing when it is killed: another machine settles, a run covers it, a training set reads it', {
    timeout: 400_000,
  }, async () => {
    const rows = [purchase('ada', 1), purchase('ada', 2), purchase('bob', 3)];
    const first = await startServe(project, [], env());
    expect(await push(first, rows, 'k1')).toMatchObject({
      status: 200,
      body: { accepted: 3, duplicate: false },
    });
    expect(counted('ada')).toBe(2);
    killed(first);
    const second = await startServe(project, [], elsewhere());
    try {
      await expect
        .poll(() => writers().map(({ state }) => state), { timeout: 60_000, interval: 1000 })
        .toEqual(['ended']);
      // The same push again is the one that was taken.
      expect(await push(second, rows, 'k1')).toMatchObject({ status: 200, body: { accepted: 3, duplicate: true } });
      expect(counted('ada')).toBe(2);
      expect(await push(second, rows, 'k2')).toMatchObject({ status: 200, body: { duplicate: false } });
      expect(counted('ada')).toBe(4);
      const run = headrace(project, ['materialize', '--from', '2020-01-01'], elsewhere());
      expect(run.code, run.stderr).toBe(0);
      expect(counted('ada')).toBe(4);
      expect(writers().filter(({ shipped }) => shipped > 0)).toHaveLength(2);
      const now = new Date().toISOString();
      project.write('spine.csv', `customer,amount,at\nada,1,${now}\nbob,1,${now}\ncy,1,${now}\n`);
      const made = ['--spine', 'spine.csv', '--timestamp', 'at', '--out', 'set.parquet'];
      headraceJson(project, ['training-set', 'create', '--service', 'numbers', ...made], elsewhere());
      const duckdb = await openDuckDb({ memory: '200MB', tempDirectory: project.file('spill') });
      const connection = await duckdb.connect();
      const file = quoteText(project.file('set.parquet'));
      const read = await connection.runAndReadAll(`select customer, history__purchases_1d from ${file} order by 1`);
      expect(read.getRowsJson()).toEqual([
        ['ada', '4'],
        ['bob', '2'],
        ['cy', '0'],
      ]);
      connection.closeSync();
      await duckdb.close();
    } finally {
      await second.stop();
    }
  });

  it('leaves its events in the topic for a backup, and a restored registry reads them there', {
    timeout: 400_000,
  }, () => {
    headraceJson(project, ['push', 'purchases', 'events.jsonl'], env());
    const made = headrace(project, ['backup', 'kept'], env());
    expect(made).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/Pushed events in topic "pushed" stay there/),
    });
    const restored = {
      ...env(),
      HEADRACE_REGISTRY_URL: `sqlite:${project.file('restored/registry.db')}`,
      HEADRACE_ARTIFACTS_URL: `file:${project.file('restored/artifacts')}`,
      HEADRACE_ONLINE_URL: `lmdb:${project.file('restored/online')}`,
      HEADRACE_PUSH_LOG_PATH: project.file('restored/log'),
      HEADRACE_PUSH_LOG_TOPIC: 'pushed-after',
      HEADRACE_OFFLINE_PATH: project.file('restored/offline'),
    };
    expect(headrace(project, ['restore', 'kept'], restored).code).toBe(0);
    expect(headrace(project, ['materialize', '--from', '2020-01-01'], restored).code).toBe(0);
    expect([counted('ada', restored), counted('cy', restored)]).toEqual([counted('ada'), 1]);
    headraceJson(project, ['push', 'purchases', 'events.jsonl'], restored);
    expect([counted('cy', restored), counted('cy')]).toEqual([2, 1]);
  });

  it('says what is wrong with its brokers, and shows no password', { timeout: 120_000 }, () => {
    const run = (variables: Record<string, string>) =>
      headrace(project, ['push', 'purchases', 'events.jsonl'], variables);
    const doctor = (variables: Record<string, string>) => headrace(project, ['doctor'], variables).stdout;
    headraceJson(project, ['push', 'purchases', 'events.jsonl'], env());
    expect(doctor(env())).toMatch(/ok {4}push log: topic "pushed", 4 partitions/);
    expect(doctor({ LOG_BROKERS: '127.0.0.1:1' })).toMatch(
      /FAIL {2}push log: the brokers at 127\.0\.0\.1:1 do not answer/,
    );
    expect(run({})).toMatchObject({ code: 1, stderr: expect.stringMatching(/LOG_BROKERS, which is not set/) });
    const { broker, user } = kafka.guarded;
    const refused = run({ LOG_BROKERS: `kafka://${user}:hunter2@${broker}` });
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/HR_STORAGE_UNAVAILABLE.*refuse us.*pushLog\.topic/s),
    });
    expect(refused.stderr).not.toMatch(/hunter2/);
  });
});
