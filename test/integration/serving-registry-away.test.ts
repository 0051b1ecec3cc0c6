// A server whose registry is away: the keys that it knew stay in force, nobody else gets in, and a fault says nothing of what is
// inside.

import { expect, it } from 'vitest';
import { BY, openForAll } from '../support/open-for.ts';
import { REPOSITORY } from '../support/serving-project.ts';

let [token, short] = ['', ''];
const open = openForAll({ repository: REPOSITORY, features: 4 }, async ({ app, serving }) => {
  const { keys } = await app.registry();
  token = (await keys.create({ name: 'all', roles: ['read', 'predict', 'admin'] }, BY)).token;
  short = (await keys.create({ name: 'brief', roles: ['predict'], lifeMicros: 3_000_000 }, BY)).token;
  await serving.security.refresh();
});

const ask = (path: string, key = token, method = 'GET', body?: unknown) => {
  const authorization = `Bearer ${key}`;
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  return fetch(`${open.serving.url}${path}`, { method, headers, ...sent });
};
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
  const metrics = await ask('/metrics');
  expect(metrics.status).toBe(200);
  expect(await metrics.text()).toContain('headrace_requests_total{endpoint="checkout"}');
  const status = await ask('/v1/status');
  expect(status.status).toBe(200);
  expect(await status.json()).toMatchObject({
    views: null,
    missing: [{ part: 'views', reason: 'the views could not be read: the server’s log has why' }],
    definitions: { endpoints: [{ endpoint: 'checkout', state: 'serving' }] },
    ingestion: { settled: [] },
  });
});

it('answers what it can not do without telling why', async () => {
  const traffic = { variants: [{ name: 'stable', version: 1, weight: 100 }] };
  for (const answer of [
    await ask('/v1/endpoints'),
    await ask('/v1/endpoints/checkout'),
    await ask('/v1/endpoints/checkout', token, 'PUT', traffic),
  ]) {
    const text = await answer.text();
    const detail = 'Internal error: the server’s log has it under the request id';
    expect(JSON.parse(text)).toMatchObject({ status: 500, code: 'HR_INTERNAL', detail, errors: [] });
    expect(text).not.toMatch(/sqlite|database|destroyed|driver|node_modules|\.ts/i);
  }
});
