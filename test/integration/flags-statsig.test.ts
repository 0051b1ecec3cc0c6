// Statsig's own server SDK against a server: the same arms as predictions where a user carries its buckets, the same shares where
// not; updates, and what it logs.

import { StatsigServer, type StatsigUser } from 'statsig-node';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bucketOf } from '../../src/rollouts/index.ts';
import { type FlagServer, openFlagServer, requests } from '../support/flag-servers.ts';
import { isFull } from '../support/tier.ts';

let open: FlagServer;
let url: string;
beforeAll(async () => {
  open = await openFlagServer();
  url = open.url;
}, 60_000);
afterAll(() => open.close());

interface Specs {
  readonly has_updates: boolean;
  readonly time: number;
  readonly headrace: { buckets: readonly { field: string; seed: string; unit: string }[]; left_out: readonly object[] };
}

let specs: Specs | undefined;
// The module's own keeps its first key.
let statsig: StatsigServer;
const start = async (key = 'secret-shop'): Promise<void> => {
  const api = `${url}/v1`;
  statsig = new StatsigServer(key, {
    api,
    rulesetsSyncIntervalMs: 1000,
    rulesUpdatedCallback: (text: string) => {
      const told = JSON.parse(text) as Specs;
      if (told.has_updates) specs = told;
    },
  });
  await statsig.initializeAsync();
};
afterEach(async () => {
  await statsig.shutdownAsync();
  specs = undefined;
});

const inputs = requests(400);
const predicted = (endpoint: string) => open.predicted(endpoint, inputs);

function userOf({ customer, shop, amount, country }: (typeof inputs)[number]): StatsigUser {
  const custom = { amount, customer, shop, ...(country !== null && { country }) };
  return { customIDs: { customer, unit: JSON.stringify([customer, shop]) }, custom };
}

/** As the guide has it. */
function withBuckets(user: StatsigUser): StatsigUser {
  const fields = (specs?.headrace.buckets ?? []).flatMap(({ field, seed, unit }) => {
    const id = user.customIDs?.[unit];
    return id === undefined || id === '' ? [] : [[field, bucketOf(seed, id)] as const];
  });
  return { ...user, custom: { ...user.custom, ...Object.fromEntries(fields) } };
}

const armOf = (user: StatsigUser, flag: string): unknown =>
  statsig.getConfigWithExposureLoggingDisabledSync(user, flag).value['variant'];

