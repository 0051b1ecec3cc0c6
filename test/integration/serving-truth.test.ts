// What a server says of itself: a version that can't be loaded, a function that breaks, rows that fail one by one. Told by
// answers, readiness, the endpoint and the log.

import { rmSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { applyRepository, examine, openApp, readEnvironment, registerModelFile } from '../../src/app/index.ts';
import { type Serving, serveInProcess } from '../../src/app/serve-worker.ts';
import { readPredictionId, silentLogger } from '../../src/core/index.ts';
import { bucketOf } from '../../src/rollouts/index.ts';
import { constantModel, passThroughModel } from '../support/onnx-model.ts';
import { artifactOf, BY, openForAll, openForTest, recordLog } from '../support/open-for.ts';
import type { OpenServing } from '../support/open-serving.ts';
import { fullIt } from '../support/tier.ts';

const REPOSITORY = `import { endpoint, entity, featureService, featureView, latest, model, onDemandView, pushed, t } from 'headrace';
export const customer = entity('customer', { keys: { customer: t.string() } });
export const visits = pushed('visits', { columns: { customer: t.string(), pages: t.int64(), at: t.timestamp() }, eventTime: 'at' });
export const seen = featureView('seen', { entity: customer, source: visits, features: { pages: latest('pages') } });
export const basket = onDemandView('basket', {
  inputs: { request: { amount: t.float64() } },
  features: { root: t.float64() },
  transform: ({ request }) => {
    if (request.amount == null || request.amount < 0) throw new Error('no root of ' + request.amount);
    return { root: Math.sqrt(request.amount) };
  },
});
export const numbers = featureService('numbers', [seen, basket]);
export const returns = model('returns', { features: numbers, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'] });
`;
const GIVEN = { repository: REPOSITORY, features: 2 };
const SECOND = Buffer.from(constantModel(2, 0.75));
const registerSecond = (given: OpenServing) => registerModelFile(given.app, { model: 'returns', onnx: SECOND });
const openWithSecond = async (more = {}) => {
  const open = await openForTest({ ...GIVEN, ...more });
  await registerSecond(open);
  return open;
};

type Told = Readonly<Record<string, unknown>> & { readonly state: string; readonly reason: string };
async function get(serving: Pick<Serving, 'server'>, url = '/v1/endpoints/checkout') {
  const answer = await serving.server.inject({ method: 'GET', url });
  return { status: answer.statusCode, body: answer.json() as Told };
}
const stateOf = async (serving: Pick<Serving, 'server'>) => (await get(serving)).body.state;
const predict = (given: OpenServing, inputs: readonly object[], options?: object) =>
  given.post('/v1/endpoints/checkout/predict', options === undefined ? { inputs } : { inputs, options });

interface Predicted {
  readonly variant: string;
  readonly version: number;
  readonly prediction_id: string;
  readonly fallback_from?: string;
}
const CUSTOMERS = Array.from({ length: 50 }, (_, at) => ({ customer: `c${at}`, amount: 4 }));
async function predictAt({ server }: Serving): Promise<readonly Predicted[]> {
  const url = '/v1/endpoints/checkout/predict';
  const answer = await server.inject({ method: 'POST', url, payload: { inputs: CUSTOMERS } });
  return (answer.json() as { readonly predictions: readonly Predicted[] }).predictions;
}

/** The server again, without the file of the second version: where that lies. */
async function againWithoutFile(given: OpenServing) {
  const path = artifactOf(given.project, SECOND);
  await given.serving.stop();
  rmSync(path);
  const again = await serveInProcess(given.app, { host: '127.0.0.1', port: 0, hasDocs: false });
  onTestFinished(() => again.stop());
  return { again, path };
}

async function modelFindings({ app }: OpenServing): Promise<readonly object[]> {
  const findings = await examine(() => Promise.resolve(app), app.environment);
  return findings.filter(({ check }) => check === 'models');
}
const BOTH_READ = [{ state: 'ok', says: 'all 2 versions with traffic can be read' }];
const SECOND_LACKS = [{ state: 'fail', says: expect.stringContaining('version 2 of') }];

const to = (version: number) => ({ variants: [{ name: 'stable', version, weight: 100 }] });
const ada = { customer: 'ada', amount: 4 };

describe('a version that can not be loaded', () => {
  // twin: test/unit/serving-endpoint-loads.test.ts > that fails for a while is tried again after 1 s, 2 s, 4 s, … and at once when something changed
  fullIt('is tried again by itself, and the endpoint serves it once it can be had', async () => {
    const log = recordLog();
    const given = await openWithSecond({ logger: log.logger });
    await given.serving.planes.control.setTraffic('checkout', to(2), BY);
    const { again, path } = await againWithoutFile(given);
    const { body } = await get(again);
    expect(body).toMatchObject({ state: 'failed', wanted: [2], served: [] });
    expect(body.reason).toMatch(/^version 2 of model "returns": artifact [0-9a-f]{64} is not in the store/);
    expect(Date.parse(String(body['retryAt']))).toBeGreaterThan(Date.parse(String(body['since'])));
    const reason = expect.stringContaining('checkout');
    expect(await get(again, '/health/ready')).toMatchObject({ status: 503, body: { reason } });
    // What happened is recorded all the same.
    const outcomes = [{ prediction_id: 'p1', value: 1, observed_at: new Date().toISOString() }];
    const url = '/v1/endpoints/checkout/outcomes';
    expect((await again.server.inject({ method: 'POST', url, payload: { outcomes } })).statusCode).toBe(200);
    writeFileSync(path, SECOND);
    await expect.poll(() => stateOf(again)).toBe('serving');
    expect((await get(again, '/health/ready')).status).toBe(200);
    expect(log.of('endpoint serves nothing')).toMatchObject([{ level: 'error' }]);
  });

  // twin: test/integration/serving-truth.test.ts > leaves the others of its endpoint served at a start: its requests go to the base
  fullIt(
    'of an experiment’s arm is refused as traffic; at a start the arm’s units get the base, which says for whom',
    async () => {
      const given = await openWithSecond();
      const { control } = given.serving.planes;
      const arms = [
        { name: 'control', version: 1, ranges: [[0, 5000]] as const },
        { name: 'treatment', version: 2, ranges: [[5000, 10_000]] as const },
      ];
      const of = { name: 'exp', phase: 1, seed: 'seed', unit: ['customer'], namespace: null, when: null };
      const path = artifactOf(given.project, SECOND);
      rmSync(path);
      const start = () => control.setTraffic('checkout', { ...to(1), experiments: [{ ...of, arms }] }, BY);
      await expect(start()).rejects.toMatchObject({ code: 'HR_NOT_PREPARED' });
      expect((await control.endpoint('checkout')).state.experiments).toEqual([]);
      writeFileSync(path, SECOND);
      await start();
      expect(await modelFindings(given)).toMatchObject(BOTH_READ);
      const { again } = await againWithoutFile(given);
      expect(await modelFindings(given)).toMatchObject(SECOND_LACKS);
      expect((await get(again)).body).toMatchObject({ state: 'stale', wanted: [1, 2], served: [1] });
      const predictions = await predictAt(again);
      const shown = predictions.map(({ variant, fallback_from: from, prediction_id: id }) => [
        `${variant} for ${from ?? 'itself'}`,
        readPredictionId(id)?.version,
      ]);
      const isControl = CUSTOMERS.map(({ customer }) => bucketOf('seed', customer) < 5000);
      expect(shown).toEqual(
        isControl.map((own) => (own ? ['exp/control for itself', 1] : ['stable for exp/treatment', 2])),
      );
    },
  );

  it('leaves the others of its endpoint served at a start: its requests go to the base', async () => {
    const log = recordLog();
    const given = await openWithSecond({ logger: log.logger });
    const variants = [
      { name: 'candidate', version: 2, weight: 60 },
      { name: 'stable', version: 1, weight: 40 },
    ];
    await given.serving.planes.control.setTraffic('checkout', { variants }, BY);
    const { again, path } = await againWithoutFile(given);
    expect((await get(again, '/health/ready')).status).toBe(200);
    const reason = expect.stringMatching(/artifact/);
    expect((await get(again)).body).toMatchObject({ state: 'stale', wanted: [2, 1], served: [1], reason });
    expect(await modelFindings(given)).toMatchObject(SECOND_LACKS);
    const predictions = await predictAt(again);
    const from = predictions.map(({ fallback_from }) => fallback_from);
    expect(new Set(predictions.map(({ version, variant }) => `${variant} ${version}`))).toEqual(new Set(['stable 1']));
    expect(new Set(from)).toEqual(new Set([undefined, 'candidate']));
    writeFileSync(path, SECOND);
    await expect.poll(() => stateOf(again)).toBe('serving');
    expect(await modelFindings(given)).toMatchObject(BOTH_READ);
    const whole = await predictAt(again);
    // Who was assigned to the missing one all the while.
    expect(whole.map(({ variant }) => variant)).toEqual(from.map((variant) => variant ?? 'stable'));
    expect(whole.every(({ fallback_from }) => fallback_from === undefined)).toBe(true);
    expect(log.of('endpoint lacks a version')).toHaveLength(1);
  });

  it('is refused as traffic, with the reason, and nothing has changed', async () => {
    const given = await openWithSecond();
    const { server, planes, security } = given.serving;
    rmSync(artifactOf(given.project, SECOND));
    const asked = { url: '/v1/endpoints/checkout', headers: { 'x-reason': 'a try' }, payload: to(2) };
    const answer = await server.inject({ method: 'PUT', ...asked });
    const message = expect.stringMatching(/^HR_ARTIFACT_UNREADABLE: version 2 of model "returns": artifact /);
    expect(answer.json()).toMatchObject({ status: 409, code: 'HR_NOT_PREPARED', errors: [{ message }] });
    expect((await get(given.serving)).body).toMatchObject({ state: 'serving', served: [1] });
    // Told once, by whoever settled it.
    await security.refused.settled();
    const { auditLog } = await given.app.registry();
    const told = { reason: 'a try', before: { variants: [{ version: 1 }] } };
    expect((await auditLog.list({ object: 'endpoint/checkout' })).slice(0, 2)).toMatchObject([
      { ...told, action: 'endpoint.traffic.failed' },
      { ...told, action: 'endpoint.traffic.ask' },
    ]);
    // Each revision tells what became of it.
    const revision = async (n: number) => (await get(given.serving, `/v1/endpoints/checkout/traffic/${n}`)).body;
    expect(await revision(3)).toMatchObject({ state: 'failed', variants: [{ version: 2 }], active_from: null });
    const first = { state: 'active', variants: [{ version: 1 }], asked_at: null, active_until: null };
    expect(await revision(2)).toMatchObject({ ...first, active_from: expect.stringMatching(/^\d{4}-.*Z$/) });
    await planes.control.setTraffic('checkout', to(1), BY);
    expect(await revision(2)).toMatchObject({ state: 'superseded', active_until: expect.stringMatching(/Z$/) });
  });
});

describe('traffic that is active', () => {
  const other = { machine: 'other', pid: 7, startedMicros: 0, revision: 1, failure: null, reads: [], folds: [] };
  type Registry = Awaited<ReturnType<OpenServing['app']['registry']>>;
  let { servers, endpoints }: Pick<Registry, 'servers' | 'endpoints'> = {} as Registry;
  /** Of the change that the test asks for. */
  let next: number;
  const given = openForAll(GIVEN, async (open) => {
    await registerSecond(open);
    ({ servers, endpoints } = await open.app.registry());
  });
  beforeEach(async () => {
    await servers.leave('other');
    await given.serving.planes.control.setTraffic('checkout', to(1), BY);
    next = (await endpoints.get('checkout')).revision + 1;
  });

  const put = () => given.serving.server.inject({ method: 'PUT', url: '/v1/endpoints/checkout', payload: to(2) });
  const revision = async (n: number) => (await get(given.serving, `/v1/endpoints/checkout/traffic/${n}`)).body;
  const prepared = () => ({ checkout: { revision: next, failure: null } });

  it('is answered as such, though another was asked for right after', async () => {
    await servers.report('other', { ...other, prepared: {} });
    const asked = put();
    const mine = async () => {
      const own = (await servers.list()).find(({ machine }) => machine !== 'other');
      return own?.prepared?.['checkout']?.revision;
    };
    await expect.poll(mine).toBe(next);
    await servers.report('other', { ...other, prepared: prepared() });
    await endpoints.settleTraffic('checkout');
    const wanted = { ...to(1), shadows: [{ version: 2, percent: 25 }] };
    const later = await endpoints.setTraffic('checkout', wanted, { actor: 'eve', waitMs: 0 });
    expect(later.change).toMatchObject({ revision: next + 1, state: 'preparing' });
    expect(await revision(next + 1)).toMatchObject({ shadows: [{ version: 2, percent: 25 }], experiments: [] });
    expect(await revision(next)).toMatchObject({ shadows: [] });
    const answer = await asked;
    expect(answer).toMatchObject({ statusCode: 200, headers: { etag: `"r${next}"` } });
    expect(answer.headers).not.toHaveProperty('location');
    expect(answer.json()).toMatchObject({ revision: next, variants: [{ version: 2 }], change: null });
  });

  it('is answered where the registry can not tell any more which servers answer by it', async () => {
    const told = servers.list.bind(servers);
    const list = vi.spyOn(servers, 'list').mockImplementation(async (andSilent) => {
      if ((await endpoints.get('checkout')).revision === next) throw new Error('the registry is away');
      return told(andSilent);
    });
    const answer = await put().finally(() => list.mockRestore());
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ revision: next, served: [2], waits_for: null, change: null });
  });

  it('is answered with the servers that have yet to answer by it, after a second', async () => {
    // One that stops right after it has loaded it.
    const traffic = (n: number) => ({ state: 'serving' as const, revision: n, versions: [1], reason: null });
    const endpointsAt = (n: number) => ({ endpoints: { checkout: traffic(n) } });
    await servers.report('other', { ...other, prepared: prepared(), ...endpointsAt(next - 1) });
    const answer = await put();
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ revision: next, served: [2], waits_for: ['other 7'], change: null });
    expect(await revision(next)).toMatchObject({ state: 'active', waits_for: ['other 7'] });
    await servers.report('other', { ...other, ...endpointsAt(next) });
    expect(await revision(next)).toMatchObject({ state: 'active', waits_for: [] });
    expect((await get(given.serving)).body).toMatchObject({ waits_for: [] });
  });
});

