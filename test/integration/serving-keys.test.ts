// A server with keys and tokens, over real sockets: who may do what, revoking, expiry, what the audit log and the log say.

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Logger, ROLES, type Role } from '../../src/core/index.ts';
import type { Registry } from '../../src/registry/index.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { rawHttp, request } from '../support/raw-http.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { signToken } from '../support/tokens.ts';

const REPO = `${REPOSITORY.replace('endpoint, feature', 'endpoint, experiment, metric, feature')}
export const other = endpoint('other', { model: returns, unit: ['customer'] });
export const trial = experiment('trial', {
  unit: ['customer'], endpoints: [checkout],
  arms: { control: { version: 1, weight: 50 }, treatment: { version: 1, weight: 50 } },
  metrics: { goal: [metric('bought', { outcome: checkout })] },
});
`;
const BY = { actor: 'ann' };
const idp = generateKeyPairSync('ed25519');
const logged: string[] = [];
const note =
  (level: string) =>
  (fields: object, message: string): void =>
    void logged.push(JSON.stringify({ level, ...fields, message }));
const logger: Logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };

let open: OpenServing;
let registry: Registry;
let url: string;

beforeAll(async () => {
  open = await openServing({ repository: REPO, features: 4, logger, serve: { hasDocs: true } });
  registry = await open.app.registry();
  url = open.serving.url;
}, 60_000);
afterAll(() => open.close());

const predictBody = { inputs: [{ customer: 'ada', amount: 1 }] };
const traffic = { variants: [{ name: 'stable', version: 1, weight: 100 }] };
const now = (): string => new Date(Date.now() - 1000).toISOString();

/** Every kind of route, with the role that it takes. */
const ROUTES: readonly [method: string, path: string, role: Role, body?: () => unknown][] = [
  ['POST', '/v1/endpoints/checkout/predict', 'predict', () => predictBody],
  ['POST', '/v1/endpoints/checkout/outcomes', 'write', () => ({ outcomes: [{ prediction_id: 'p', value: 1 }] })],
  ['PUT', '/v1/endpoints/checkout', 'admin', () => traffic],
  ['GET', '/v1/endpoints/checkout', 'read'],
  ['GET', '/v1/endpoints', 'read'],
  ['POST', '/v1/features/read', 'read', () => ({ service: 'numbers', rows: [{ customer: 'ada', amount: 1 }] })],
  [
    'POST',
    '/v1/sources/purchases/push',
    'write',
    () => ({ rows: [{ customer: 'ada', amount: 1, points: 1, bought_at: now() }] }),
  ],
  ['GET', '/v1/rollouts', 'read'],
  ['GET', '/v1/status', 'read'],
  ['GET', '/metrics', 'read'],
  ['GET', '/openapi.json', 'read'],
];

