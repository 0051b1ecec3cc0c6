// What a request counts for: once for the rate of who asks, whichever way it is answered, and for an endpoint's figures only
// where who asks may use it.

import { describe, expect, it } from 'vitest';
import { BY, openForAll } from '../support/open-for.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const PER_SECOND = 10;
const keys = new Map<string, string>();
const open = openForAll(
  {
    repository: `${REPOSITORY}\nexport const other = endpoint('other', { model: returns, unit: ['customer'] });\n`,
    features: 4,
    settings: { HEADRACE_SERVER_RATE_LIMIT: String(PER_SECOND) },
  },
  async ({ app, serving }) => {
    const registry = await app.registry();
    // Each has a rate of its own.
    for (const way of ['quick', 'route', 'burst'])
      for (const [who, ...given] of [
        ['predicts', 'predict'],
        ['reads', 'read'],
        ['elsewhere', 'predict', ['other']],
      ] as const) {
        const [role, endpoints] = given;
        const key = { name: `${who}-${way}`, roles: [role], ...(endpoints === undefined ? {} : { endpoints }) };
        keys.set(key.name, (await registry.keys.create(key, BY)).token);
      }
    await serving.security.refresh();
  },
);

const QUICK = '/v1/endpoints/checkout/predict';
async function ask(name: string, path = QUICK, more: object = {}): Promise<number> {
  const key = keys.get(name);
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const headers = { 'content-type': 'application/json', ...authorization, ...more };
  const body = '{"inputs":[{"customer":"ada","amount":1}]}';
  const answer = await fetch(`${open.serving.url}${path}`, { method: 'POST', headers, body });
  await answer.arrayBuffer();
  return answer.status;
}
const burst = (name: string, path = QUICK, more: object = {}) =>
  Promise.all(Array.from({ length: 4 * PER_SECOND }, () => ask(name, path, more)));
/** The rate of an address, which all of nobody's requests share. */
const whenFull = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1100));
async function counts() {
  const { endpoints } = await open.serving.figures.figures();
  const { refused = NaN, rejected = NaN } = endpoints.find(({ name }) => name === 'checkout')?.total ?? {};
  return { refused, rejected };
}

describe('a request', () => {
  it.each([
    ['of who may', 'predicts', 200],
    ['of who lacks the role', 'reads', 403],
    ['of who lacks the endpoint', 'elsewhere', 403],
    ['of nobody', 'nobody', 401],
  ])('counts once for the rate: %s', async (_what, name, status) => {
    for (const [way, path] of Object.entries({ quick: QUICK, route: `${QUICK}?route` })) {
      if (name === 'nobody') await whenFull();
      for (let at = 0; at < PER_SECOND; at++) expect(await ask(`${name}-${way}`, path)).toBe(status);
      expect(await burst(`${name}-${way}`, path)).toContain(429);
    }
  });

  it.each([
    ['nobody', {}],
    ['reads', {}],
    ['elsewhere', {}],
    ['nobody', { origin: 'https://evil.example' }],
    ['nobody', Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`x-${at}`, 'y']))],
    ['nobody', { 'content-type': 'text/plain' }],
  ])('of who may not use the endpoint moves none of its figures: %s %o', async (name, headers) => {
    const before = await counts();
    expect(await burst(`${name}-burst`, QUICK, headers)).not.toContain(200);
    expect(await counts()).toEqual(before);
  });

  it('past the rate of who may use the endpoint is counted there', async () => {
    const before = await counts();
    const rejected = (await burst('predicts-burst')).filter((status) => status === 429).length;
    expect(rejected).toBeGreaterThan(0);
    expect((await counts()).rejected - before.rejected).toBe(rejected);
  });
});
