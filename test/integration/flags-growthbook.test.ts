// GrowthBook's own SDK against a server: it gives every unit what a prediction is assigned, hears of changes within a second, and
// is turned away without a key.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { GrowthBookClient } from '@growthbook/growthbook';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Logger } from '../../src/core/index.ts';
import { EXPERIMENT, type FlagServer, openFlagServer, requests } from '../support/flag-servers.ts';

const WATCHER = fileURLToPath(new URL('../support/watch-growthbook.ts', import.meta.url));
const logged: string[] = [];
const note = (fields: object, message: string): void => void logged.push(JSON.stringify({ ...fields, message }));
const logger: Logger = { debug: note, info: note, warn: note, error: note };

let open: FlagServer;
let url: string;
beforeAll(async () => {
  open = await openFlagServer({ logger, settings: { HEADRACE_LOG_REQUESTS: 'all' } });
  url = open.url;
  await open.split();
  // Several ranges.
  await open.weigh('checkout', 60);
  await open.weigh('checkout', 44.5);
}, 60_000);
afterAll(() => open.close());

/** A client of its own, and what it makes of each request's columns. */
async function evaluator(clientKey: string): Promise<(flag: string, columns: object) => unknown> {
  const client = new GrowthBookClient({ apiHost: url, clientKey });
  const { success, error } = await client.init({ timeout: 5000 });
  if (!success) throw error ?? new Error('no features');
  return (flag, columns) => client.evalFeature(flag, { attributes: columns }).value;
}

const inputs = requests(400);
const predicted = (endpoint: string) => open.predicted(endpoint, inputs);

describe('GrowthBook’s SDK', () => {
  it('gives every unit the arm that predictions have', async () => {
    const evaluate = await evaluator('shop');
    const arms = inputs.map((row) => evaluate('checkout', row));
    expect(arms).toEqual(await predicted('checkout'));
    expect(new Set(arms)).toEqual(new Set(['stable', 'candidate', 'trial/control', 'trial/treatment']));
    const several = inputs.map((row) =>
      evaluate('returning', { ...row, unit: JSON.stringify([row.customer, row.shop]) }),
    );
    expect(several).toEqual(await predicted('returning'));
    expect(new Set(several)).toEqual(new Set(['stable', 'candidate']));
  });

  it('knows a running experiment by its own name: its arm, or null outside of it', async () => {
    const evaluate = await evaluator('shop');
    const arms = inputs.map((row) => evaluate('trial', row));
    const whole = await predicted('checkout');
    expect(arms).toEqual(whole.map((arm) => (arm.startsWith('trial/') ? arm.slice('trial/'.length) : null)));
    expect(evaluate('nothing', {})).toBeNull();
  });

  it('hears of each change of traffic and of experiments within a second', async () => {
    await open.weigh('returning', 0);
    const child = spawn(process.execPath, ['--experimental-eventsource', '--no-warnings', WATCHER, url, 'shop']);
    let [text, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.stderr.setEncoding('utf8').on('data', (part: string) => (errors += part));
    const heard = (): unknown => JSON.parse(text.trim().split('\n').at(-1) || 'null');
    const soon = { timeout: 1000, interval: 20 };
    try {
      await expect.poll(heard, { timeout: 20_000 }).toMatchObject({ returning: 'stable', isTrial: true });
      await open.weigh('returning', 100);
      await expect.poll(heard, soon).toMatchObject({ returning: 'candidate', isTrial: true });
      await open.setTraffic('checkout', { stable: { version: 1, weight: 100 } }, []);
      await expect.poll(heard, soon).toEqual({ returning: 'candidate', checkout: 'stable', isTrial: false });
      await open.setTraffic('checkout', { stable: { version: 1, weight: 100 } }, [EXPERIMENT]);
      await expect.poll(heard, soon).toMatchObject({ isTrial: true });
    } finally {
      child.kill();
    }
    expect(errors).toBe('');
  }, 40_000);
});

const get = (path: string, headers: Record<string, string> = {}) => fetch(`${url}${path}`, { headers });

describe('the routes of GrowthBook', () => {
  it('say that they stream, have an ETag, and refuse another project’s name', async () => {
    const response = await get('/api/features/shop');
    expect(response.status).toBe(200);
    expect(response.headers.get('x-sse-support')).toBe('enabled');
    const { features, ...rest } = (await response.json()) as { features: object };
    expect(rest).toEqual({ status: 200, experiments: [], dateUpdated: expect.stringMatching(/^\d{4}-.*Z$/) });
    expect(Object.keys(features).sort()).toEqual(['checkout', 'returning', 'trial']);
    const etag = response.headers.get('etag') ?? '';
    expect((await get('/api/features/shop', { 'if-none-match': etag })).status).toBe(304);
    for (const path of ['/api/features/other', '/sub/other', '/api/features/']) {
      const refused = await get(path);
      expect(refused.status).toBe(401);
      expect(await refused.json()).toMatchObject({ status: 401, error: expect.stringContaining('project’s name') });
    }
    expect((await get('/api/features/shop', { origin: 'https://evil.example' })).status).toBe(403);
  });

  it('take a key with the role read once there are keys, show it what it may see, and tell nobody the key', async () => {
    const { token, key } = await open.createKey('all');
    const one = await open.createKey('one', { endpoints: ['returning'] });
    const predicts = await open.createKey('predicts', { roles: ['predict'] });
    const seen = async (path: string): Promise<string[]> =>
      Object.keys(((await (await get(path)).json()) as { features: object }).features).sort();
    expect(await seen(`/api/features/${token}`)).toEqual(['checkout', 'returning', 'trial']);
    expect(await seen(`/api/features/${one.token}`)).toEqual(['returning']);
    expect((await evaluator(token))('checkout', { customer: 'ada', amount: 0 })).toBe('stable');
    const wrong = `${token.slice(0, -1)}${token.endsWith('a') ? 'b' : 'a'}`;
    const answers: string[] = [];
    for (const [path, status] of [
      ['/api/features/shop', 401],
      [`/api/features/${wrong}`, 401],
      [`/sub/${wrong}`, 401],
      [`/api/features/${predicts.token}`, 403],
      [`/api/features/${token}/more`, 401],
      [`/api/features/%${token}`, 401],
    ] as const) {
      const response = await get(path);
      expect([path, response.status]).toEqual([path, status]);
      answers.push(await response.text());
    }
    expect(await (await fetch(`${url}/api/features/${token}`, { method: 'POST' })).text()).toContain('HR_');
    const secret = token.slice(`hr_${key.id}_`.length);
    for (const text of [...answers, ...logged]) expect(text).not.toContain(secret.slice(0, 20));
    expect(answers[1]).toContain('the key is not known');
  });

  it('end a stream when its key is revoked', async () => {
    const { keys } = await open.app.registry();
    const { token, key } = await open.createKey('gone');
    const response = await get(`/sub/${token}`);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    await keys.revoke(key.id, { actor: 'me' });
    expect(await response.text()).toMatch(/^event: features\ndata: \{.*\}\n\n/);
  }, 10_000);
});
