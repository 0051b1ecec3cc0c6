// A server whose registry is away: the keys that it knew stay in force, nobody else gets in, and a fault says nothing of what is
// inside.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';

let open: OpenServing;
let token: string;
let short: string;
beforeAll(async () => {
  open = await openServing({ repository: REPOSITORY, features: 4 });
  const { keys } = await open.app.registry();
  token = (await keys.create({ name: 'all', roles: ['read', 'predict', 'admin'] }, { actor: 'ann' })).token;
  const brief = { name: 'brief', roles: ['predict'], lifeMicros: 3_000_000 } as const;
  short = (await keys.create(brief, { actor: 'ann' })).token;
  await open.serving.security.refresh();
}, 60_000);
afterAll(() => open.close());

const ask = (path: string, key: string, method = 'GET', body?: unknown) =>
  fetch(`${open.serving.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const predict = async (key: string): Promise<number> =>
  (await ask('/v1/endpoints/checkout/predict', key, 'POST', { inputs: [{ customer: 'ada', amount: 1 }] })).status;

it('lets in whom it knew, by the time that their keys have', async () => {
  expect([await predict(token), await predict(short)]).toEqual([200, 200]);
  await (await open.app.database()).close();
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(await predict(token)).toBe(200);
  expect(await predict(`hr_${'a'.repeat(10)}_${'b'.repeat(32)}`)).toBe(401);
  await expect.poll(() => predict(short), { timeout: 6000 }).toBe(401);
  expect(await predict(token)).toBe(200);
});

it('tells what it knows, and what it could not have', async () => {
  const metrics = await ask('/metrics', token);
  expect(metrics.status).toBe(200);
  expect(await metrics.text()).toContain('headrace_requests_total{endpoint="checkout"}');
  const status = await ask('/v1/status', token);
  expect(status.status).toBe(200);
  expect(await status.json()).toMatchObject({
    views: null,
    missing: [{ part: 'views', reason: 'the views could not be read: the server’s log has why' }],
    definitions: { endpoints: [{ endpoint: 'checkout', state: 'serving' }] },
    ingestion: { settled: [] },
  });
});

it('answers what it can not do without telling why', async () => {
  for (const answer of [
    await ask('/v1/endpoints', token),
    await ask('/v1/endpoints/checkout', token),
    await ask('/v1/endpoints/checkout', token, 'PUT', { variants: [{ name: 'stable', version: 1, weight: 100 }] }),
  ]) {
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({
      code: 'HR_INTERNAL',
      detail: 'Internal error: the server’s log has it under the request id',
      errors: [],
    });
    expect(text).not.toMatch(/sqlite|database|destroyed|driver|node_modules|\.ts/i);
  }
});
