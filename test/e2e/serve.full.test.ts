// `headrace serve` as a process: stopping, traffic changes under load, several workers, a worker that dies.

import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CONFIG,
  createProject,
  createServingProject,
  headrace,
  headraceJson,
  type Project,
  REPOSITORY,
  startServe,
} from '../support/serving-project.ts';
import { headraceBeside } from '../support/evolving-project.ts';

let project: Project;
beforeAll(() => {
  project = createServingProject();
});
afterAll(() => project.remove());

const inputs = Array.from({ length: 20 }, (_, at) => ({ customer: `c${at}`, amount: 1 }));

const send = (url: string, body: object): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

async function predict(url: string): Promise<{ status: number; variants: string[] }> {
  const response = await fetch(`${url}/v1/endpoints/checkout/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs }),
  });
  const body = (await response.json()) as { predictions?: { variant: string }[] };
  return { status: response.status, variants: (body.predictions ?? []).map(({ variant }) => variant) };
}

/** Predicts without a break over several connections until told to stop; gives every status. */
function keepPredicting(url: string, connections: number): () => Promise<number[]> {
  let isOver = false;
  const statuses: number[] = [];
  const loops = Array.from({ length: connections }, async () => {
    while (!isOver) statuses.push((await predict(url)).status);
  });
  return async () => {
    isOver = true;
    await Promise.all(loops);
    return statuses;
  };
}

const until = async (what: string, holds: () => Promise<boolean>, limitMs: number): Promise<number> => {
  const startMs = performance.now();
  while (!(await holds())) {
    if (performance.now() - startMs > limitMs) throw new Error(`${what} did not happen within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - startMs;
};

describe('one worker', () => {
  it('serves a traffic change within a second, with no dropped request, and stops with 0', async () => {
    const server = await startServe(project);
    try {
      const stopPredicting = keepPredicting(server.url, 4);
      const to = async (...variants: string[]) => {
        const { code, stderr } = await headraceBeside(project, ['endpoints', 'traffic', 'checkout', ...variants]);
        expect(stderr).toBe('');
        expect(code).toBe(0);
      };
      await to('stable=1:50', 'candidate=2:50');
      const tookMs = await until(
        'the change',
        async () => (await predict(server.url)).variants.includes('candidate'),
        2000,
      );
      expect(tookMs).toBeLessThan(1500);
      await to('candidate=2:100');
      await until('the change', async () => !(await predict(server.url)).variants.includes('stable'), 2000);
      const statuses = await stopPredicting();
      expect(statuses.length).toBeGreaterThan(20);
      expect(new Set(statuses)).toEqual(new Set([200]));
    } finally {
      expect(await server.stop()).toBe(0);
    }
    await expect(fetch(`${server.url}/health/live`)).rejects.toThrow();
    headraceJson(project, ['endpoints', 'traffic', 'checkout', 'stable=1:100']);
  });

  it('answers what runs when it is told to stop', async () => {
    const server = await startServe(project);
    const stopPredicting = keepPredicting(server.url, 8);
    await until('load', async () => (await predict(server.url)).status === 200, 2000);
    const startMs = performance.now();
    const exited = server.stop();
    const outcome = await Promise.race([
      stopPredicting().catch((error: unknown) => error),
      exited.then(() => 'exited'),
    ]);
    // A connection refused after the listener closed is fine; an answer other than 200 is not.
    if (Array.isArray(outcome)) expect(new Set(outcome)).toEqual(new Set([200]));
    expect(await exited).toBe(0);
    // Connections that clients keep alive must not hold it: the drain limit is 10 s.
    expect(performance.now() - startMs).toBeLessThan(5000);
    expect(server.log()).toContain('"msg":"stopped"');
  });

  it('refuses an address that other machines reach, unless --insecure, and says so', async () => {
    expect(headrace(project, ['serve', '--host', '0.0.0.0', '--port', '0'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--insecure'),
    });
    const server = await startServe(project, ['--host', '0.0.0.0', '--insecure']);
    expect(await server.stop()).toBe(0);
    expect(server.log()).toContain('without authentication');
  });

  it('says that a port is taken', async () => {
    const server = await startServe(project);
    expect(headrace(project, ['serve', '--port', new URL(server.url).port])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('EADDRINUSE'),
    });
    expect(await server.stop()).toBe(0);
  });

  it('does not start where nothing is applied', () => {
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

  it('does not start without its store, and tells no secret of it', () => {
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

  it('picks up a definition that is applied while it serves', async () => {
    const server = await startServe(project);
    try {
      const read = () =>
        fetch(`${server.url}/v1/features/read`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ service: 'only_counts', rows: [{ customer: 'ada' }] }),
        });
      expect((await read()).status).toBe(404);
      project.write(
        'feature_repo/more.ts',
        `import { featureService } from 'headrace';\nimport { history } from './shop.ts';\nexport const only = featureService('only_counts', [history.pick('purchases_1d')]);\n`,
      );
      headraceJson(project, ['apply']);
      await until('the new service', async () => (await read()).status === 200, 3000);
    } finally {
      await server.stop();
    }
  });
});

describe('several workers', () => {
  it('all serve, agree on variants and figures, and a killed one is replaced', async () => {
    headraceJson(project, ['endpoints', 'traffic', 'checkout', 'stable=1:50', 'candidate=2:50']);
    const server = await startServe(project, ['--workers', '2']);
    try {
      const answers = await Promise.all(Array.from({ length: 40 }, () => predict(server.url)));
      expect(new Set(answers.map(({ variants }) => variants.join()))).toHaveLength(1);
      const push = { rows: [{ customer: 'fresh', amount: 5, bought_at: new Date(Date.now() - 1000).toISOString() }] };
      expect((await send(`${server.url}/v1/sources/purchases/push`, push)).status).toBe(200);
      const reads = await Promise.all(
        Array.from({ length: 10 }, async () => {
          const query = { service: 'numbers', rows: [{ customer: 'fresh' }] };
          return (await send(`${server.url}/v1/features/read`, query)).text();
        }),
      );
      for (const text of reads) expect(text).toContain('"history__purchases_1d":1');

      const total = async (): Promise<number> => {
        const text = await (await fetch(`${server.url}/metrics`)).text();
        const sums = [
          ...text.matchAll(/^headrace_(?:prediction_)?requests_total\{[^}]*endpoint="checkout"[^}]*\} (\d+)/gm),
        ].map(([, count]) => Number(count));
        return Math.max(0, ...sums);
      };
      expect(await total()).toBeGreaterThanOrEqual(40);

      const children = spawnSync('ps', ['--ppid', String(server.process.pid), '-o', 'pid='], { encoding: 'utf8' });
      const pids = children.stdout
        .split('\n')
        .map(Number)
        .filter((pid) => pid > 0);
      expect(pids.length).toBeGreaterThanOrEqual(2);
      process.kill(pids[0] as number, 'SIGKILL');
      await until('the restart', async () => server.log().includes('started again'), 3000);
      await until(
        'an answer',
        async () => (await predict(server.url).catch(() => ({ status: 0 }))).status === 200,
        3000,
      );
      headraceJson(project, ['endpoints', 'traffic', 'checkout', 'stable=1:100']);
      await until(
        'the change on both',
        async () => {
          const both = await Promise.all(Array.from({ length: 10 }, () => predict(server.url)));
          return both.every(({ variants }) => variants.every((variant) => variant === 'stable'));
        },
        1500,
      );
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });
});