const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: unknown) =>
  fetch(`${url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const statusOf = async (token: string | undefined, path = '/v1/endpoints'): Promise<number> =>
  (await ask('GET', path, token === undefined ? {} : bearer(token))).status;
const made = (name: string, roles: readonly Role[], extra = {}) => registry.keys.create({ name, roles, ...extra }, BY);
const lastAudit = async () => (await registry.auditLog.list({ object: 'endpoint/checkout', limit: 1 }))[0];

describe('a server without keys on loopback', () => {
  it('is open, with detail, and closes when the first key is made', async () => {
    for (const [method, path, , body] of ROUTES) expect((await ask(method, path, {}, body?.())).status).toBe(200);
    expect(await (await ask('GET', '/health/ready')).json()).toMatchObject({ status: 'ready', reason: 'ready' });
    const { token } = await made('first', ['read']);
    await expect.poll(() => statusOf(undefined)).toBe(401);
    expect(await statusOf(token)).toBe(200);
  });
});

describe('a server with keys', () => {
  it('names a role for every route, and opens none but health', () => {
    const { roles } = open.serving;
    expect(roles.size).toBeGreaterThanOrEqual(ROUTES.length + 3);
    expect([...roles].filter(([, role]) => role === undefined)).toEqual([]);
    expect([...roles].filter(([, role]) => role === 'open').map(([route]) => route)).toEqual([
      'GET /health/live',
      'HEAD /health/live',
      'GET /health/ready',
      'HEAD /health/ready',
      'GET /health',
      'HEAD /health',
      'GET /v2/health/live',
      'HEAD /v2/health/live',
      'GET /v2/health/ready',
      'HEAD /v2/health/ready',
    ]);
    expect([...roles].filter(([, role]) => role === 'admin').map(([route]) => route)).toEqual([
      'PUT /v1/endpoints/:endpoint',
      'POST /materialize',
      'POST /materialize-incremental',
      'POST /v2/repository/models/:endpoint/load',
      'POST /v2/repository/models/:endpoint/unload',
    ]);
  });

  it('tells Feast’s clients in their own form whom it turns away', async () => {
    const reader = await made('feast-reader', ['read']);
    await open.serving.security.refresh();
    const asked = async (path: string, headers: Record<string, string>, body: unknown) => {
      const answer = await ask('POST', path, headers, body);
      const { class: name } = JSON.parse((await answer.json()) as string) as { class: string };
      return [answer.status, name];
    };
    const features = { features: ['history:last_points'], entities: { customer: ['ada'] } };
    expect(await asked('/get-online-features', {}, features)).toEqual([401, 'FeastPermissionError']);
    expect((await ask('POST', '/get-online-features', bearer(reader.token), features)).status).toBe(200);
    for (const [path, body] of [
      ['/push', { push_source_name: 'purchases', df: {} }],
      ['/write-to-online-store', { feature_view_name: 'history', df: {} }],
      ['/materialize', {}],
      ['/materialize-incremental', { end_ts: now() }],
    ] as const)
      expect(await asked(path, bearer(reader.token), body)).toEqual([403, 'FeastPermissionError']);
  });

  it('tells nobody without a key whether there is such a route, or such a URL', async () => {
    const { token } = await made('any', ['predict']);
    await open.serving.security.refresh();
    for (const path of ['/%zz', `/v1/endpoints/${'a'.repeat(300)}`, '/nothing']) {
      const nobody = await ask('GET', path, {});
      expect(nobody.status).toBe(401);
      expect(nobody.headers.get('www-authenticate')).toBe('Bearer');
      expect([400, 404]).toContain((await ask('GET', path, bearer(token))).status);
    }
  });

  it.each(ROUTES)('%s %s takes the role %s, and no other role will do', async (method, path, role, body) => {
    const nobody = await ask(method, path, {}, body?.());
    expect(nobody.status).toBe(401);
    expect(nobody.headers.get('www-authenticate')).toBe('Bearer');
    expect(await nobody.json()).toMatchObject({ code: 'HR_UNAUTHENTICATED', status: 401 });
    const others = await made(
      `others-${role}-${method}-${path.replaceAll('/', '-')}`,
      ROLES.filter((one) => one !== role),
    );
    const own = await made(`own-${role}-${method}-${path.replaceAll('/', '-')}`, [role]);
    await open.serving.security.refresh();
    const refused = await ask(method, path, bearer(others.token), body?.());
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({
      code: 'HR_FORBIDDEN',
      detail: expect.stringContaining(`takes the role ${role}; key hr_${others.key.id} has`),
    });
    expect((await ask(method, path, bearer(own.token), body?.())).status).toBe(200);
    expect((await ask(method, path, { 'x-api-key': own.token }, body?.())).status).toBe(200);
  });

  it('tells anybody whether it is ready, and nobody else what it serves', async () => {
    for (const headers of [{}, bearer('hr_nonsense'), { authorization: 'Basic YTpi' }]) {
      const answer = await ask('GET', '/health/ready', headers);
      expect({ status: answer.status, body: await answer.json() }).toEqual({ status: 200, body: { status: 'ready' } });
    }
    const { token } = await made('watcher', ['read']);
    await open.serving.security.refresh();
    expect(await (await ask('GET', '/health/ready', bearer(token))).json()).toHaveProperty('endpoints');
  });

  it.each([
    ['no such path', 'GET', '/v1/nothing'],
    ['no such method', 'DELETE', '/v1/endpoints/checkout'],
  ])('tells who has no key nothing of its paths: %s', async (_what, method, path) => {
    expect((await ask(method, path)).status).toBe(401);
  });

  it.each([
    ['an unknown key', `Bearer hr_${'a'.repeat(10)}_${'b'.repeat(32)}`],
    ['half a key', 'Bearer hr_abc'],
    ['another scheme', 'Basic YWRhOmxvdmVsYWNl'],
    ['nothing', 'Bearer '],
    ['a key of 10,000 letters', `Bearer ${'a'.repeat(10_000)}`],
    ['a token, where none are taken', `Bearer ${signToken({ alg: 'EdDSA' }, {}, idp.privateKey)}`],
  ])('refuses %s', async (_what, authorization) => {
    expect((await ask('GET', '/v1/endpoints', { authorization })).status).toBe(401);
  });

  it('counts whom it turned away, and tells one of them', async () => {
    const { token } = await made('scraper', ['read']);
    await open.serving.security.refresh();
    const turnedAway = async () => {
      const text = await (await ask('GET', '/metrics', bearer(token))).text();
      const found = text.matchAll(/^headrace_requests_turned_away_total\{code="HR_(\w+)"\} (\d+)$/gm);
      return Object.fromEntries(Array.from(found, ([, code = '', count]) => [code, Number(count)]));
    };
    const before = await turnedAway();
    for (let at = 0; at < 3; at++) expect(await statusOf(undefined)).toBe(401);
    expect((await ask('PUT', '/v1/endpoints/checkout', bearer(token), traffic)).status).toBe(403);
    expect(await turnedAway()).toEqual({
      UNAUTHENTICATED: (before['UNAUTHENTICATED'] ?? NaN) + 3,
      FORBIDDEN: (before['FORBIDDEN'] ?? NaN) + 1,
      MISDIRECTED: before['MISDIRECTED'],
    });
    const told = logged.filter((line) => line.includes('a request was turned away'));
    expect(told).toHaveLength(1);
    expect(JSON.parse(told[0] ?? '')).toMatchObject({ level: 'warn', status: 401, actor: 'anonymous 127.0.0.1' });
  });

  it('refuses the id of a key with the secret of another', async () => {
    const [one, two] = [await made('one', ['read']), await made('two', ['read'])];
    await open.serving.security.refresh();
    expect(await statusOf(`hr_${one.key.id}_${two.token.split('_')[2]}`)).toBe(401);
  });

  it('takes a key that is sent twice for none', async () => {
    const { token } = await made('twice', ['read']);
    await open.serving.security.refresh();
    const lines = ['Host: localhost', `X-Api-Key: ${token}`, `X-Api-Key: ${token}`];
    expect((await rawHttp(url, [request('GET', '/v1/endpoints', lines)])).status).toBe(401);
  });

  it('answers by any Host, and to no page of another site', async () => {
    const { token } = await made('host', ['read']);
    await open.serving.security.refresh();
    const get = (...lines: string[]) =>
      rawHttp(url, [request('GET', '/v1/endpoints', [...lines, `Authorization: Bearer ${token}`])]);
    expect((await get('Host: features.example')).status).toBe(200);
    expect((await get('Host: features.example', 'Origin: https://features.example')).status).toBe(200);
    expect((await get('Host: features.example', 'Origin: https://evil.example')).status).toBe(403);
  });

  it('keeps a key to its endpoints', async () => {
    const { token } = await made('narrow', ['read', 'predict', 'write', 'admin'], { endpoints: ['other'] });
    await open.serving.security.refresh();
    for (const [method, path, , body] of ROUTES.filter(([, path]) => path.startsWith('/v1/endpoints/'))) {
      const refused = await ask(method, path, bearer(token), body?.());
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('it may use other') });
      // Whether there is one of that name is no business of its.
      const unknown = await ask(method, path.replace('checkout', 'secret'), bearer(token), body?.());
      expect(unknown.status).toBe(403);
      expect((await ask(method, path.replace('checkout', 'other'), bearer(token), body?.())).status).toBe(200);
    }
    // The router decodes before it compares.
    expect((await ask('GET', '/v1/endpoints/%63heckout', bearer(token))).status).toBe(403);
  });

  it('lets who may experiment start rollouts, at their own endpoints', async () => {
    const reader = await made('reads-rollouts', ['read', 'predict', 'write']);
    const narrow = await made('narrow-experimenter', ['experiment'], { endpoints: ['other'] });
    const wide = await made('experimenter', ['experiment']);
    await open.serving.security.refresh();
    const start = async (token: string) => {
      const answer = await ask('POST', '/v1/rollouts', bearer(token), { endpoint: 'checkout', candidate: 1 });
      // A problem's body.
      return { status: answer.status, code: ((await answer.json()) as { code: string }).code };
    };
    expect(await start(reader.token)).toEqual({ status: 403, code: 'HR_FORBIDDEN' });
    expect(await start(narrow.token)).toEqual({ status: 403, code: 'HR_FORBIDDEN' });
    // It has all traffic.
    expect(await start(wide.token)).toEqual({ status: 409, code: 'HR_CONFLICT' });
  });

  it('lets who may experiment start, reweigh and stop experiments, where all of their endpoints are its own', async () => {
    const narrow = await made('narrow-trials', ['experiment'], { endpoints: ['other'] });
    const wide = await made('trials', ['experiment']);
    const reader = await made('reads-trials', ['read', 'predict', 'write']);
    const byKey = expect.stringMatching(/^key hr_/) as unknown;
    const admin = await made('admin-trials', ['experiment', 'admin']);
    await open.serving.security.refresh();
    const send = async (token: string, method: string, what: string, body?: object, reason?: string) => {
      const headers = { ...bearer(token), ...(reason === undefined ? {} : { 'x-reason': reason }) };
      const answer = await ask(method, `/v1/experiments/${what}`, headers, body);
      // A problem's body, or an experiment.
      const { code, state, phases } = (await answer.json()) as Record<string, unknown>;
      return { status: answer.status, code, state, phases };
    };
    expect(await send(reader.token, 'POST', 'trial/start')).toMatchObject({ status: 403 });
    expect((await registry.auditLog.list({ object: 'experiment/trial', limit: 1 }))[0]).toMatchObject({
      actor: byKey,
      action: 'experiment.start',
      after: { refused: 'HR_FORBIDDEN' },
    });
    // One that it does not see is not there.
    expect(await send(narrow.token, 'POST', 'trial/start')).toMatchObject({ status: 404 });
    expect(await send(wide.token, 'POST', 'nothing/start')).toMatchObject({
      status: 404,
      code: 'HR_UNKNOWN_EXPERIMENT',
    });
    const started = await send(wide.token, 'POST', 'trial/start', undefined, 'does it sell?');
    expect(started).toMatchObject({ status: 200, state: 'running' });
    expect(started.phases).toMatchObject([{ actor: byKey, reason: 'does it sell?', state: 'running' }]);
    expect(await lastAudit()).toMatchObject({ actor: byKey, reason: 'does it sell?' });
    expect(await send(wide.token, 'POST', 'trial/start')).toMatchObject({ status: 409, code: 'HR_CONFLICT' });
    const weights = { control: 30, treatment: 30 };
    for (const [method, what, body] of [
      ['PUT', 'trial/weights', { weights }],
      ['POST', 'trial/stop', {}],
    ] as const)
      expect(await send(narrow.token, method, what, body)).toMatchObject({ status: 404 });
    expect(await send(wide.token, 'PUT', 'trial/weights', { weights: { control: 90 } })).toMatchObject({ status: 400 });
    expect(await send(wide.token, 'PUT', 'trial/weights', { weights, override: true })).toMatchObject({ status: 403 });
    const next = await send(wide.token, 'PUT', 'trial/weights', { weights, reason: 'slower' });
    expect(next.phases).toMatchObject([
      { state: 'ended', end_reason: 'slower' },
      { arms: [{ weight: 30 }, { weight: 30 }], reason: 'slower' },
    ]);
    const stopped = await send(admin.token, 'POST', 'trial/stop', { reason: 'enough', override: true });
    expect(stopped).toMatchObject({ status: 200, state: 'ended' });
  });

  it('keeps a key to its endpoints also where the definition has got others since it saw it', async () => {
    const experiments = await open.app.experiments();
    const permit = (endpoints: readonly string[]): void => {
      throw new Error(`not ${endpoints.join()}`);
    };
    await expect(experiments.start('trial', { actor: 'eve', permit })).rejects.toThrow('not checkout');
    await experiments.start('trial', { actor: 'ann' });
    await expect(experiments.stop('trial', { actor: 'eve', permit })).rejects.toThrow('not checkout');
    await expect(experiments.reweigh('trial', { control: 1 }, { actor: 'eve', permit })).rejects.toThrow(
      'not checkout',
    );
    expect((await experiments.stop('trial', { actor: 'ann' })).phases.map(({ state }) => state)).not.toContain(
      'failed',
    );
  });

  it('tells a key of some endpoints of no others', async () => {
    const narrow = await made('narrow-reader', ['read'], { endpoints: ['other'] });
    const none = await made('reader-of-none', ['read'], { endpoints: [] });
    const wide = await made('wide-reader', ['read']);
    await open.serving.security.refresh();
    const names = async (token: string) => {
      const { endpoints } = (await (await ask('GET', '/v1/endpoints', bearer(token))).json()) as {
        endpoints: { name: string }[];
      };
      return endpoints.map(({ name }) => name);
    };
    expect(await names(wide.token)).toEqual(['checkout', 'other']);
    expect(await names(narrow.token)).toEqual(['other']);
    expect(await names(none.token)).toEqual([]);
    for (const path of ['/metrics', '/v1/monitoring/stream', '/v1/status']) {
      const refused = await ask('GET', path, bearer(narrow.token));
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({
        code: 'HR_FORBIDDEN',
        detail: `this tells of all endpoints; key hr_${narrow.key.id} may use other.`,
      });
      expect((await ask('GET', path, bearer(none.token))).status).toBe(403);
    }
    // How the server is, and of what is served nothing.
    const ready = await ask('GET', '/health/ready', bearer(narrow.token));
    expect(await ready.json()).toEqual({ status: 'ready' });
    const etags = new Set<string | null>();
    for (const path of ['/openapi.json', '/docs']) {
      const [all, some, nothing] = await Promise.all(
        [wide, narrow, none].map(async ({ token }) => {
          const answer = await ask('GET', path, bearer(token));
          etags.add(answer.headers.get('etag'));
          return answer.text();
        }),
      );
      expect(all).toMatch(/checkout[^]*other/);
      expect(some).toContain('other');
      expect(some).not.toContain('checkout');
      expect(nothing).not.toContain('checkout');
      const again = await ask('GET', path, bearer(narrow.token));
      expect(etags).toContain(again.headers.get('etag'));
    }
    expect(etags.size).toBe(6);
  });

  it('refuses a revoked key, and says so', async () => {
    const { key, token } = await made('leaked', ['read']);
    await expect.poll(() => statusOf(token)).toBe(200);
    await registry.keys.revoke(`hr_${key.id}`, BY);
    await expect.poll(() => statusOf(token)).toBe(401);
    const refused = await ask('GET', '/v1/endpoints', bearer(token));
    expect(await refused.json()).toMatchObject({ detail: `key hr_${key.id} (leaked) was revoked.` });
  });

  it('lets a key end by its own clock', async () => {
    const { token, key } = await made('short', ['read'], { lifeMicros: 1_500_000 });
    await open.serving.security.refresh();
    // A machine may be so busy that its time is over by now.
    const isOver = (): boolean => Date.now() * 1000 >= (key.expiresMicros as number);
    const first = await statusOf(token);
    if (!isOver()) expect(first).toBe(200);
    await expect.poll(() => statusOf(token)).toBe(401);
    expect(isOver()).toBe(true);
  });

  it('takes both keys of a rotation', async () => {
    const { token } = await made('rotated', ['read']);
    const next = await registry.keys.rotate('rotated', 60_000_000, BY);
    await open.serving.security.refresh();
    expect([await statusOf(token), await statusOf(next.token)]).toEqual([200, 200]);
  });

  it('shows a browser its page through a proxy that passes Host on and adds the key, as the guide says', async () => {
    const { token } = await made('page', ['read', 'predict']);
    await open.serving.security.refresh();
    expect((await ask('GET', '/docs')).status).toBe(401);
    const proxy = createServer((incoming, outgoing) => {
      const { method = 'GET', url: path = '/', headers } = incoming;
      const asked = httpRequest(`${url}${path}`, { method, headers: { ...headers, ...bearer(token) } }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(asked);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    try {
      const base = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      for (const path of ['/docs', '/docs/page.js', '/openapi.json']) {
        const page = await fetch(`${base}${path}`, { headers: { 'sec-fetch-site': 'same-origin' } });
        expect([path, page.status]).toEqual([path, 200]);
        await page.arrayBuffer();
      }
      const tried = await fetch(`${base}/v1/endpoints/checkout/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: base, 'sec-fetch-site': 'same-origin' },
        body: JSON.stringify(predictBody),
      });
      expect(tried.status).toBe(200);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it('ends a stream with its key', async () => {
    const { token } = await made('watching', ['read']);
    await open.serving.security.refresh();
    const stream = await ask('GET', '/v1/monitoring/stream', bearer(token));
    const reader = stream.body?.getReader() ?? expect.fail('no body');
    expect((await reader.read()).done).toBe(false);
    await registry.keys.revoke('watching', BY);
    while (!(await reader.read()).done);
  });
});

