// Who may make training sets and take their rows, and what is told of a user's function that throws.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headrace, headraceJson, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';
import { ask, type Asked, CSV, type JobJson, jobOf, QUERY, untilJob } from '../support/training-set-client.ts';
import { createTrainingSetProject, spineSql, writeBySql } from '../support/training-set-server.ts';

let project: Project;
let spine: Buffer;
let server: ServerProcess;
beforeAll(async () => {
  project = await createTrainingSetProject(2000);
  await writeBySql(project.file('spine.csv'), spineSql(100));
  await writeBySql(
    project.file('data/sales-2.parquet'),
    `SELECT 'shop1' AS shop, -1.0::DOUBLE AS amount, 1::BIGINT AS points, TIMESTAMP '2024-01-02' AS sold_at`,
  );
  spine = readFileSync(project.file('spine.csv'));
  project.write(
    'feature_repo/checkout.ts',
    `import { endpoint, featureService, model, t } from 'headrace';
import { history } from './shop.ts';
const numbers = featureService('numbers', [history.pick('sales_1d', 'mean_7d')]);
export const returns = model('returns', { features: numbers, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['shop'] });
export { numbers };
`,
  );
  headraceJson(project, ['apply']);
  server = await startServe(project);
}, 120_000);
afterAll(async () => {
  await server.stop();
  project.remove();
});

const key = (name: string, ...more: string[]): string => {
  const { code, stdout, stderr } = headrace(project, ['keys', 'create', name, ...more]);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
};
const throwing = { ...QUERY, service: 'throwing' };
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

describe('without keys, on loopback', () => {
  it('what a function threw is told', async () => {
    const { id } = await jobOf(ask(server.url, CSV, spine, throwing));
    const { error } = await untilJob(server.url, id);
    expect(error).toMatchObject({ code: 'HR_TRANSFORM_FAILED', message: expect.stringContaining('the secret is 42') });
  }, 60_000);
});

describe('with keys', () => {
  let tokens: Readonly<Record<'none' | 'read' | 'experiment' | 'others' | 'narrow', string>>;
  beforeAll(async () => {
    tokens = {
      none: 'hr_0000000000_0000000000000000000000000000000000000',
      read: key('reader', '--role', 'read'),
      experiment: key('scientist', '--role', 'experiment'),
      others: key('others', '--role', 'read', '--role', 'predict', '--role', 'write', '--role', 'admin'),
      narrow: key('narrow', '--role', 'experiment', '--role', 'read', '--endpoint', 'checkout'),
    };
    // Servers know keys within a second.
    const known = { headers: bearer(tokens.narrow) };
    while ((await fetch(`${server.url}/v1/training-sets`, known)).status !== 403) await sleep(50);
    expect((await fetch(`${server.url}/v1/training-sets`)).status).toBe(401);
  }, 60_000);
  const status = async (token: string, path: string, method = 'GET'): Promise<number> =>
    (await fetch(`${server.url}/v1/training-sets${path}`, { method, headers: bearer(token) })).status;
  const post = (token: string, query: Readonly<Record<string, string>> = QUERY): Promise<Asked> =>
    ask(server.url, CSV, spine, query, bearer(token));

  it('making and taking them is for `experiment` that is kept to no endpoint; listing and showing for `read`', async () => {
    const who = ['none', 'read', 'experiment', 'others', 'narrow'] as const;
    const seen = async (look: (token: string) => Promise<number>) => Promise.all(who.map((one) => look(tokens[one])));
    expect(await seen(async (token) => (await post(token, { ...QUERY, service: 'none' })).status)).toEqual([
      401, 403, 404, 403, 403,
    ]);
    expect(await seen((token) => status(token, '/jobs/none'))).toEqual([401, 403, 404, 403, 403]);
    expect(await seen((token) => status(token, '/jobs/none/events'))).toEqual([401, 403, 404, 403, 403]);
    expect(await seen((token) => status(token, '/jobs/none', 'DELETE'))).toEqual([401, 403, 404, 403, 403]);
    expect(await seen((token) => status(token, '/none/data'))).toEqual([401, 403, 404, 403, 403]);
    expect(await seen((token) => status(token, ''))).toEqual([401, 200, 403, 200, 403]);
    expect(await seen((token) => status(token, '/none'))).toEqual([401, 404, 403, 404, 403]);
  });

  it('what a function threw stays in the log, and a revoked key follows nothing', async () => {
    const { id } = await jobOf(post(tokens.experiment, throwing));
    const url = `${server.url}/v1/training-sets/jobs/${id}`;
    const read = async (): Promise<JobJson> =>
      (await (await fetch(url, { headers: bearer(tokens.experiment) })).json()) as JobJson;
    await expect.poll(async () => (await read()).state, { timeout: 30_000 }).toBe('failed');
    const { error } = await read();
    expect(error?.code).toBe('HR_TRANSFORM_FAILED');
    expect(error?.message).not.toContain('secret');
    expect(server.log()).toContain('the secret is 42');
    const next = await jobOf(post(tokens.experiment));
    const events = fetch(`${server.url}/v1/training-sets/jobs/${next.id}/events`, {
      headers: bearer(tokens.experiment),
    });
    const text = (await events).text();
    expect(headrace(project, ['keys', 'revoke', 'scientist']).code).toBe(0);
    expect(await text).not.toContain('event: failed');
  }, 90_000);
});
