// Rollouts at a real server with two workers: a version that fails for some goes back by itself, one whose breakers open at once, and
// a command watches one outside a terminal.
// twin: test/integration/rollout-served.test.ts > is promoted step by step by what its servers count
// twin: test/contract/rollouts.test.ts > is rolled back within five seconds of evidence that suffices, which is kept

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOT_IN_TABLE, ONE_NUMBER } from '../support/one-number.ts';
import { linearModel, lookUpModel } from '../support/onnx-model.ts';
import {
  CONFIG,
  createProject,
  headrace,
  headraceJson,
  MAIN,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';

interface Status {
  readonly id: string;
  readonly state: string;
  readonly step: number;
  readonly weights: Readonly<Record<string, number>>;
  readonly reason: string | null;
  readonly guardrails: readonly { readonly metric: string; readonly verdict: string }[];
  readonly history: readonly { readonly to: string; readonly at: string; readonly actor: string }[];
}

let project: Project;
let server: ServerProcess;
beforeAll(async () => {
  project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': ONE_NUMBER,
    'given.onnx': linearModel(1),
    'other.onnx': linearModel(1),
    'fails.onnx': lookUpModel(),
  });
  headraceJson(project, ['apply']);
  for (const file of ['given.onnx', 'other.onnx', 'fails.onnx'])
    headraceJson(project, ['models', 'register', 'returns', file]);
  server = await startServe(project, ['--workers', '2']);
}, 90_000);
afterAll(async () => {
  await server.stop();
  project.remove();
});

let next = 0;
let allFail = false;
/** Each of a unit of its own; one in twelve is what the last version fails at. */
async function predict(): Promise<number> {
  const x = ++next % 12 === 0 || allFail ? NOT_IN_TABLE + next : (next % 6_300) / 100;
  const response = await fetch(`${server.url}/v1/endpoints/checkout/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: [{ x }] }),
  });
  await response.text();
  return response.status;
}

async function call(method: string, path: string, body?: object, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  // Its schema is the route's.
  return { status: response.status, etag: response.headers.get('etag') ?? '', json: (await response.json()) as Status };
}

/** Requests come until the rollout is there. */
async function until(id: string, isThere: (status: Status) => boolean, limitMs = 30_000): Promise<Status> {
  for (const endMs = performance.now() + limitMs; ; ) {
    await Promise.all(Array.from({ length: 4 }, predict));
    const { json } = await call('GET', `/v1/rollouts/${id}`);
    if (isThere(json)) return json;
    if (performance.now() > endMs) throw new Error(`${JSON.stringify(json)}\n${server.log().slice(-1000)}`);
    await sleep(20);
  }
}

describe('a rollout at a server', { timeout: 60_000 }, () => {
  it('goes back by itself, and then waits', async () => {
    const { status, json, etag } = await call('POST', '/v1/rollouts', {
      endpoint: 'checkout',
      candidate: 3,
      steps: [50, 100],
      hold: '10m',
      warmup: '0s',
      min_units: 30,
      guards: ['error_rate<+20%'],
    });
    expect({ status, etag }).toEqual({ status: 201, etag: '"s1"' });
    const ended = await until(json.id, ({ state }) => state === 'rolled_back');
    expect(ended.reason).toMatch(/^error_rate, allowed \+20% \(\d+ units at the candidate, 0 at stable\)$/);
    expect(ended.weights).toEqual({ stable: 100 });
    const again = headrace(project, ['rollout', 'start', 'checkout', '--candidate', '3']);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('--force') });
    expect(headrace(project, ['rollout', 'watch', json.id]).code).toBe(1);
  });

  it('goes back where breakers open, whatever its guards allow', async () => {
    const path = '/v1/rollouts';
    const body = {
      endpoint: 'checkout',
      candidate: 3,
      steps: [50],
      hold: '10m',
      guards: ['null_rate<+20%'],
      force: true,
    };
    const { json } = await call('POST', path, body);
    allFail = true;
    const ended = await until(json.id, ({ state }) => state === 'rolled_back');
    allFail = false;
    expect(ended.reason).toMatch(/^breaker is \d, allowed 0/);
  });

  it('is watched outside a terminal, too: a line whenever it waits for something else, and not for each count', async () => {
    const words =
      'rollout start checkout --candidate 2 --guard error_rate<+20% --steps 50 --hold 10m --warmup 0s'.split(' ');
    const { id } = headraceJson(project, [...words, '--min-units', '100000']) as Status;
    const watching = spawn(process.execPath, [MAIN, 'rollout', 'watch', id], {
      cwd: project.directory,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
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
    headraceJson(project, ['rollout', 'abort', id]);
    expect(await ended).toEqual([1, null]);
    expect(waits().length - seen).toBeLessThan(3);
    expect(told).toMatch(/ {2}aborted/);
  });
});