describe('the audit log', () => {
  it('has who changed traffic, and why', async () => {
    const { token, key } = await made('operator', ['admin', 'read']);
    await open.serving.security.refresh();
    const { headers } = await ask('GET', '/v1/endpoints/checkout', bearer(token));
    const etag = headers.get('etag') ?? '';
    const put = (extra: object) => ask('PUT', '/v1/endpoints/checkout', { ...bearer(token), ...extra }, traffic);
    expect((await put({ 'if-match': etag, 'x-reason': 'back to one' })).status).toBe(200);
    expect(await lastAudit()).toMatchObject({
      actor: `key hr_${key.id}`,
      action: 'endpoint.traffic',
      reason: 'back to one',
      before: { etag },
      after: { variants: traffic.variants },
    });
    const current = (await ask('GET', '/v1/endpoints/checkout', bearer(token))).headers.get('etag') ?? '';
    expect((await put({ 'if-match': current, 'x-reason': 'x'.repeat(600) })).status).toBe(200);
    expect(await lastAudit()).toMatchObject({ reason: 'x'.repeat(500) });
    expect((await put({ 'if-match': etag })).status).toBe(412);
    await expect.poll(lastAudit).toMatchObject({
      actor: `key hr_${key.id}`,
      action: 'endpoint.traffic',
      after: { refused: 'HR_PRECONDITION', asked: traffic },
    });
  });

  it.each([
    [
      'an unknown version',
      'checkout',
      { variants: [{ name: 'stable', version: 99, weight: 100 }] },
      'HR_UNKNOWN_MODEL',
    ],
    [
      'an unknown endpoint',
      'chekout',
      { variants: [{ name: 'stable', version: 1, weight: 100 }] },
      'HR_UNKNOWN_ENDPOINT',
    ],
  ])('has who asked for %s', async (_what, endpoint, asked, code) => {
    const { token, key } = await made(`seeker-${code}`, ['admin']);
    await open.serving.security.refresh();
    expect((await ask('PUT', `/v1/endpoints/${endpoint}`, bearer(token), asked)).status).toBe(404);
    await open.serving.security.refused.settled();
    expect(await registry.auditLog.list({ object: `endpoint/${endpoint}`, limit: 1 })).toMatchObject([
      { actor: `key hr_${key.id}`, action: 'endpoint.traffic', after: { refused: code, asked } },
    ]);
  });

  it('has who lacked the role', async () => {
    const { token, key } = await made('curious', ['read']);
    await open.serving.security.refresh();
    await ask('PUT', '/v1/endpoints/checkout', { ...bearer(token), 'x-reason': 'why not' }, traffic);
    await expect.poll(lastAudit).toMatchObject({
      actor: `key hr_${key.id}`,
      reason: 'why not',
      after: { refused: 'HR_FORBIDDEN' },
    });
  });

  it('is not filled by who has no key', async () => {
    const before = (await registry.auditLog.list({ limit: 10_000 })).length;
    for (let at = 0; at < 200; at++) {
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => ask('PUT', `/v1/endpoints/checkout${at}`, {}, traffic)),
      );
      for (const { status } of answers) expect(status).toBe(401);
    }
    await open.serving.security.refused.settled();
    const entries = (await registry.auditLog.list({ limit: 10_000 })).slice(0, -before);
    expect(entries.length).toBeGreaterThan(0);
    expect(entries.length).toBeLessThanOrEqual(25);
    expect(entries[0]).toMatchObject({ actor: 'anonymous 127.0.0.1', after: { refused: 'HR_UNAUTHENTICATED' } });
  });
});

