// A version that fails for some, or for all, at a real server with two workers: a rollout of it goes back by itself, and at fixed weights
// its breakers send the requests to the base before anybody looks; a command watches a rollout outside a terminal.
// twin: test/integration/rollout-served.test.ts > is promoted step by step by what its servers count
// twin: test/contract/rollouts.test.ts > is rolled back within five seconds of evidence that suffices, which is kept
// twin: test/property/serving-breaker.test.ts > closes by a probe that is answered, and counts from nothing then
// twin: test/unit/serving-arm-guard.test.ts > opens by failures, and closes by a probe that is answered, whose requests nobody waits for

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { NOT_IN_TABLE, ONE_NUMBER } from '../support/one-number.ts';
import { linearModel, lookUpModel } from '../support/onnx-model.ts';
import type { RolloutStatus } from '../support/rollout-servers.ts';
import { MAIN } from '../support/serving-project.ts';
import { metricsOf, predict, send, testProject, testServer } from '../support/test-project.ts';

/** Versions 1 and 2 answer with what they are given, version 3 fails at what is not in its table. */
const open = () => {
  const models = { 'given.onnx': linearModel(1), 'other.onnx': linearModel(1), 'fails.onnx': lookUpModel() };
  const register = Object.keys(models).map((file) => `models register returns ${file}`);
  const project = testProject({ 'feature_repo/shop.ts': ONE_NUMBER, ...models }, 'apply', ...register);
  return { project, server: testServer(project, '--workers 2') };
};

describe('a rollout at a server', { timeout: 60_000 }, () => {
  const { project, server } = open();
  let next = 0;
  let allFail = false;
  const start = (body: object) => {
    const asked = { endpoint: 'checkout', candidate: 3, hold: '10m', ...body };
    return send<RolloutStatus>(`${server.url}/v1/rollouts`, asked);
  };
  /** Requests come until the rollout is there: each of a unit of its own; one in twelve is what the last version fails at. */
  async function until(id: string, isThere: (status: RolloutStatus) => boolean): Promise<RolloutStatus> {
    const inputs = () => [{ x: ++next % 12 === 0 || allFail ? NOT_IN_TABLE + next : (next % 6_300) / 100 }];
    for (const endMs = performance.now() + 30_000; ; await sleep(20)) {
      await Promise.all(Array.from({ length: 4 }, () => predict(server, inputs())));
      const { body } = await send<RolloutStatus>(`${server.url}/v1/rollouts/${id}`);
      if (isThere(body)) return body;
      if (performance.now() > endMs) throw new Error(`${JSON.stringify(body)}\n${server.log().slice(-1000)}`);
    }
  }

  it('goes back by itself, and then waits', async () => {
    const plan = { steps: [50, 100], warmup: '0s', min_units: 30, guards: ['error_rate<+20%'] };
    const { status, headers, body } = await start(plan);
    expect([status, headers.get('etag')]).toEqual([201, '"s1"']);
    const ended = await until(body.id, ({ state }) => state === 'rolled_back');
    expect(ended.reason).toMatch(/^error_rate, allowed \+20% \(\d+ units at the candidate, 0 at stable\)$/);
    expect(ended.weights).toEqual({ stable: 100 });
    const again = project.run('rollout start checkout --candidate 3');
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('--force') });
    expect(project.run(['rollout', 'watch', body.id]).code).toBe(1);
  });

  it('goes back where breakers open, whatever its guards allow', async () => {
    const { body } = await start({ steps: [50], guards: ['null_rate<+20%'], force: true });
    allFail = true;
    const ended = await until(body.id, ({ state }) => state === 'rolled_back');
    allFail = false;
    expect(ended.reason).toMatch(/^breaker is \d, allowed 0/);
  });

  it('is watched outside a terminal, too: a line whenever it waits for something else, and not for each count', async () => {
    const words = 'rollout start checkout --candidate 2 --guard error_rate<+20% --steps 50 --hold 10m --warmup 0s';
    const { id } = project.json<RolloutStatus>(`${words} --min-units 100000`);
    const watching = spawn(process.execPath, [MAIN, 'rollout', 'watch', id], { cwd: project.directory });
    const ended = once(watching, 'exit');
    let told = '';
    watching.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
    const waits = () => told.split('\n').filter((line) => line.includes(' · waits: '));
    await until(id, () => waits().length > 0);
    expect(waits()[0]).toMatch(
      /^2\d{3}-\S+Z {2}watching · step 1 of 2 · stable 50 %, candidate 50 % · \S+ of 10m · waits: .*100000 units/,
    );
    const seen = waits().length;
    const counts = new Set<string | null>();
    await until(id, ({ reason }) => counts.add(reason).size > 6);
    project.json(['rollout', 'abort', id]);
    expect(await ended).toEqual([1, null]);
    expect(waits().length - seen).toBeLessThan(3);
    expect(told).toMatch(/ {2}aborted/);
  });
});

