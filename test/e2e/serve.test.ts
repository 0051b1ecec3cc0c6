// `headrace serve` as its users run it: one server of two workers, from its start to its stop; and `headrace types` beside it.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postJson } from '../support/post-json.ts';
import {
  CONFIG,
  createProject,
  createServingProject,
  headrace,
  headraceJson,
  type Project,
  REPOSITORY,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';
import { connectToBoth, workersOf } from '../support/worker-processes.ts';

let project: Project;
let server: ServerProcess;
beforeAll(async () => {
  project = createServingProject();
  server = await startServe(project, ['--workers', '2']);
}, 60_000);
afterAll(() => {
  server.process.kill('SIGKILL');
  project.remove();
});

const post = (path: string, body: unknown): Promise<unknown> => postJson(server.url, path, body);
const predict = async (): Promise<string[]> => {
  const inputs = Array.from({ length: 20 }, (_, at) => ({ customer: `c${at}`, amount: 1 }));
  const answer = (await post('/v1/endpoints/checkout/predict', { inputs })) as { predictions: { variant: string }[] };
  return answer.predictions.map(({ variant }) => variant);
};

describe('headrace types', () => {
  it('writes the same of what is applied and of a server that runs', () => {
    const [out, url] = ['api.ts', server.url];
    const made = headrace(project, ['types', '--out', out]);
    expect(made).toMatchObject({ code: 0, stdout: 'api.ts: 1 endpoint, 2 services, 1 source.\n' });
    const text = readFileSync(project.file(out), 'utf8');
    expect(text).toContain("      request: {\n        customer: 'string',\n        amount: 'float64?',\n      },\n");
    expect(headrace(project, ['types', '--url', url]).stdout).toBe(text);
    expect(headrace(project, ['types', '--url', url, '--out', out, '--check'])).toMatchObject({ code: 0 });
    project.write(out, `${text}\n`);
    expect(headrace(project, ['types', '--out', out, '--check'])).toMatchObject({
      code: 1,
      stdout: 'api.ts is missing or out of date. Write it by the same command without --check.\n',
    });
    expect(headrace(project, ['types', '--out', 'none.mjs', '--check'])).toMatchObject({ code: 1 });
  });

  it('says what is wrong with its words', () => {
    expect(headrace(project, ['types', '--check'])).toMatchObject({ code: 2 });
    expect(headrace(project, ['types', '--out', 'api.d.ts']).stderr).toContain('ends in .ts, .mts, .js or .mjs');
    expect(headrace(project, ['types', '--out', 'nowhere/api.ts']).stderr).toContain('there is no folder');
    expect(headrace(project, ['types', '--url', 'http://127.0.0.1:1']).stderr).toContain('HR_SERVER_UNREACHABLE');
  });
});

describe('a server does not start', () => {
  it('where others listen on its port', () => {
    expect(headrace(project, ['serve', '--port', new URL(server.url).port])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('EADDRINUSE'),
    });
  });

  it('at an address that other machines reach, unless it is told to', () => {
    expect(headrace(project, ['serve', '--host', '0.0.0.0', '--port', '0'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--insecure'),
    });
  });

  it('where nothing is applied', () => {
    const other = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': REPOSITORY });
    try {
      for (const workers of ['1', '2']) {
        const args = ['serve', '--port', '0', '--workers', workers];
        const { code, stdout, stderr } = headrace(other, args);
        expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
        expect(stderr).toBe('HR_NOTHING_APPLIED: nothing is applied yet. Run `headrace apply` first.\n');
      }
    } finally {
      other.remove();
    }
  });

  it('without its store, and tells no secret of it', () => {
    const secret = 's3cret-of-the-store';
    const env = { HEADRACE_ONLINE_URL: `redis://user:${secret}@127.0.0.1:1/0` };
    for (const args of [
      ['serve', '--port', '0'],
      ['features', 'get', '--service', 'numbers', '--rows', '[{"customer":"a"}]'],
      ['doctor'],
    ]) {
      const { code, stdout, stderr } = headrace(project, args, env);
      expect(code).toBe(1);
      expect(stdout + stderr).toContain('127.0.0.1:1');
      expect(stdout + stderr).not.toContain(secret);
      expect(stdout + stderr).not.toMatch(/\n\s+at /);
    }
  });
});

describe('a server of two workers', () => {
  it('takes a push and serves it by both, agrees on variants, counts what all answered, and stops with 0', async () => {
    expect(workersOf(server.process.pid as number)).toHaveLength(2);
    for (const { agent } of await connectToBoth(server.url)) agent.destroy();
    const bought_at = new Date(Date.now() - 1000).toISOString();
    await post('/v1/sources/purchases/push', { rows: [{ customer: 'fresh', amount: 5, points: 1, bought_at }] });
    const read = { service: 'numbers', rows: [{ customer: 'fresh' }] };
    for (let at = 0; at < 6; at++)
      expect(await post('/v1/features/read', read)).toMatchObject({
        rows: [{ features: { history__purchases_1d: 1 } }],
      });

    headraceJson(project, ['endpoints', 'traffic', 'checkout', 'stable=1:50', 'candidate=2:50']);
    const answers = await Promise.all(Array.from({ length: 12 }, predict));
    expect(new Set(answers.map((variants) => variants.join())).size).toBe(1);
    expect(new Set(answers[0])).toEqual(new Set(['stable', 'candidate']));
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('headrace_requests_total{endpoint="checkout"} 12');

    expect(await server.stop()).toBe(0);
    await expect(fetch(`${server.url}/health/live`)).rejects.toThrow();
    const query = ['logs', 'query', '--sql', 'SELECT count(*) AS n FROM predictions'];
    expect(headraceJson(project, query)).toMatchObject({ rows: [{ n: 240 }] });
  }, 60_000);
});