it('tells when keys were used, once it stops, and never logged one', async () => {
  const { key, token } = await made('used', ['read']);
  const unused = await made('unused', ['read']);
  await open.serving.security.refresh();
  await statusOf(token);
  await ask('PUT', '/v1/endpoints/checkout', { authorization: `Bearer ${token}x`, 'x-api-key': token }, traffic);
  await open.serving.stop();
  const keys = await registry.keys.list();
  const usedAt = (id: string) => keys.find((one) => one.id === id)?.usedMicros;
  expect(usedAt(key.id)).toBeGreaterThan(key.createdMicros);
  expect(usedAt(unused.key.id)).toBeNull();
  const [, , secret = ''] = token.split('_');
  expect(logged.join('\n')).not.toContain(secret);
  expect(JSON.stringify(await registry.auditLog.list({ limit: 10_000 }))).not.toContain(secret);
});

describe('a server that takes tokens', () => {
  it('is closed without a key, knows who signed, and follows the file of its key', async () => {
    const next = generateKeyPairSync('ed25519');
    const pem = (pair: typeof idp) => pair.publicKey.export({ type: 'spki', format: 'pem' }) as string;
    const file = join(open.project.directory, 'idp.pem');
    writeFileSync(file, pem(idp));
    const given = await openServing({
      repository: REPO,
      features: 4,
      logger,
      settings: {
        HEADRACE_SERVER_JWT_ALGORITHMS: 'EdDSA',
        HEADRACE_SERVER_JWT_ISSUER: 'https://id.example',
        HEADRACE_SERVER_JWT_AUDIENCE: 'headrace',
        HEADRACE_SERVER_JWT_KEY: file,
        HEADRACE_SERVER_JWT_ENDPOINTS_CLAIM: 'endpoints',
        HEADRACE_SERVER_RATE_LIMIT: '20',
      },
    });
    try {
      const claims = {
        iss: 'https://id.example',
        aud: 'headrace',
        sub: 'ada',
        exp: Math.floor(Date.now() / 1000) + 60,
        roles: ['predict', 'admin'],
        endpoints: ['checkout'],
      };
      const token = (pair: typeof idp, extra = {}) =>
        signToken({ alg: 'EdDSA' }, { ...claims, ...extra }, pair.privateKey);
      const send = (path: string, token: string | undefined, body: unknown = predictBody, method = 'POST') =>
        fetch(`${given.serving.url}${path}`, {
          method,
          headers: { 'content-type': 'application/json', ...(token === undefined ? {} : bearer(token)) },
          body: JSON.stringify(body),
        });
      const predict = async (token: string | undefined) => (await send('/v1/endpoints/checkout/predict', token)).status;
      expect(await predict(undefined)).toBe(401);
      expect([await predict(token(idp)), await predict(token(idp))]).toEqual([200, 200]);
      expect(await predict(token(next))).toBe(401);
      expect((await send('/v1/endpoints/other/predict', token(idp))).status).toBe(403);
      expect(await predict(token(idp, { roles: [] }))).toBe(403);
      await send('/v1/endpoints/checkout', token(idp), traffic, 'PUT');
      const [entry] = await (await given.app.registry()).auditLog.list({ limit: 1 });
      expect(entry).toMatchObject({ actor: 'jwt ada', action: 'endpoint.traffic' });
      writeFileSync(file, pem(next));
      await expect.poll(() => predict(token(next)), { timeout: 5000, interval: 200 }).toBe(200);
      expect(await predict(token(idp))).toBe(401);
      // A file that is none changes nothing.
      writeFileSync(file, 'hello');
      await expect.poll(() => logged.join('\n'), { timeout: 5000 }).toContain('cannot be used: those before stay');
      expect(await predict(token(next))).toBe(200);
      // Past server.rateLimit, by who asks.
      const bob = token(next, { sub: 'bob' });
      const answers = await Promise.all(Array.from({ length: 120 }, () => send('/v1/endpoints/checkout/predict', bob)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
      for (const { status, headers } of answers) expect(headers.get('retry-after')).toBe(status === 429 ? '1' : null);
      expect(await predict(token(next))).toBe(200);
    } finally {
      await given.close();
    }
  });
});