describe('a candidate that fails every row, at half of the traffic', { timeout: 60_000 }, () => {
  const { project, server } = open();
  const get = async (path: string): Promise<unknown> => (await send(`${server.url}${path}`)).body;

  it('is answered for by the base within two seconds of load', async () => {
    project.json('endpoints traffic checkout stable=1:50 candidate=3:50');
    const startMs = performance.now();
    const answers: { atMs: number; status: number; version: number | undefined; from: string | undefined }[] = [];
    let next = NOT_IN_TABLE;
    const clients = Array.from({ length: 8 }, async () => {
      while (performance.now() - startMs < 4000) {
        const { status, predictions } = await predict(server, [{ x: next++ }]);
        const atMs = performance.now() - startMs;
        answers.push({ atMs, status, version: predictions[0]?.version, from: predictions[0]?.fallback_from });
      }
    });
    await Promise.all(clients);
    const late = answers.filter(({ atMs }) => atMs > 2000);
    expect(answers.some(({ status }) => status === 500)).toBe(true);
    expect(late.length).toBeGreaterThan(100);
    expect(late.filter(({ status, version }) => status !== 200 || version !== 1)).toEqual([]);
    const stoodIn = late.filter(({ from }) => from === 'candidate').length;
    expect(stoodIn / late.length).toBeGreaterThan(0.3);
    expect(stoodIn / late.length).toBeLessThan(0.7);
  });

  it('is told of by health, the endpoint, metrics and the log', async () => {
    const breakers = [{ variant: 'candidate', version: 3, since: expect.any(String), probeAt: expect.any(String) }];
    expect(await get('/v1/endpoints/checkout')).toMatchObject({ state: 'serving', breakers });
    const endpoints = [{ endpoint: 'checkout', breakers }];
    expect(await get('/health/ready')).toMatchObject({ status: 'ready', endpoints });
    const metrics = await metricsOf(server);
    const arm = 'endpoint="checkout",variant="candidate",version="3"';
    expect(metrics).toContain(`headrace_breaker_opens_total{${arm}} 2`);
    // Those that the base answered are no events of the candidate: it got some at each worker, and no more.
    const failed = Number(new RegExp(`errors_total{${arm},outcome="failed"} (\\d+)`).exec(metrics)?.[1]);
    expect(failed).toBeGreaterThanOrEqual(40);
    expect(failed).toBeLessThan(80);
    expect(server.log()).toContain('a variant fails: its requests go to the base');
    const history = async (): Promise<number> => {
      const text = JSON.stringify(await get('/v1/monitoring/history?endpoint=checkout&arm=candidate'));
      return [...text.matchAll(/"breaker_opens":(\d+)/g)].reduce((sum, [, opens]) => sum + Number(opens), 0);
    };
    await expect.poll(history, { timeout: 15_000, interval: 500 }).toBe(2);
  });

  it('answers for itself again once a probe is answered', async () => {
    // What the base answers is within the table now. So many units that the endpoint's seed, which is random, gives some to each.
    const units = Array.from({ length: 32 }, (_, at) => [{ x: at + 1 }]);
    const versions = async () =>
      (await Promise.all(units.map((inputs) => predict(server, inputs)))).map(({ predictions: [row] }) => row?.version);
    await expect.poll(versions, { timeout: 25_000, interval: 200 }).toContain(3);
    expect(server.log()).toContain('a variant answers again: its requests go to it');
  });
});
