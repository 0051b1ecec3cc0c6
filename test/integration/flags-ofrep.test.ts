// OpenFeature's own SDK by OFREP against a server: the same arms as predictions, with reasons, and errors as the protocol has them.

import { OFREPProvider } from '@openfeature/ofrep-provider';
import { type Client, type EvaluationContext, OpenFeature } from '@openfeature/server-sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXPERIMENT, type FlagServer, openFlagServer, requests } from '../support/flag-servers.ts';

let open: FlagServer;
let url: string;
let client: Client;
beforeAll(async () => {
  open = await openFlagServer();
  url = open.url;
  await open.split();
  await OpenFeature.setProviderAndWait('own', new OFREPProvider({ baseUrl: url }));
  client = OpenFeature.getClient('own');
}, 60_000);
afterAll(async () => {
  await OpenFeature.close();
  await open.close();
});

const inputs = requests(120);

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${url}/ofrep/v1/evaluate/flags${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const evaluate = async (flag: string, context: object) =>
  (await (await post(`/${flag}`, { context })).json()) as Record<string, unknown>;

describe('OpenFeature’s SDK', () => {
  it('gives every unit the arm that predictions have, columns by name', async () => {
    for (const flag of ['checkout', 'returning']) {
      const arms = await Promise.all(inputs.map((row) => client.getStringValue(flag, 'none', row)));
      expect(arms).toEqual(await open.predicted(flag, inputs));
    }
  });

  it('takes the unit as the targeting key, of several columns as their JSON array’s text', async () => {
    for (const { customer, shop, ...rest } of inputs.slice(0, 20)) {
      const one = await client.getStringDetails('checkout', 'none', { ...rest, targetingKey: customer });
      expect(one).toMatchObject(await client.getStringDetails('checkout', 'none', { ...rest, customer }));
      const several = { ...rest, targetingKey: JSON.stringify([customer, shop]) };
      expect(await client.getStringDetails('returning', 'none', several)).toMatchObject(
        await client.getStringDetails('returning', 'none', { ...rest, customer, shop }),
      );
    }
  });

  it('says why, and what else there is to know', async () => {
    const details = (flag: string, context: EvaluationContext) => client.getStringDetails(flag, 'none', context);
    const flagMetadata = { version: 2, via: 'rule', endpoint: 'returning' };
    const ruled = { value: 'candidate', variant: 'candidate', reason: 'TARGETING_MATCH', flagMetadata };
    const inGermany = { targetingKey: '["ada",1]', country: 'DE', amount: 10 };
    expect(await details('returning', inGermany)).toMatchObject(ruled);
    const names = new Set<string>();
    for (const { customer } of inputs) {
      const told = await details('checkout', { targetingKey: customer || 'x', amount: 9 });
      names.add(`${told.reason} ${told.flagMetadata['via']} ${told.flagMetadata['experiment'] ?? ''}`);
    }
    expect(names).toEqual(new Set(['SPLIT experiment trial', 'SPLIT rollout ']));
    const base = await details('checkout', { customer: '', amount: 9 });
    expect(base).toMatchObject({ value: 'stable', reason: 'DEFAULT' });
    const outside = { targetingKey: 'ada', amount: 1 };
    expect(await details('trial', outside)).toMatchObject({ value: 'none', reason: 'ERROR' });
    expect(await evaluate('trial', outside)).toMatchObject({ value: null, reason: 'DEFAULT' });
  });

  it('throws as the protocol says', async () => {
    const codes = async (flag: string, context: EvaluationContext) =>
      (await client.getStringDetails(flag, 'none', context)).errorCode;
    expect(await codes('nothing', { targetingKey: 'a' })).toBe('FLAG_NOT_FOUND');
    expect(await codes('checkout', {})).toBe('TARGETING_KEY_MISSING');
    expect(await codes('returning', { targetingKey: 'ada' })).toBe('INVALID_CONTEXT');
    expect(await codes('checkout', { targetingKey: 'ada', amount: 'much' })).toBe('INVALID_CONTEXT');
  });
});

describe('OFREP', () => {
  it('has a status and a body for each mistake', async () => {
    for (const [path, body, status, errorCode] of [
      ['/nothing', { context: { targetingKey: 'a' } }, 404, 'FLAG_NOT_FOUND'],
      ['/checkout', {}, 400, 'TARGETING_KEY_MISSING'],
      ['/returning', { context: { shop: 1 } }, 400, 'TARGETING_KEY_MISSING'],
      ['/checkout', { context: { targetingKey: 7 } }, 400, 'INVALID_CONTEXT'],
      ['/checkout', { context: [] }, 400, 'INVALID_CONTEXT'],
      ['/checkout', '{', 400, 'PARSE_ERROR'],
      ['', '{', 400, 'PARSE_ERROR'],
      ['', { context: 1 }, 400, 'INVALID_CONTEXT'],
    ] as const) {
      const response = await post(path, body);
      expect([path, body, response.status]).toEqual([path, body, status]);
      const told = (await response.json()) as object;
      expect(told).toMatchObject({ errorCode, errorDetails: expect.any(String) });
      expect('key' in told).toBe(path !== '');
    }
    const amount = await evaluate('checkout', { targetingKey: 'ada', amount: 'much' });
    expect(amount['errorDetails']).toMatch(/^context\.amount: expected /);
  });

  it('evaluates every flag at once, and sends nothing to who has it', async () => {
    const context = { customer: 'ada', shop: 1, amount: 9 };
    const response = await post('', { context });
    const { flags } = (await response.json()) as { flags: { key: string }[] };
    expect(flags.map(({ key }) => key)).toEqual(['checkout', 'returning', 'trial', 'welcome']);
    for (const flag of flags) expect(flag).toEqual(await evaluate(flag.key, context));
    const etag = response.headers.get('etag') ?? '';
    expect((await post('', { context }, { 'if-none-match': etag })).status).toBe(304);
    const ruled = { ...context, country: 'DE', amount: 10 };
    expect((await post('', { context: ruled }, { 'if-none-match': etag })).status).toBe(200);
    const { flags: some } = (await (await post('', { context: { customer: 'ada' } })).json()) as { flags: object[] };
    expect(some).toMatchObject([
      { key: 'checkout', reason: 'SPLIT' },
      { key: 'returning', variant: expect.any(String) },
      { key: 'trial', reason: 'DEFAULT' },
      { key: 'welcome', reason: 'DISABLED' },
    ]);
  });

  it('follows ramps and experiments at once', async () => {
    const value = async () => (await evaluate('checkout', { customer: 'ada', amount: 1 }))['value'];
    await open.weigh('checkout', 100);
    expect(await value()).toBe('candidate');
    await open.setTraffic('checkout', { stable: { version: 1, weight: 100 } }, []);
    const whole = await evaluate('checkout', { customer: 'ada', amount: 1 });
    expect(whole).toMatchObject({ value: 'stable', reason: 'STATIC' });
    expect((await post('/trial', { context: { customer: 'ada' } })).status).toBe(404);
    await open.setTraffic('checkout', { stable: { version: 1, weight: 100 } }, [EXPERIMENT]);
    expect((await post('/trial', { context: { customer: 'ada' } })).status).toBe(200);
  });

  it('has an experiment’s flag while it runs, and says that it is off before and after', async () => {
    await open.setTraffic('checkout', { stable: { version: 1, weight: 100 } }, []);
    const off = { key: 'welcome', reason: 'DISABLED', value: null, metadata: { experiment: 'welcome' } };
    const context = { customer: 'ada', amount: 1 };
    expect(await evaluate('welcome', context)).toEqual(off);
    const experiments = await open.app.experiments();
    await experiments.start('welcome', { actor: 'me' });
    await open.serving.planes.control.refresh();
    const told = await evaluate('welcome', context);
    expect(told).toMatchObject({ reason: 'SPLIT', metadata: { via: 'experiment', experiment: 'welcome', phase: 1 } });
    expect((await evaluate('checkout', context))['value']).toBe(`welcome/${String(told['value'])}`);
    await experiments.stop('welcome', { actor: 'me' });
    await open.serving.planes.control.refresh();
    expect(await evaluate('welcome', context)).toEqual(off);
  });

  it('takes a key with the role read as bearer or X-API-Key', async () => {
    const { token } = await open.createKey('a', { endpoints: ['returning'] });
    const other = await open.createKey('b', { roles: ['predict'] });
    const context = { customer: 'ada', shop: 1, amount: 9 };
    expect((await post('/checkout', { context })).status).toBe(401);
    expect((await post('/returning', { context }, { authorization: `Bearer ${other.token}` })).status).toBe(403);
    expect((await post('/returning', { context }, { 'x-api-key': token })).status).toBe(200);
    expect((await post('/checkout', { context }, { 'x-api-key': token })).status).toBe(404);
    const headers: [string, string][] = [['authorization', `Bearer ${token}`]];
    await OpenFeature.setProviderAndWait('keyed', new OFREPProvider({ baseUrl: url, headers }));
    expect(await OpenFeature.getClient('keyed').getStringValue('returning', 'none', context)).toMatch(
      /stable|candidate/,
    );
    await OpenFeature.setProviderAndWait('keyless', new OFREPProvider({ baseUrl: url }));
    expect(await OpenFeature.getClient('keyless').getStringValue('returning', 'none', context)).toBe('none');
    const pasted = await post(`/${token}`, { context }, { 'x-api-key': token });
    expect(await pasted.text()).not.toContain(token.slice(-20));
  });
});
