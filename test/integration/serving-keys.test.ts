// A server with keys and tokens, over real sockets: who may do what, revoking, expiry, what the audit log and the log say.

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ROLES, type Role } from '../../src/core/index.ts';
import type { Registry } from '../../src/registry/index.ts';
import { BY, openForAll, openForTest, recordLog } from '../support/open-for.ts';
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
const idp = generateKeyPairSync('ed25519');
const log = recordLog();
const logged = (): string => JSON.stringify(log.lines);

let registry: Registry;
const given = { repository: REPO, features: 4, logger: log.logger };
const open = openForAll({ ...given, serve: { hasDocs: true } }, async ({ app }) => {
  registry = await app.registry();
});

const predictBody = { inputs: [{ customer: 'ada', amount: 1 }] };
const traffic = { variants: [{ name: 'stable', version: 1, weight: 100 }] };
const now = (): string => new Date(Date.now() - 1000).toISOString();
const ADA = { customer: 'ada', amount: 1 };
const PREDICT = '/v1/endpoints/checkout/predict';

/** Every kind of route, with the role that it takes. */
const ROUTES: readonly [method: string, path: string, role: Role, body?: () => unknown][] = [
  ['POST', PREDICT, 'predict', () => predictBody],
  ['POST', '/v1/endpoints/checkout/outcomes', 'write', () => ({ outcomes: [{ prediction_id: 'p', value: 1 }] })],
  ['PUT', '/v1/endpoints/checkout', 'admin', () => traffic],
  ['GET', '/v1/endpoints/checkout', 'read'],
  ['GET', '/v1/endpoints', 'read'],
  ['POST', '/v1/features/read', 'read', () => ({ service: 'numbers', rows: [ADA] })],
  ['POST', '/v1/sources/purchases/push', 'write', () => ({ rows: [{ ...ADA, points: 1, bought_at: now() }] })],
  ['GET', '/v1/rollouts', 'read'],
  ['GET', '/v1/status', 'read'],
  ['GET', '/metrics', 'read'],
  ['GET', '/openapi.json', 'read'],
];