describe('Statsig’s SDK', () => {
  it('gives every unit the arm that predictions have, where the user carries its buckets', async () => {
    await open.split();
    await start();
    for (const flag of ['checkout', 'returning']) {
      const arms = inputs.map((row) => armOf(withBuckets(userOf(row)), flag));
      expect(arms).toEqual(await predicted(flag));
      expect(new Set(arms).size).toBeGreaterThan(1);
    }
    const config = statsig.getExperimentWithExposureLoggingDisabledSync(
      withBuckets(userOf(inputs[9] as (typeof inputs)[number])),
      'trial',
    );
    const arm = (await predicted('checkout'))[9] as string;
    const version = { 'trial/control': 1, 'trial/treatment': 2 }[arm] ?? null;
    expect(config.value).toEqual({ variant: version === null ? null : arm.slice('trial/'.length), version });
  });

  it('gives the same shares by a hash of its own where not; rules, 0 and 100 % are the same', async () => {
    await open.split();
    await start();
    const users = Array.from({ length: isFull ? 20_000 : 2000 }, (_, n) => ({
      customIDs: { customer: `u${n}` },
      custom: { amount: 1 },
    }));
    const candidates = users.filter((user) => armOf(user, 'checkout') === 'candidate').length;
    // 30 % ± 5 standard errors.
    expect(Math.abs(candidates / users.length - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / users.length));
    const tried = users.map((user) => armOf({ ...user, custom: { amount: 5 } }, 'trial'));
    const share = (arm: unknown): number => tried.filter((one) => one === arm).length / users.length;
    expect(share('control')).toBeCloseTo(0.7 * 0.5, 1);
    expect(share('treatment')).toBeCloseTo(0.7 * 0.4, 1);
    expect(users.every((user) => armOf(user, 'trial') === null)).toBe(true);
    const ruled = { customIDs: { unit: '["a",1]' }, custom: { country: 'DE', amount: 10 } };
    expect(armOf(ruled, 'returning')).toBe('candidate');
    expect(armOf({ customIDs: { customer: '' }, custom: { amount: 1 } }, 'checkout')).toBe('stable');
    await open.weigh('checkout', 100, []);
    await expect.poll(() => users.slice(0, 500).every((user) => armOf(user, 'checkout') === 'candidate')).toBe(true);
    expect(armOf({ customIDs: { customer: '' } }, 'checkout')).toBe('stable');
    expect(armOf(users[0] as StatsigUser, 'trial')).toBeUndefined();
  });

  it('moves the fewest of its units in a ramp', async () => {
    await open.split();
    const ramp = async (weight: number): Promise<unknown[]> => {
      await open.weigh('checkout', weight, []);
      await start();
      const arms = Array.from({ length: 3000 }, (_, n) => armOf({ customIDs: { customer: `u${n}` } }, 'checkout'));
      await statsig.shutdownAsync();
      return arms;
    };
    const [few, more] = [await ramp(10), await ramp(40)];
    expect(few.every((arm, at) => arm !== 'candidate' || more[at] === 'candidate')).toBe(true);
    expect(more.filter((arm) => arm === 'candidate').length).toBeGreaterThan(1000);
  });

  it('has its exposures counted by flag and arm, packed as it sends them', async () => {
    await open.split();
    await start();
    const ruled = { userID: 'u', customIDs: { unit: '["a",1]' }, custom: { country: 'DE', amount: 10 } };
    statsig.getConfigSync(ruled, 'returning');
    statsig.getExperimentSync({ customIDs: { customer: '' }, custom: { amount: 9 } }, 'trial');
    await statsig.flush();
    const lines = async (): Promise<string[]> =>
      (await (await fetch(`${url}/metrics`)).text()).split('\n').filter((line) => line.startsWith('headrace_flag_exp'));
    expect(await lines()).toEqual([
      expect.stringContaining('{flag="returning",arm="candidate"} 1'),
      expect.stringContaining('{flag="trial",arm="default"} 1'),
    ]);
    const many = Array.from({ length: 500 }, (_, n) => ({
      eventName: 'statsig::config_exposure',
      metadata: { config: `made up ${n}`, ruleID: String(n) },
    }));
    await log(gzipSync(JSON.stringify({ events: [...many, null, 7, {}] })));
    expect(await lines()).toHaveLength(3);
    expect((await lines()).join()).toContain('{flag="other",arm="other"} 500');
  });
});

const log = (body: Buffer, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/log_event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip', ...headers },
    body: new Uint8Array(body),
  });
const get = async (path: string) => {
  const response = await fetch(`${url}/v1/download_config_specs${path}`);
  return { status: response.status, body: (await response.json()) as Specs & { success?: boolean } };
};

describe('the routes of Statsig', () => {
  it('have nothing for who has the newest, and everything for anybody else', async () => {
    const { body } = await get('/secret-shop.json');
    expect(body).toMatchObject({ has_updates: true, headrace: { left_out: [] } });
    expect((await get(`/secret-shop.json?sinceTime=${body.time}`)).body).toEqual({ has_updates: false });
    expect((await get(`/shop.json?sinceTime=${body.time - 1}`)).body.time).toBe(body.time);
    // Of a server whose clock is ahead.
    expect((await get(`?sinceTime=${body.time + 5}`)).body.time).toBe(body.time + 5);
    expect((await get('?sinceTime=x')).body.time).toBe(body.time);
  });

  it('refuse bodies that are too large unpacked, or not packed', async () => {
    expect((await log(gzipSync(Buffer.alloc(64 * 1024 * 1024, ' ')))).status).toBe(413);
    expect((await log(Buffer.from('{}'))).status).toBe(400);
    expect((await log(gzipSync('{}'), { 'content-encoding': 'br' })).status).toBe(415);
  });

  it('take an API key after secret-, in the path or in their header', async () => {
    const { token } = await open.createKey('a');
    expect(await get('/secret-shop.json')).toMatchObject({ status: 401, body: { success: false } });
    expect((await get('')).status).toBe(401);
    expect((await get(`/secret-${token}.json`)).status).toBe(200);
    expect((await log(gzipSync('{}'), { 'statsig-api-key': `secret-${token}` })).status).toBe(202);
    expect((await log(gzipSync('{}'))).status).toBe(401);
    await start(`secret-${token}`);
    expect(armOf({ customIDs: { customer: '' } }, 'checkout')).toBe('stable');
  });
});
