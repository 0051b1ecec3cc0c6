// A server under load while things happen to it: traffic that changes, a load that fails, a worker that is killed, a store
// that is away. No request is lost that could be answered, and readiness, status and log tell what is so.
// twin: test/unit/app-supervise-workers.test.ts > is told to the registry, and another is started in its place with the same task
// twin: test/unit/serving-endpoint-loads.test.ts > that lacks a version answers by the others, and is whole once that can be had
// twin: test/integration/serving-redis.test.ts > fails or answers from defaults by the endpoint’s policy while Redis is gone, and is whole once it is back

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { headraceBeside } from '../support/evolving-project.ts';
import { constantModel } from '../support/onnx-model.ts';
import { artifactOf } from '../support/open-for.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import {
  CONFIG,
  createProject,
  createServingProject,
  headraceJson,
  type Project,
  REPOSITORY,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { type Gate, openGate } from '../support/tcp-gate.ts';

if (!hasRedis()) skipBecause('a store that is away under load: there is no redis-server on this machine');

interface Load {
  /** By status; 0: the connection broke, and the same request was sent again. */
  readonly counts: Map<number, number>;
  /** Bodies of what was no 200, each text once. */
  readonly told: Set<string>;
  stop(): Promise<void>;
}

/** So many clients that post to an endpoint without a break; what a broken connection took is sent again, as a client would. */
function keepPosting(endpoint: string, clients: number): Load {
  const url = `${server?.url}/v1/endpoints/${endpoint}/predict`;
  const counts = new Map<number, number>();
  const told = new Set<string>();
  let [isOver, sent] = [false, 0];
  const count = (status: number): void => void counts.set(status, (counts.get(status) ?? 0) + 1);
  const headers = { 'content-type': 'application/json' };
  const post = async (body: string, tries = 0): Promise<void> => {
    try {
      const answer = await fetch(url, { method: 'POST', headers, body });
      const text = await answer.text();
      count(answer.status);
      if (answer.status !== 200) told.add(text);
    } catch (thrown) {
      count(0);
      if (tries === 20) throw thrown;
      await sleep(50);
      await post(body, tries + 1);
    }
  };
  const loops = Array.from({ length: clients }, async () => {
    for (; !isOver; sent++) await post(JSON.stringify({ inputs: [{ customer: `c${sent % 50}`, amount: sent % 7 }] }));
  });
  const stop = async (): Promise<void> => {
    isOver = true;
    await Promise.all(loops);
  };
  return { counts, told, stop };
}

let project: Project | undefined;
let server: ServerProcess | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
  project?.remove();
  project = undefined;
});

async function get(path: string): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(`${server?.url}${path}`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const until = (what: string, holds: () => boolean, timeout = 20_000): Promise<void> =>
  expect.poll(holds, { timeout, message: what }).toBe(true);

describe('two workers under load', () => {
  it('lose no request while traffic changes, a load fails and a worker is killed', async () => {
    const own = (project = createServingProject());
    server = await startServe(own, ['--workers', '2']);
    const { log, process: primary } = server;
    const load = keepPosting('checkout', 12);
    const ready: number[] = [];
    const look = async () => void ready.push((await get('/health/ready')).status);
    const watching = setInterval(() => void look().catch(() => {}), 100);

    const to = (...variants: string[]) => headraceBeside(own, ['endpoints', 'traffic', 'checkout', ...variants]);
    expect(await to('stable=1:50', 'candidate=2:50')).toMatchObject({ code: 0 });

    // A version whose file is lost before anybody could load it.
    own.write('third.onnx', constantModel(4, 0.5));
    headraceJson(own, ['models', 'register', 'returns', 'third.onnx']);
    rmSync(artifactOf(own, constantModel(4, 0.5)));
    const refused = await to('stable=3:100');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('HR_NOT_PREPARED');
    const told = (await get('/v1/endpoints/checkout')).body;
    expect(told).toMatchObject({ state: 'serving', wanted: [1, 2], served: [1, 2], change: { state: 'failed' } });

    const children = spawnSync('ps', ['--ppid', String(primary.pid), '-o', 'pid='], { encoding: 'utf8' });
    process.kill(Number.parseInt(children.stdout, 10), 'SIGKILL');
    await until('the restart', () => log().includes('a worker crashed and is started again'));
    // Nobody waits for the one that was killed.
    expect(await to('stable=1:100')).toMatchObject({ code: 0 });

    await sleep(500);
    clearInterval(watching);
    await load.stop();
    expect([...load.told]).toEqual([]);
    expect(new Set(load.counts.keys())).toEqual(new Set([200, ...(load.counts.has(0) ? [0] : [])]));
    // What the killed worker held, and what was on its way to it.
    expect(load.counts.get(0) ?? 0).toBeLessThanOrEqual(24);
    expect(load.counts.get(200)).toBeGreaterThan(100);
    expect(new Set(ready)).toEqual(new Set([200]));
  }, 120_000);
});

describe.runIf(hasRedis())('a store that is away under load', () => {
  let redis: RedisServer;
  let gate: Gate;
  afterEach(async () => {
    gate.end();
    await redis.stop();
  });

  it('is told at once, and once; what can do without it goes on, and all is answered when it is back', async () => {
    redis = await startRedis();
    gate = await openGate(() => redis.port);
    const own = (project = createProject({
      'headrace.config.ts': CONFIG,
      'feature_repo/shop.ts': REPOSITORY.concat(
        "export const careless = endpoint('careless', { model: returns, unit: ['customer'], whenStoreDown: 'defaults' });\n",
      ),
      'quarter.onnx': constantModel(4, 0.25),
    }));
    const env = { HEADRACE_ONLINE_URL: `redis://127.0.0.1:${gate.port}` };
    headraceJson(own, ['apply', '--yes'], env);
    headraceJson(own, ['models', 'register', 'returns', 'quarter.onnx'], env);
    server = await startServe(own, [], env);
    const { log } = server;
    const strict = keepPosting('checkout', 4);
    const careless = keepPosting('careless', 4);
    await until('load', () => (strict.counts.get(200) ?? 0) > 50 && (careless.counts.get(200) ?? 0) > 50);
    expect([...strict.told, ...careless.told]).toEqual([]);

    gate.refuse();
    await until('the outage', () => (strict.counts.get(503) ?? 0) > 20);
    const away = await get('/health/ready');
    // One store's outage must not take every server from its balancer.
    expect(away).toMatchObject({ status: 200, body: { reason: expect.stringContaining('checkout is failed') } });
    expect((await get('/v1/endpoints/checkout')).body).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('HR_ONLINE_UNAVAILABLE'),
    });
    expect((await get('/v1/endpoints/careless')).body).toMatchObject({ state: 'serving' });
    const answeredAway = careless.counts.get(200) ?? 0;
    await until('answers without it', () => (careless.counts.get(200) ?? 0) > answeredAway + 20);

    gate.admit();
    const before = strict.counts.get(200) ?? 0;
    await until('its return', () => (strict.counts.get(200) ?? 0) > before + 20, 5000);
    await Promise.all([strict.stop(), careless.stop()]);
    expect(new Set(careless.counts.keys())).toEqual(new Set([200]));
    expect(new Set(strict.counts.keys())).toEqual(new Set([200, 503]));
    for (const body of strict.told) expect(JSON.parse(body)).toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    expect((await get('/v1/endpoints/checkout')).body).toMatchObject({ state: 'serving', reason: null });
    const lines = log().split('\n');
    expect(lines.filter((line) => line.includes('endpoint fails at every request'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('endpoint answers again'))).toHaveLength(1);
  }, 120_000);
});