const ask = (method: string, path: string, headers: object = {}, body?: unknown, url = open.serving.url) =>
  fetch(`${url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const json = async (answer: Response | Promise<Response>) => (await (await answer).json()) as Record<string, unknown>;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const statusOf = async (token: string | undefined, path = '/v1/endpoints'): Promise<number> =>
  (await ask('GET', path, token === undefined ? {} : bearer(token))).status;
/** A key that the server knows of. */
async function made(name: string, roles: readonly Role[], extra = {}) {
  const key = await registry.keys.create({ name, roles, ...extra }, BY);
  await open.serving.security.refresh();
  return key;
}
const lastAudit = async (object = 'endpoint/checkout') => (await registry.auditLog.list({ object, limit: 1 }))[0];

it('a server without keys on loopback is open, with detail, and closes when the first key is made', async () => {
  for (const [method, path, , body] of ROUTES) expect((await ask(method, path, {}, body?.())).status).toBe(200);
  expect(await json(ask('GET', '/health/ready'))).toMatchObject({ status: 'ready', reason: 'ready' });
  const { token } = await registry.keys.create({ name: 'first', roles: ['read'] }, BY);
  await expect.poll(() => statusOf(undefined)).toBe(401);
  expect(await statusOf(token)).toBe(200);
});

describe('a server with keys', () => {
  it('names a role for every route, and opens none but health', () => {
    const { roles } = open.serving;
    expect(roles.size).toBeGreaterThanOrEqual(ROUTES.length + 3);
    const of = (wanted: string | undefined) => [...roles].filter(([, role]) => role === wanted).map(([route]) => route);
    expect(of(undefined)).toEqual([]);
    const health = ['/health/live', '/health/ready', '/health', '/v2/health/live', '/v2/health/ready'];
    expect(of('open')).toEqual(health.flatMap((path) => [`GET ${path}`, `HEAD ${path}`]));
    expect(of('admin')).toEqual([
      'PUT /v1/endpoints/:endpoint',
      'POST /materialize',
      'POST /materialize-incremental',
      'POST /v2/repository/models/:endpoint/load',
      'POST /v2/repository/models/:endpoint/unload',
    ]);
  });

  it('tells Feast’s clients in their own form whom it turns away', async () => {
    const { token } = await made('feast-reader', ['read']);
    const asked = async (path: string, headers: object, body: unknown) => {
      const answer = await ask('POST', path, headers, body);
      const { class: name } = JSON.parse((await answer.json()) as string) as { class: string };
      return [answer.status, name];
    };
    const features = { features: ['history:last_points'], entities: { customer: ['ada'] } };
    expect(await asked('/get-online-features', {}, features)).toEqual([401, 'FeastPermissionError']);
    expect((await ask('POST', '/get-online-features', bearer(token), features)).status).toBe(200);
    for (const [path, body] of [
      ['/push', { push_source_name: 'purchases', df: {} }],
      ['/write-to-online-store', { feature_view_name: 'history', df: {} }],
      ['/materialize', {}],
      ['/materialize-incremental', { end_ts: now() }],
    ] as const)
      expect(await asked(path, bearer(token), body)).toEqual([403, 'FeastPermissionError']);
  });

  it('tells nobody without a key whether there is such a route, or such a URL', async () => {
    const { token } = await made('any', ['predict']);
    for (const path of ['/%zz', `/v1/endpoints/${'a'.repeat(300)}`, '/nothing']) {
      const nobody = await ask('GET', path);
      expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
      expect([400, 404]).toContain(await statusOf(token, path));
    }
    expect((await ask('DELETE', '/v1/endpoints/checkout')).status).toBe(401);
  });

  it.each(ROUTES)('%s %s takes the role %s, and no other role will do', async (method, path, role, body) => {
    const nobody = await ask(method, path, {}, body?.());
    expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect(await nobody.json()).toMatchObject({ code: 'HR_UNAUTHENTICATED', status: 401 });
    const name = `${role}-${method}-${path.replaceAll('/', '-')}`;
    const others = await made(
      `others-${name}`,
      ROLES.filter((one) => one !== role),
    );
    const own = await made(`own-${name}`, [role]);
    expect(await json(ask(method, path, bearer(others.token), body?.()))).toMatchObject({
      status: 403,
      code: 'HR_FORBIDDEN',
      detail: expect.stringContaining(`takes the role ${role}; key hr_${others.key.id} has`),
    });
    for (const headers of [bearer(own.token), { 'x-api-key': own.token }])
      expect((await ask(method, path, headers, body?.())).status).toBe(200);
  });

  it('tells anybody whether it is ready, and nobody else what it serves', async () => {
    for (const headers of [{}, bearer('hr_nonsense'), { authorization: 'Basic YTpi' }]) {
      const answer = await ask('GET', '/health/ready', headers);
      expect({ status: answer.status, body: await answer.json() }).toEqual({ status: 200, body: { status: 'ready' } });
    }
    const { token } = await made('watcher', ['read']);
    expect(await json(ask('GET', '/health/ready', bearer(token)))).toHaveProperty('endpoints');
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
    const told = { level: 'warn', status: 401, actor: 'anonymous 127.0.0.1' };
    expect(log.of('a request was turned away')).toMatchObject([told]);
  });

  it('refuses the id of a key with the secret of another, and a key that is sent twice', async () => {
    const [one, two] = [await made('one', ['read']), await made('two', ['read'])];
    expect(await statusOf(`hr_${one.key.id}_${two.token.split('_')[2]}`)).toBe(401);
    const lines = ['Host: localhost', `X-Api-Key: ${one.token}`, `X-Api-Key: ${one.token}`];
    expect((await rawHttp(open.serving.url, [request('GET', '/v1/endpoints', lines)])).status).toBe(401);
  });

  it('answers by any Host, and to no page of another site', async () => {
    const { token } = await made('host', ['read']);
    const get = async (...more: string[]) => {
      const lines = ['Host: features.example', ...more, `Authorization: Bearer ${token}`];
      return (await rawHttp(open.serving.url, [request('GET', '/v1/endpoints', lines)])).status;
    };
    expect(await get()).toBe(200);
    expect(await get('Origin: https://features.example')).toBe(200);
    expect(await get('Origin: https://evil.example')).toBe(403);
  });

  it('keeps a key to its endpoints', async () => {
    const { token } = await made('narrow', ['read', 'predict', 'write', 'admin'], { endpoints: ['other'] });
    for (const [method, path, , body] of ROUTES.filter(([, path]) => path.startsWith('/v1/endpoints/'))) {
      const send = (endpoint: string) => ask(method, path.replace('checkout', endpoint), bearer(token), body?.());
      const detail = expect.stringContaining('it may use other');
      expect(await json(send('checkout'))).toMatchObject({ status: 403, detail });
      // Whether there is one of that name is no business of its.
      expect((await send('secret')).status).toBe(403);
      expect((await send('other')).status).toBe(200);
    }
    // The router decodes before it compares.
    expect(await statusOf(token, '/v1/endpoints/%63heckout')).toBe(403);
  });

  it('lets who may experiment start rollouts, at their own endpoints', async () => {
    const start = async (name: string, roles: Role[], extra = {}) => {
      const { token } = await made(name, roles, extra);
      return json(ask('POST', '/v1/rollouts', bearer(token), { endpoint: 'checkout', candidate: 1 }));
    };
    const forbidden = { status: 403, code: 'HR_FORBIDDEN' };
    expect(await start('reads-rollouts', ['read', 'predict', 'write'])).toMatchObject(forbidden);
    expect(await start('narrow-experimenter', ['experiment'], { endpoints: ['other'] })).toMatchObject(forbidden);
    // It has all traffic.
    expect(await start('experimenter', ['experiment'])).toMatchObject({ status: 409, code: 'HR_CONFLICT' });
  });

  it('lets who may experiment start, reweigh and stop experiments, where all of their endpoints are its own', async () => {
    const narrow = await made('narrow-trials', ['experiment'], { endpoints: ['other'] });
    const wide = await made('trials', ['experiment']);
    const reader = await made('reads-trials', ['read', 'predict', 'write']);
    const admin = await made('admin-trials', ['experiment', 'admin']);
    const byKey = expect.stringMatching(/^key hr_/) as unknown;
    const send = async ({ token }: typeof wide, method: string, what: string, body?: object, reason?: string) => {
      const headers = { ...bearer(token), ...(reason === undefined ? {} : { 'x-reason': reason }) };
      const answer = await ask(method, `/v1/experiments/${what}`, headers, body);
      return { ...(await json(answer)), status: answer.status } as Record<string, unknown>;
    };
    expect(await send(reader, 'POST', 'trial/start')).toMatchObject({ status: 403 });
    const refused = { actor: byKey, action: 'experiment.start', after: { refused: 'HR_FORBIDDEN' } };
    expect(await lastAudit('experiment/trial')).toMatchObject(refused);
    // One that it does not see is not there.
    expect(await send(narrow, 'POST', 'trial/start')).toMatchObject({ status: 404 });
    expect(await send(wide, 'POST', 'nothing/start')).toMatchObject({ status: 404, code: 'HR_UNKNOWN_EXPERIMENT' });
    const why = { actor: byKey, reason: 'does it sell?' };
    expect(await send(wide, 'POST', 'trial/start', undefined, 'does it sell?')).toMatchObject({
      status: 200,
      state: 'running',
      phases: [{ ...why, state: 'running' }],
    });
    expect(await lastAudit()).toMatchObject(why);
    expect(await send(wide, 'POST', 'trial/start')).toMatchObject({ status: 409, code: 'HR_CONFLICT' });
    const weights = { control: 30, treatment: 30 };
    expect(await send(narrow, 'PUT', 'trial/weights', { weights })).toMatchObject({ status: 404 });
    expect(await send(narrow, 'POST', 'trial/stop', {})).toMatchObject({ status: 404 });
    expect(await send(wide, 'PUT', 'trial/weights', { weights: { control: 90 } })).toMatchObject({ status: 400 });
    expect(await send(wide, 'PUT', 'trial/weights', { weights, override: true })).toMatchObject({ status: 403 });
    expect((await send(wide, 'PUT', 'trial/weights', { weights, reason: 'slower' }))['phases']).toMatchObject([
      { state: 'ended', end_reason: 'slower' },
      { arms: [{ weight: 30 }, { weight: 30 }], reason: 'slower' },
    ]);
    const stopped = await send(admin, 'POST', 'trial/stop', { reason: 'enough', override: true });
    expect(stopped).toMatchObject({ status: 200, state: 'ended' });
  });

  it('keeps a key to its endpoints also where the definition has got others since it saw it', async () => {
    const experiments = await open.app.experiments();
    const permit = (endpoints: readonly string[]): void => {
      throw new Error(`not ${endpoints.join()}`);
    };
    const eve = { actor: 'eve', permit };
    await expect(experiments.start('trial', eve)).rejects.toThrow('not checkout');
    await experiments.start('trial', BY);
    await expect(experiments.stop('trial', eve)).rejects.toThrow('not checkout');
    await expect(experiments.reweigh('trial', { control: 1 }, eve)).rejects.toThrow('not checkout');
    expect((await experiments.stop('trial', BY)).phases.map(({ state }) => state)).not.toContain('failed');
  });

  it('tells a key of some endpoints of no others', async () => {
    const narrow = await made('narrow-reader', ['read'], { endpoints: ['other'] });
    const none = await made('reader-of-none', ['read'], { endpoints: [] });
    const wide = await made('wide-reader', ['read']);
    const names = async ({ token }: typeof wide) => {
      const { endpoints } = await json(ask('GET', '/v1/endpoints', bearer(token)));
      return (endpoints as { name: string }[]).map(({ name }) => name);
    };
    expect([await names(wide), await names(narrow), await names(none)]).toEqual([['checkout', 'other'], ['other'], []]);
    for (const path of ['/metrics', '/v1/monitoring/stream', '/v1/status']) {
      expect(await json(ask('GET', path, bearer(narrow.token)))).toMatchObject({
        status: 403,
        code: 'HR_FORBIDDEN',
        detail: `this tells of all endpoints; key hr_${narrow.key.id} may use other.`,
      });
      expect(await statusOf(none.token, path)).toBe(403);
    }
    // How the server is, and of what is served nothing.
    expect(await json(ask('GET', '/health/ready', bearer(narrow.token)))).toEqual({ status: 'ready' });
    const etags = new Set<string | null>();
    const textOf = async (path: string, { token }: typeof wide): Promise<string> => {
      const answer = await ask('GET', path, bearer(token));
      etags.add(answer.headers.get('etag'));
      return answer.text();
    };
    for (const path of ['/openapi.json', '/docs']) {
      expect(await textOf(path, wide)).toMatch(/checkout[^]*other/);
      const some = await textOf(path, narrow);
      expect(some).toContain('other');
      expect(some).not.toContain('checkout');
      expect(await textOf(path, narrow)).toBe(some);
      expect(await textOf(path, none)).not.toContain('checkout');
    }
    expect(etags.size).toBe(6);
  });

  it('refuses a revoked key, and says so', async () => {
    const { key, token } = await made('leaked', ['read']);
    expect(await statusOf(token)).toBe(200);
    await registry.keys.revoke(`hr_${key.id}`, BY);
    await expect.poll(() => statusOf(token)).toBe(401);
    const detail = `key hr_${key.id} (leaked) was revoked.`;
    expect(await json(ask('GET', '/v1/endpoints', bearer(token)))).toMatchObject({ detail });
  });

  it('shows a browser its page through a proxy that passes Host on and adds the key, as the guide says', async () => {
    const { token } = await made('page', ['read', 'predict']);
    expect((await ask('GET', '/docs')).status).toBe(401);
    const proxy = createServer((incoming, outgoing) => {
      const { method = 'GET', url: path = '/', headers } = incoming;
      const passed = { method, headers: { ...headers, ...bearer(token) } };
      const asked = httpRequest(`${open.serving.url}${path}`, passed, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(asked);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      proxy.closeAllConnections();
      proxy.close();
    });
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const sameOrigin = { 'sec-fetch-site': 'same-origin' };
    for (const path of ['/docs', '/docs/page.js', '/openapi.json'])
      expect([path, (await ask('GET', path, sameOrigin, undefined, url)).status]).toEqual([path, 200]);
    expect((await ask('POST', PREDICT, { ...sameOrigin, origin: url }, predictBody, url)).status).toBe(200);
  });

  it('ends a stream with its key', async () => {
    const { token } = await made('watching', ['read']);
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
    const actor = `key hr_${key.id}`;
    const etagNow = async () =>
      (await ask('GET', '/v1/endpoints/checkout', bearer(token))).headers.get('etag') ?? expect.fail('no ETag');
    const put = async (extra: object) =>
      (await ask('PUT', '/v1/endpoints/checkout', { ...bearer(token), ...extra }, traffic)).status;
    const etag = await etagNow();
    expect(await put({ 'if-match': etag, 'x-reason': 'back to one' })).toBe(200);
    const changed = { actor, action: 'endpoint.traffic', reason: 'back to one', before: { etag } };
    expect(await lastAudit()).toMatchObject({ ...changed, after: { variants: traffic.variants } });
    expect(await put({ 'if-match': await etagNow(), 'x-reason': 'x'.repeat(600) })).toBe(200);
    expect(await lastAudit()).toMatchObject({ reason: 'x'.repeat(500) });
    expect(await put({ 'if-match': etag })).toBe(412);
    const after = { refused: 'HR_PRECONDITION', asked: traffic };
    await expect.poll(() => lastAudit()).toMatchObject({ actor, action: 'endpoint.traffic', after });
  });

  it.each([
    ['an unknown version', 'checkout', 99, 'HR_UNKNOWN_MODEL'],
    ['an unknown endpoint', 'chekout', 1, 'HR_UNKNOWN_ENDPOINT'],
  ])('has who asked for %s', async (_what, endpoint, version, code) => {
    const { token, key } = await made(`seeker-${code}`, ['admin']);
    const asked = { variants: [{ name: 'stable', version, weight: 100 }] };
    expect((await ask('PUT', `/v1/endpoints/${endpoint}`, bearer(token), asked)).status).toBe(404);
    await open.serving.security.refused.settled();
    const wanted = { actor: `key hr_${key.id}`, action: 'endpoint.traffic', after: { refused: code, asked } };
    expect(await lastAudit(`endpoint/${endpoint}`)).toMatchObject(wanted);
  });

  it('has who lacked the role', async () => {
    const { token, key } = await made('curious', ['read']);
    await ask('PUT', '/v1/endpoints/checkout', { ...bearer(token), 'x-reason': 'why not' }, traffic);
    const wanted = { actor: `key hr_${key.id}`, reason: 'why not', after: { refused: 'HR_FORBIDDEN' } };
    await expect.poll(() => lastAudit()).toMatchObject(wanted);
  });

  it('is not filled by who has no key', async () => {
    const before = (await registry.auditLog.list({ limit: 10_000 })).length;
    for (let at = 0; at < 200; at++) {
      const five = Array.from({ length: 5 }, () => ask('PUT', `/v1/endpoints/checkout${at}`, {}, traffic));
      for (const { status } of await Promise.all(five)) expect(status).toBe(401);
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
  await statusOf(token);
  await ask('PUT', '/v1/endpoints/checkout', { ...bearer(`${token}x`), 'x-api-key': token }, traffic);
  await open.serving.stop();
  const keys = await registry.keys.list();
  const usedAt = (id: string) => keys.find((one) => one.id === id)?.usedMicros;
  expect(usedAt(key.id)).toBeGreaterThan(key.createdMicros);
  expect(usedAt(unused.key.id)).toBeNull();
  const [, , secret = ''] = token.split('_');
  expect(logged()).not.toContain(secret);
  expect(JSON.stringify(await registry.auditLog.list({ limit: 10_000 }))).not.toContain(secret);
});

it('a server that takes tokens is closed without a key, knows who signed, and follows the file of its key', async () => {
  const next = generateKeyPairSync('ed25519');
  const pem = (pair: typeof idp) => pair.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const file = open.project.write('idp.pem', pem(idp));
  const { app, serving } = await openForTest({
    ...given,
    settings: {
      HEADRACE_SERVER_JWT_ALGORITHMS: 'EdDSA',
      HEADRACE_SERVER_JWT_ISSUER: 'https://id.example',
      HEADRACE_SERVER_JWT_AUDIENCE: 'headrace',
      HEADRACE_SERVER_JWT_KEY: file,
      HEADRACE_SERVER_JWT_ENDPOINTS_CLAIM: 'endpoints',
      HEADRACE_SERVER_RATE_LIMIT: '20',
    },
  });
  const exp = Math.floor(Date.now() / 1000) + 60;
  const who = { iss: 'https://id.example', aud: 'headrace', sub: 'ada', exp };
  const token = (pair: typeof idp, extra = {}) => {
    const claims = { ...who, roles: ['predict', 'admin'], endpoints: ['checkout'], ...extra };
    return bearer(signToken({ alg: 'EdDSA' }, claims, pair.privateKey));
  };
  const predict = async (headers: object, path = PREDICT) =>
    (await ask('POST', path, headers, predictBody, serving.url)).status;
  expect(await predict({})).toBe(401);
  expect([await predict(token(idp)), await predict(token(idp))]).toEqual([200, 200]);
  expect(await predict(token(next))).toBe(401);
  expect(await predict(token(idp), '/v1/endpoints/other/predict')).toBe(403);
  expect(await predict(token(idp, { roles: [] }))).toBe(403);
  await ask('PUT', '/v1/endpoints/checkout', token(idp), traffic, serving.url);
  const [entry] = await (await app.registry()).auditLog.list({ limit: 1 });
  expect(entry).toMatchObject({ actor: 'jwt ada', action: 'endpoint.traffic' });
  writeFileSync(file, pem(next));
  await expect.poll(() => predict(token(next)), { timeout: 5000, interval: 200 }).toBe(200);
  expect(await predict(token(idp))).toBe(401);
  // A file that is none changes nothing.
  writeFileSync(file, 'hello');
  await expect.poll(logged, { timeout: 5000 }).toContain('cannot be used: those before stay');
  expect(await predict(token(next))).toBe(200);
  // Past server.rateLimit, by who asks.
  const bob = token(next, { sub: 'bob' });
  const answers = await Promise.all(
    Array.from({ length: 120 }, () => ask('POST', PREDICT, bob, predictBody, serving.url)),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
  for (const { status, headers } of answers) expect(headers.get('retry-after')).toBe(status === 429 ? '1' : null);
  expect(await predict(token(next))).toBe(200);
});
