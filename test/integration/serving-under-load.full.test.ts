// A server under load while things happen to it: traffic that changes, a load that fails, a worker that is killed, a store
// that is away. No request is lost that could be answered, and readiness, status and log tell what is so.
// twin: test/unit/app-supervise-workers.test.ts > is told to the registry, and another is started in its place
// twin: test/unit/serving-endpoint-loads.test.ts > that lacks a version answers by the others
// twin: test/integration/serving-redis.test.ts > fails or answers from defaults by the endpoint’s policy while Redis is gone

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { headraceBeside } from '../support/evolving-project.ts';
import { constantModel } from '../support/onnx-model.ts';
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

interface Answer {
  readonly status: number;
  readonly body: string;
}

interface Load {
  /** By status; 0: the connection broke, and the same request was sent again. */
  readonly counts: Map<number, number>;
  /** Bodies of what was no 200, each text once. */
  readonly told: Set<string>;
  stop(): Promise<void>;
}

const post = (url: string, agent: Agent, body: string): Promise<Answer> => send(url, agent, 'POST', body);

function send(url: string, agent: Agent, method: string, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const asked = request(url, { method, agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      response.once('error', reject);
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

/** Posts over so many connections without a break; what a broken connection took is sent again, as a client would. */
function keepPosting(url: string, connections: number, bodyOf: (n: number) => string): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const counts = new Map<number, number>();
  const told = new Set<string>();
  let isOver = false;
  let sent = 0;
  const count = (status: number): void => void counts.set(status, (counts.get(status) ?? 0) + 1);
  const loops = Array.from({ length: connections }, async () => {
    while (!isOver) {
      const body = bodyOf(sent++);
      for (let tries = 0; ; tries++) {
        try {
          const answer = await post(url, agent, body);
          count(answer.status);
          if (answer.status !== 200) told.add(answer.body);
          break;
        } catch (thrown) {
          count(0);
          if (tries === 20) throw thrown;
          await sleep(50);
        }
      }
    }
  });
  return {
    counts,
    told,
    async stop() {
      isOver = true;
      await Promise.all(loops);
      agent.destroy();
    },
  };
}

let project: Project | undefined;
let server: ServerProcess | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
  project?.remove();
  project = undefined;
});

const predictUrl = (endpoint: string): string => `${server?.url}/v1/endpoints/${endpoint}/predict`;
const bodyOf = (n: number): string => JSON.stringify({ inputs: [{ customer: `c${n % 50}`, amount: n % 7 }] });

async function get(path: string): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(`${server?.url}${path}`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function until(what: string, holds: () => Promise<boolean> | boolean, limitMs = 20_000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`${what} did not happen within ${limitMs} ms`);
    await sleep(50);
  }
}

describe('two workers under load', () => {
  it('lose no request while traffic changes, a load fails and a worker is killed', async () => {
    const own = (project = createServingProject());
    server = await startServe(own, ['--workers', '2']);
    const { log, process: primary } = server;
    const load = keepPosting(predictUrl('checkout'), 12, bodyOf);
    const ready: number[] = [];
    const watching = setInterval(() => {
      get('/health/ready').then(
        ({ status }) => ready.push(status),
        () => {},
      );
    }, 100);

    const to = (...variants: string[]) => headraceBeside(own, ['endpoints', 'traffic', 'checkout', ...variants]);
    expect(await to('stable=1:50', 'candidate=2:50')).toMatchObject({ code: 0 });

    // A version whose file is lost before anybody could load it.
    own.write('third.onnx', constantModel(4, 0.5));
    headraceJson(own, ['models', 'register', 'returns', 'third.onnx']);
    removeArtifact(own, Buffer.from(constantModel(4, 0.5)));
    const refused = await to('stable=3:100');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('HR_NOT_PREPARED');
    const told = (await get('/v1/endpoints/checkout')).body;
    expect(told).toMatchObject({ state: 'serving', wanted: [1, 2], served: [1, 2], change: { state: 'failed' } });

    const children = spawnSync('ps', ['--ppid', String(primary.pid), '-o', 'pid='], { encoding: 'utf8' });
    const [victim = 0] = children.stdout
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0);
    process.kill(victim, 'SIGKILL');
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
    const strict = keepPosting(predictUrl('checkout'), 4, bodyOf);
    const careless = keepPosting(predictUrl('careless'), 4, bodyOf);
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

function removeArtifact(own: Project, bytes: Buffer): void {
  const root = own.file('.headrace/artifacts');
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && readFileSync(path).equals(bytes)) {
      rmSync(path);
      return;
    }
  }
  throw new Error('the artifact store does not have it');
}
