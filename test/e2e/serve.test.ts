// `headrace serve` as its users run it: one server of two workers, from its start to its stop; and `headrace types` beside it.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { REPOSITORY } from '../support/serving-project.ts';
import {
  metricsOf,
  ownProject,
  predict,
  purchase,
  pushPurchases,
  send,
  testProject,
  testServer,
} from '../support/test-project.ts';
import { connectToBoth, workersOf } from '../support/worker-processes.ts';

const project = testProject();
const server = testServer(project, '--workers 2');
const said = (text: string) => expect.stringContaining(text);

describe('headrace types', () => {
  it('writes the same of what is applied and of a server that runs', () => {
    const made = project.run('types --out api.ts');
    expect(made).toMatchObject({ code: 0, stdout: 'api.ts: 1 endpoint, 2 services, 1 source.\n' });
    const text = readFileSync(project.file('api.ts'), 'utf8');
    expect(text).toContain("      request: {\n        customer: 'string',\n        amount: 'float64?',\n      },\n");
    expect(project.run(`types --url ${server.url}`).stdout).toBe(text);
    expect(project.run(`types --url ${server.url} --out api.ts --check`)).toMatchObject({ code: 0 });
    project.write('api.ts', `${text}\n`);
    expect(project.run('types --out api.ts --check')).toMatchObject({
      code: 1,
      stdout: 'api.ts is missing or out of date. Write it by the same command without --check.\n',
    });
    expect(project.run('types --out none.mjs --check')).toMatchObject({ code: 1 });
  });

  it('says what is wrong with its words', () => {
    expect(project.run('types --check')).toMatchObject({ code: 2 });
    expect(project.run('types --out api.d.ts').stderr).toContain('ends in .ts, .mts, .js or .mjs');
    expect(project.run('types --out nowhere/api.ts').stderr).toContain('there is no folder');
    expect(project.run('types --url http://127.0.0.1:1').stderr).toContain('HR_SERVER_UNREACHABLE');
  });
});

describe('a server does not start', () => {
  it('where others listen on its port, or at an address that other machines reach, unless it is told to', () => {
    const taken = project.run(`serve --port ${new URL(server.url).port}`);
    expect(taken).toMatchObject({ code: 1, stderr: said('EADDRINUSE') });
    expect(project.run('serve --host 0.0.0.0 --port 0')).toMatchObject({ code: 1, stderr: said('--insecure') });
  });

  it.each([1, 2])('where nothing is applied, with %d worker(s)', (workers) => {
    const other = ownProject({ 'feature_repo/shop.ts': REPOSITORY });
    const stderr = 'HR_NOTHING_APPLIED: nothing is applied yet. Run `headrace apply` first.\n';
    expect(other.run(`serve --port 0 --workers ${workers}`)).toEqual({ code: 1, stdout: '', stderr });
  });

  it.each(['serve --port 0', 'features get --service numbers --rows [{"customer":"a"}]', 'doctor'])(
    'without its store, and tells no secret of it: %s',
    (words) => {
      const secret = 's3cret-of-the-store';
      const env = { HEADRACE_ONLINE_URL: `redis://user:${secret}@127.0.0.1:1/0` };
      const { code, stdout, stderr } = project.run(words, env);
      expect(code).toBe(1);
      expect(stdout + stderr).toContain('127.0.0.1:1');
      expect(stdout + stderr).not.toContain(secret);
      expect(stdout + stderr).not.toMatch(/\n\s+at /);
    },
  );
});

describe('a server of two workers', () => {
  it('takes a push and serves it by both, agrees on variants, counts what all answered, and stops with 0', async () => {
    expect(workersOf(server.process.pid as number)).toHaveLength(2);
    for (const { agent } of await connectToBoth(server.url)) agent.destroy();
    expect((await pushPurchases(server, [purchase('fresh', 5)])).status).toBe(200);
    const read = { service: 'numbers', rows: [{ customer: 'fresh' }] };
    const body = { rows: [{ features: { history__purchases_1d: 1 } }] };
    for (let at = 0; at < 6; at++)
      expect(await send(`${server.url}/v1/features/read`, read)).toMatchObject({ status: 200, body });

    project.json('endpoints traffic checkout stable=1:50 candidate=2:50');
    const inputs = Array.from({ length: 20 }, (_, at) => ({ customer: `c${at}`, amount: 1 }));
    const answers = await Promise.all(Array.from({ length: 12 }, () => predict(server, inputs)));
    const variants = answers.map(({ predictions }) => predictions.map(({ variant }) => variant));
    expect(new Set(variants.map((all) => all.join())).size).toBe(1);
    expect(new Set(variants[0])).toEqual(new Set(['stable', 'candidate']));
    expect(await metricsOf(server)).toContain('headrace_requests_total{endpoint="checkout"} 12');

    expect(await server.stop()).toBe(0);
    await expect(fetch(`${server.url}/health/live`)).rejects.toThrow();
    const query = ['logs', 'query', '--sql', 'SELECT count(*) AS n FROM predictions'];
    expect(project.json(query)).toMatchObject({ rows: [{ n: 240 }] });
  }, 60_000);
});
