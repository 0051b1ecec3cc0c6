// What a request counts for: once for the rate of who asks, whichever way it is answered, and for an endpoint's figures only
// where who asks may use it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../src/core/index.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const REPO = `${REPOSITORY}\nexport const other = endpoint('other', { model: returns, unit: ['customer'] });\n`;
const PER_SECOND = 10;

let open: OpenServing;
const keys = new Map<string, string>();
beforeAll(async () => {
  open = await openServing({
    repository: REPO,
    features: 4,
    settings: { HEADRACE_SERVER_RATE_LIMIT: String(PER_SECOND) },
  });
  const registry = await open.app.registry();
  const make = async (name: string, roles: readonly Role[], endpoints?: readonly string[]): Promise<void> => {
    const given = { name, roles, ...(endpoints === undefined ? {} : { endpoints }) };
    keys.set(name, (await registry.keys.create(given, { actor: 'ann' })).token);
  };
  // Each has a rate of its own.
  for (const way of ['quick', 'route', 'burst']) {
    await make(`predicts-${way}`, ['predict']);
    await make(`reads-${way}`, ['read']);
    await make(`elsewhere-${way}`, ['predict'], ['other']);
  }
  await open.serving.security.refresh();
}, 60_000);
afterAll(() => open.close());

const QUICK = '/v1/endpoints/checkout/predict';
const keyOf = (name: string): Record<string, string> => {
  const key = keys.get(name);
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
};
const ask = async (path: string, headers: Record<string, string>): Promise<number> => {
  const answer = await fetch(`${open.serving.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: '{"inputs":[{"customer":"ada","amount":1}]}',
  });
  await answer.arrayBuffer();
  return answer.status;
};
/** The rate of an address, which all of nobody's requests share. */
const whenFull = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1100));
const counts = async (): Promise<{ readonly refused: number; readonly rejected: number }> => {
  const { endpoints } = await open.serving.figures.figures();
  const { refused = NaN, rejected = NaN } = endpoints.find(({ name }) => name === 'checkout')?.total ?? {};
  return { refused, rejected };
};

describe('a request', () => {
  it.each([
    ['of who may', 'predicts', 200],
    ['of who lacks the role', 'reads', 403],
    ['of who lacks the endpoint', 'elsewhere', 403],
    ['of nobody', 'nobody', 401],
  ])('counts once for the rate: %s', async (_what, name, status) => {
    for (const way of ['quick', 'route']) {
      const path = way === 'quick' ? QUICK : `${QUICK}?route`;
      const headers = keyOf(`${name}-${way}`);
      if (name === 'nobody') await whenFull();
      const answers: number[] = [];
      for (let at = 0; at < PER_SECOND; at++) answers.push(await ask(path, headers));
      expect(answers).toEqual(Array.from({ length: PER_SECOND }, () => status));
      const more = await Promise.all(Array.from({ length: 3 * PER_SECOND }, () => ask(path, headers)));
      expect(more).toContain(429);
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
    const answers = await Promise.all(
      Array.from({ length: 4 * PER_SECOND }, () => ask(QUICK, { ...keyOf(`${name}-burst`), ...headers })),
    );
    expect(answers).not.toContain(200);
    expect(await counts()).toEqual(before);
  });

  it('past the rate of who may use the endpoint is counted there', async () => {
    const before = await counts();
    const answers = await Promise.all(
      Array.from({ length: 4 * PER_SECOND }, () => ask(QUICK, keyOf('predicts-burst'))),
    );
    const rejected = answers.filter((status) => status === 429).length;
    expect(rejected).toBeGreaterThan(0);
    const after = await counts();
    expect(after.rejected - before.rejected).toBe(rejected);
  });
});