it('definitions that can not be loaded keep no traffic from changing: what is loaded can be gone back to', async () => {
  const given = await openWithSecond();
  given.project.write('feature_repo/shop.ts', REPOSITORY.replace("'no root of '", "'there is no root of '"));
  // Its bundles lie where this server does not look.
  const elsewhere = readEnvironment({ HEADRACE_ARTIFACTS_URL: 'file:.headrace/elsewhere' });
  const environment = { ...elsewhere, workingDirectory: given.project.directory };
  const app = await openApp({ environment, logger: silentLogger });
  await applyRepository(app, { allowBreaking: true });
  await app.close();
  const { control } = given.serving.planes;
  await control.refresh();
  const notLoaded = async () => (await get(given.serving, '/health/ready')).body['not_loaded'];
  await expect.poll(notLoaded).toMatchObject({ revision: 2 });
  const { state } = await control.setTraffic('checkout', to(2), { actor: 'test', waitMs: 60_000 });
  expect(state).toMatchObject({ variants: [{ version: 2 }], change: { state: 'active' } });
  expect((await predict(given, [ada])).json().predictions[0]).toMatchObject({ outputs: { probability: 0.75 } });
});

describe('rows that fail', () => {
  const broken = { customer: 'ada', amount: -1 };
  const wrong = { customer: 'ada', amount: 'much' };
  const log = recordLog();
  const given = openForAll({ ...GIVEN, logger: log.logger });
  const state = () => stateOf(given.serving);

  it('by a function that breaks are told by readiness, the endpoint and the log, once, and so is their end', async () => {
    expect((await predict(given, [ada])).statusCode).toBe(200);
    const told = { code: 'HR_TRANSFORM_FAILED', errors: [{ path: 'inputs[0]' }] };
    for (let i = 0; i < 10; i++) expect((await predict(given, [broken])).json()).toMatchObject(told);
    const reason = expect.stringContaining('checkout is failed: every request fails: HR_TRANSFORM_FAILED');
    const endpoints = [{ endpoint: 'checkout', state: 'failed', served: [1] }];
    expect(await get(given.serving, '/health/ready')).toMatchObject({ status: 200, body: { reason, endpoints } });
    expect(log.of('endpoint fails at every request')).toHaveLength(1);
    expect((await predict(given, [ada])).statusCode).toBe(200);
    expect((await get(given.serving)).body).toMatchObject({ state: 'serving', reason: null });
    expect(log.of('endpoint answers again')).toHaveLength(1);
  });

  it('say nothing of other traffic: it begins anew', async () => {
    for (let i = 0; i < 10; i++) await predict(given, [broken]);
    const serving = async () => {
      const { body } = await given.serving.server.inject({ method: 'GET', url: '/metrics' });
      return /^headrace_endpoint_serving\{endpoint="checkout"\} (\d)$/m.exec(body)?.[1];
    };
    expect([await state(), await serving()]).toEqual(['failed', '0']);
    await given.serving.planes.control.setTraffic('checkout', to(1), { actor: 'ann', reason: 'back' });
    expect([await state(), await serving()]).toEqual(['serving', '1']);
    const [, second, ...more] = log.of('endpoint is served');
    expect(more).toEqual([]);
    expect(JSON.stringify(second)).toContain('stable=1:100');
    expect(second).toMatchObject({ actor: 'ann', reason: 'back' });
  });

  it('and stand alone fail the endpoint where no row was answered, and not where one was, or all were the client’s mistakes', async () => {
    for (const [rows, times, expected] of [
      [[wrong, wrong], 10, 'serving'],
      [[wrong, broken], 10, 'failed'],
      [[wrong], 10, 'failed'],
      [[broken, ada], 1, 'serving'],
    ] as const) {
      for (let at = 0; at < times; at++) expect((await predict(given, rows, { partial: true })).statusCode).toBe(200);
      expect(await state()).toBe(expected);
    }
  });

  it('by a deadline shorter than the server’s own are the client’s doing', async () => {
    const headers = { 'x-request-timeout-ms': '1' };
    for (let i = 0; i < 20; i++) {
      const { statusCode } = await given.post('/v1/endpoints/checkout/predict', { inputs: [ada] }, headers);
      expect([200, 504, 429]).toContain(statusCode);
    }
    expect(await state()).toBe('serving');
  });

  it('stand alone when the request is partial, whatever stage they fail at', async () => {
    const alone = async (...rows: object[]) => (await predict(given, rows, { partial: true })).json().predictions;
    expect(await alone(ada, broken, wrong, ada)).toMatchObject([
      { outputs: { probability: 0.25 } },
      { error: { code: 'HR_TRANSFORM_FAILED', path: 'inputs[1]' } },
      { error: { code: 'HR_INVALID', path: 'inputs[2].amount' } },
      { outputs: { probability: 0.25 } },
    ]);
    expect(await alone(wrong)).toMatchObject([{ error: { code: 'HR_INVALID' } }]);
  });
});

