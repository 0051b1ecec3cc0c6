// `headrace consume` as a user runs it, on a real Kafka: the guide from the first command to the last, and what goes wrong.
// twin: test/integration/consume.test.ts > pushes what the topic holds

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, startKafka } from '../support/kafka-server.ts';
import { runGuide } from '../support/run-guide.ts';
import { createProject, headrace, headraceJson, MAIN, type Project } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/streams.md');
const program = findKafka();
if (program === undefined) skipBecause(`the guide on Kafka: ${WITHOUT_KAFKA}`);

const order = (customer: string, amount: number) => ({
  value: JSON.stringify({ customer, amount, ordered_at: new Date(Date.now() - 60_000).toISOString() }),
});

describe.skipIf(program === undefined)('headrace consume', () => {
  let kafka: KafkaServer;
  let project: Project;
  beforeAll(async () => {
    if (program === undefined) return;
    kafka = await startKafka(program);
    project = createProject({
      'headrace.config.ts': `import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'shop' });\n`,
    });
  }, 90_000);
  afterAll(async () => {
    project.remove();
    await kafka.stop();
  });
  const env = (): Record<string, string> => ({ ORDERS_BROKERS: kafka.broker });
  const get = (customer: string): unknown => {
    const service = ['--service', 'all', '--rows', JSON.stringify([{ customer }])];
    const { rows } = headraceJson(project, ['features', 'get', ...service]) as { rows: { features: unknown }[] };
    return rows[0]?.features;
  };

  it('does what the guide says', { timeout: 300_000 }, async () => {
    await kafka.newTopic(1, 'orders');
    await kafka.send('orders', [order('ada', 5), { value: 'no order' }, order('ada', 7), order('bob', 1)]);
    project.write(
      'feature_repo/all.ts',
      `import { featureService } from 'headrace';\nimport { spending } from './orders.ts';\nexport const all = featureService('all', [spending]);\n`,
    );
    const shown = runGuide(GUIDE, project, env());
    expect(shown).toHaveLength(1);
    for (const { command, shown: said, printed } of shown) expect(printed, command).toBe(said);
    expect(get('ada')).toEqual({ spending__orders_1d: 2, spending__amount_1d: 12 });
    const again = headraceJson(project, ['consume', 'orders', '--until-caught-up'], env());
    expect(again).toMatchObject({
      pushed: 0,
      dead: 0,
      group: 'headrace.shop.orders',
      partitions: [{ position: 4, lag: 0 }],
    });
    const trained = headrace(project, ['materialize', '--incremental'], env());
    expect(trained.stderr + trained.stdout).not.toMatch(/cannot|HR_/);
    expect(get('ada')).toEqual({ spending__orders_1d: 2, spending__amount_1d: 12 });
  });

  it('tells how far behind it is, and stops when it is told to, with what it has begun', {
    timeout: 120_000,
  }, async () => {
    const child = spawn(process.execPath, [MAIN, 'consume', 'orders', '--json', '--metrics-port', '0'], {
      cwd: project.directory,
      env: { ...process.env, npm_lifecycle_event: '', ...env() },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, told] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
    const ended = new Promise<number | null>((done) => child.once('close', done));
    await expect.poll(() => told, { timeout: 60_000 }).toMatch(/\((http:\S+)\)/);
    const [, url = ''] = /\((http:\S+)\)/.exec(told) ?? [];
    await kafka.send(
      'orders',
      Array.from({ length: 500 }, () => order('cy', 1)),
    );
    const metric = async (name: string): Promise<number> => {
      const text = await (await fetch(url)).text();
      return Number(new RegExp(`^${name}{[^}]*} (\\d+)$`, 'm').exec(text)?.[1] ?? NaN);
    };
    await expect.poll(() => metric('headrace_stream_position'), { timeout: 60_000 }).toBe(504);
    expect(await metric('headrace_stream_lag')).toBe(0);
    expect(await metric('headrace_stream_rows_total')).toBe(500);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ pushed: 500, partitions: [{ position: 504, lag: 0 }] });
    expect(get('cy')).toEqual({ spending__orders_1d: 500, spending__amount_1d: 500 });
  });

  it('says what is wrong, and shows no password', { timeout: 180_000 }, () => {
    const run = (words: readonly string[], variables: Record<string, string>) => {
      const { code, stderr } = headrace(project, ['consume', ...words], variables);
      return { code, stderr };
    };
    expect(run(['orders'], {})).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/ORDERS_BROKERS, which is not set/),
    });
    expect(run(['ordres'], env())).toMatchObject({ code: 1, stderr: expect.stringMatching(/"ordres".*orders/) });
    expect(run(['orders', '--from', 'middle'], env())).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--from takes/),
    });
    expect(run(['orders', '--max', '0'], env())).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--max takes/),
    });
    const { broker, user } = kafka.guarded;
    const wrong = run(['orders'], { ORDERS_BROKERS: `kafka://${user}:hunter2@${broker}` });
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/HR_STREAM_REFUSED/) });
    expect(wrong.stderr).not.toMatch(/hunter2/);
    const nobody = run(['orders', '--patience', '1s'], { ORDERS_BROKERS: '127.0.0.1:1' });
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringMatching(/HR_STREAM_UNAVAILABLE.*127\.0\.0\.1:1/s) });
  });
});