it('is not said to serve an endpoint whose model has no version', async () => {
  const log = recordLog();
  const idle = `export const scores = model('scores', { features: numbers, outputs: { probability: t.float32() } });
export const later = endpoint('later', { model: scores, unit: ['customer'] });
`;
  await openForTest({ repository: `${REPOSITORY}${idle}`, features: 2, logger: log.logger });
  expect(log.of('endpoint is served')).toHaveLength(1);
  expect(JSON.stringify(log.of('endpoint has no traffic yet'))).toContain('"later"');
});

const TWICE = `const twice = onDemandView('twice', {
  inputs: { seen },
  features: { pages: t.int64() },
  transform: ({ seen }) => ({ pages: seen.pages == null ? null : seen.pages * 2n }),
});`;
it.each([
  ['that is read', 'seen', ''],
  ['that is computed', 'twice', TWICE],
])(
  'a null %s and that the model can not take is the client’s doing where nothing is known of its keys, and the server’s where the key is known',
  async (_, view, more) => {
    const feature = `${view}__pages`;
    const repository = `${REPOSITORY.split('export const basket')[0]}${more}
const numbers = featureService('numbers', [${view}]);
const returns = model('returns', { features: numbers, outputs: { pages: t.int64() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'] });
`;
    const onnx = passThroughModel([{ name: feature, type: 'int64', shape: [null] }]);
    const given = await openForTest({ repository, features: 1, onnx });
    const errors = async () => {
      const { body } = await given.serving.server.inject('/metrics');
      const found = body.matchAll(/^headrace_request_errors_total\{endpoint="checkout",outcome="(\w+)"\} (\d+)$/gm);
      return Object.fromEntries(Array.from(found, ([, outcome, count]) => [outcome, Number(count)]));
    };
    const push = async (customer: string, pages: object): Promise<void> => {
      const rows = [{ customer, ...pages, at: '2026-01-01T00:00:00Z' }];
      expect((await given.post('/v1/sources/visits/push', { rows })).statusCode).toBe(200);
    };
    for (let at = 0; at < 10; at++) {
      const answer = await predict(given, [{ customer: `nobody-${at}` }]);
      expect(answer.json()).toMatchObject({ status: 422, code: 'HR_UNKNOWN_ENTITY', errors: [{ path: 'inputs[0]' }] });
      expect(answer.body).toContain(feature);
    }
    expect(await errors()).toMatchObject({ refused: 10, failed: 0 });
    expect(await stateOf(given.serving)).toBe('serving');
    await push('ada', { pages: 7 });
    expect((await predict(given, [{ customer: 'ada' }])).statusCode).toBe(200);
    await push('bob', {});
    for (let at = 0; at < 10; at++)
      expect((await predict(given, [{ customer: 'bob' }])).json()).toMatchObject({ code: 'HR_NULL_FEATURE' });
    expect(await errors()).toMatchObject({ refused: 10, failed: 10 });
    expect(await stateOf(given.serving)).toBe('failed');
  },
);
