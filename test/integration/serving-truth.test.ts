// What a server says of itself: a version that can't be loaded, a function that breaks, rows that fail one by one. Told by
// answers, readiness, the endpoint and the log.

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { applyRepository, examine, openApp, readEnvironment, registerModelFile } from '../../src/app/index.ts';
import { type Serving, serveInProcess } from '../../src/app/serve-worker.ts';
import { type Logger, readPredictionId, silentLogger } from '../../src/core/index.ts';
import { bucketOf } from '../../src/rollouts/index.ts';
import { constantModel, passThroughModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
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

let open: OpenServing | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

/** Lines of the log, as `level message {fields}`. */
function recordingLogger(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const at =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  return { logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines };
}

const predict = (given: OpenServing, inputs: readonly object[], options?: object) =>
  given.post('/v1/endpoints/checkout/predict', options === undefined ? { inputs } : { inputs, options });

async function get(serving: Serving, url: string): Promise<{ readonly status: number; readonly body: Told }> {
  const answer = await serving.server.inject({ method: 'GET', url });
  return { status: answer.statusCode, body: answer.json() as Told };
}

interface Told {
  readonly status: string;
  readonly reason: string;
  readonly state: string;
  readonly wanted: readonly number[];
  readonly served: readonly number[];
  readonly since: string | null;
  readonly retryAt: string | null;
  readonly endpoints: readonly Told[];
  readonly not_loaded: object | null;
}

interface Predicted {
  readonly variant: string;
  readonly version: number;
  readonly prediction_id: string;
  readonly fallback_from?: string;
}

async function predictAt({ url }: Serving, inputs: readonly object[]): Promise<readonly Predicted[]> {
  const answer = await fetch(`${url}/v1/endpoints/checkout/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs }),
  });
  return ((await answer.json()) as { readonly predictions: readonly Predicted[] }).predictions;
}

async function modelFindings({ app }: OpenServing): Promise<readonly object[]> {
  const findings = await examine(() => Promise.resolve(app), app.environment);
  return findings.filter(({ check }) => check === 'models');
}

/** The file in the artifact store that holds these bytes. */
function artifactOf(given: OpenServing, bytes: Uint8Array): string {
  const root = given.project.file('.headrace/artifacts');
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && Buffer.compare(readFileSync(path), bytes) === 0) return path;
  }
  throw new Error('the artifact store does not have it');
}

const onnx = (value: number): Buffer => Buffer.from(constantModel(2, value));
const to = (version: number) => ({ variants: [{ name: 'stable', version, weight: 100 }] });
const ada = { customer: 'ada', amount: 4 };

describe('a version that can not be loaded', () => {
  // twin: test/unit/serving-endpoint-loads.test.ts > that fails for a while is tried again after 1 s, 2 s, 4 s
  fullIt('is tried again by itself, and the endpoint serves it once it can be had', async () => {
    const { logger, lines } = recordingLogger();
    open = await openServing({ repository: REPOSITORY, features: 2, logger });
    const given = open;
    await registerModelFile(given.app, { model: 'returns', onnx: onnx(0.75) });
    await given.serving.planes.control.setTraffic('checkout', to(2), { actor: 'test' });
    const path = artifactOf(given, onnx(0.75));
    await given.serving.stop();
    rmSync(path);
    const again = await serveInProcess(given.app, { host: '127.0.0.1', port: 0, hasDocs: false });
    try {
      const failed = await get(again, '/v1/endpoints/checkout');
      expect(failed.body).toMatchObject({ state: 'failed', wanted: [2], served: [] });
      expect(failed.body.reason).toMatch(/^version 2 of model "returns": artifact [0-9a-f]{64} is not in the store/);
      expect(Date.parse(failed.body.retryAt ?? '')).toBeGreaterThan(Date.parse(failed.body.since ?? ''));
      const ready = await get(again, '/health/ready');
      expect(ready.status).toBe(503);
      expect(ready.body.reason).toContain('checkout');
      // What happened is recorded all the same.
      const outcome = { prediction_id: 'p1', value: 1, observed_at: new Date().toISOString() };
      const recorded = await fetch(`${again.url}/v1/endpoints/checkout/outcomes`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ outcomes: [outcome] }),
      });
      expect(recorded.status).toBe(200);
      writeFileSync(path, onnx(0.75));
      await expect.poll(async () => (await get(again, '/v1/endpoints/checkout')).body.state).toBe('serving');
      expect((await get(again, '/health/ready')).status).toBe(200);
      expect(lines.filter((line) => line.startsWith('error endpoint serves nothing'))).toHaveLength(1);
    } finally {
      await again.stop();
    }
  });

  // twin: test/integration/serving-truth.test.ts > leaves the others of its endpoint served at a start
  fullIt(
    'of an experiment’s arm is refused as traffic; at a start the arm’s units get the base, which says for whom',
    async () => {
      open = await openServing({ repository: REPOSITORY, features: 2 });
      const given = open;
      await registerModelFile(given.app, { model: 'returns', onnx: onnx(0.75) });
      const { control } = given.serving.planes;
      const variants = [{ name: 'stable', version: 1, weight: 100 }];
      const experiment = {
        name: 'exp',
        phase: 1,
        seed: 'seed',
        unit: ['customer'],
        namespace: null,
        when: null,
        arms: [
          { name: 'control', version: 1, ranges: [[0, 5000]] as const },
          { name: 'treatment', version: 2, ranges: [[5000, 10_000]] as const },
        ],
      };
      const path = artifactOf(given, onnx(0.75));
      rmSync(path);
      const start = () => control.setTraffic('checkout', { variants, experiments: [experiment] }, { actor: 'test' });
      await expect(start()).rejects.toMatchObject({ code: 'HR_NOT_PREPARED' });
      expect((await given.serving.planes.control.endpoint('checkout')).state.experiments).toEqual([]);
      writeFileSync(path, onnx(0.75));
      await start();
      expect(await modelFindings(given)).toMatchObject([
        { state: 'ok', says: 'all 2 versions with traffic can be read' },
      ]);
      await given.serving.stop();
      rmSync(path);
      expect(await modelFindings(given)).toMatchObject([
        { state: 'fail', says: expect.stringContaining('version 2 of') },
      ]);
      const again = await serveInProcess(given.app, { host: '127.0.0.1', port: 0, hasDocs: false });
      try {
        expect((await get(again, '/v1/endpoints/checkout')).body).toMatchObject({
          state: 'stale',
          wanted: [1, 2],
          served: [1],
        });
        const inputs = Array.from({ length: 50 }, (_, at) => ({ customer: `c${at}`, amount: 4 }));
        const predictions = await predictAt(again, inputs);
        const shown = predictions.map(({ variant, fallback_from: from }) => `${variant} for ${from ?? 'itself'}`);
        const expected = inputs.map(({ customer }) =>
          bucketOf('seed', customer) < 5000 ? 'exp/control for itself' : 'stable for exp/treatment',
        );
        expect(shown).toEqual(expected);
        const ids = predictions.map(({ prediction_id: id }) => readPredictionId(id)?.version);
        expect(ids).toEqual(inputs.map(({ customer }) => (bucketOf('seed', customer) < 5000 ? 1 : 2)));
      } finally {
        await again.stop();
      }
    },
  );

  it('leaves the others of its endpoint served at a start: its requests go to the base', async () => {
    const { logger, lines } = recordingLogger();
    open = await openServing({ repository: REPOSITORY, features: 2, logger });
    const given = open;
    await registerModelFile(given.app, { model: 'returns', onnx: onnx(0.75) });
    const split = [
      { name: 'candidate', version: 2, weight: 60 },
      { name: 'stable', version: 1, weight: 40 },
    ];
    await given.serving.planes.control.setTraffic('checkout', { variants: split }, { actor: 'test' });
    const path = artifactOf(given, onnx(0.75));
    await given.serving.stop();
    rmSync(path);
    const again = await serveInProcess(given.app, { host: '127.0.0.1', port: 0, hasDocs: false });
    try {
      expect((await get(again, '/health/ready')).status).toBe(200);
      const told = (await get(again, '/v1/endpoints/checkout')).body;
      expect(told).toMatchObject({
        state: 'stale',
        wanted: [2, 1],
        served: [1],
        reason: expect.stringMatching(/artifact/),
      });
      expect(await modelFindings(given)).toMatchObject([
        { state: 'fail', says: expect.stringContaining('version 2 of') },
      ]);
      const inputs = Array.from({ length: 50 }, (_, at) => ({ customer: `c${at}`, amount: 4 }));
      const predictions = await predictAt(again, inputs);
      const from = predictions.map(({ fallback_from }) => fallback_from);
      expect(new Set(predictions.map(({ version, variant }) => `${variant} ${version}`))).toEqual(
        new Set(['stable 1']),
      );
      expect(new Set(from)).toEqual(new Set([undefined, 'candidate']));
      writeFileSync(path, onnx(0.75));
      await expect.poll(async () => (await get(again, '/v1/endpoints/checkout')).body.state).toBe('serving');
      expect(await modelFindings(given)).toMatchObject([
        { state: 'ok', says: 'all 2 versions with traffic can be read' },
      ]);
      const whole = await predictAt(again, inputs);
      // Who was assigned to the missing one all the while.
      expect(whole.map(({ variant }) => variant)).toEqual(from.map((variant) => variant ?? 'stable'));
      expect(whole.every(({ fallback_from }) => fallback_from === undefined)).toBe(true);
      expect(lines.filter((line) => line.includes('endpoint lacks a version'))).toHaveLength(1);
    } finally {
      await again.stop();
    }
  });

  it('is refused as traffic, with the reason, and nothing has changed', async () => {
    open = await openServing({ repository: REPOSITORY, features: 2 });
    const given = open;
    await registerModelFile(given.app, { model: 'returns', onnx: onnx(0.75) });
    rmSync(artifactOf(given, onnx(0.75)));
    const answer = await given.serving.server.inject({
      method: 'PUT',
      url: '/v1/endpoints/checkout',
      headers: { 'x-reason': 'a try' },
      payload: to(2),
    });
    expect(answer.statusCode).toBe(409);
    expect(answer.json()).toMatchObject({
      code: 'HR_NOT_PREPARED',
      errors: [{ message: expect.stringMatching(/^HR_ARTIFACT_UNREADABLE: version 2 of model "returns": artifact /) }],
    });
    expect((await get(given.serving, '/v1/endpoints/checkout')).body).toMatchObject({ state: 'serving', served: [1] });
    // Told once, by whoever settled it.
    await given.serving.security.refused.settled();
    const { auditLog } = await given.app.registry();
    const [failed, asked] = await auditLog.list({ object: 'endpoint/checkout' });
    expect([failed, asked]).toMatchObject([
      { action: 'endpoint.traffic.failed', reason: 'a try', before: { variants: [{ version: 1 }] } },
      { action: 'endpoint.traffic.ask', reason: 'a try', before: { variants: [{ version: 1 }] } },
    ]);
    // Each revision tells what became of it.
    const revision = async (n: number) => (await get(given.serving, `/v1/endpoints/checkout/traffic/${n}`)).body;
    expect(await revision(3)).toMatchObject({ state: 'failed', variants: [{ version: 2 }], active_from: null });
    const first = { state: 'active', variants: [{ version: 1 }], asked_at: null, active_until: null };
    expect(await revision(2)).toMatchObject({ ...first, active_from: expect.stringMatching(/^\d{4}-.*Z$/) });
    await given.serving.planes.control.setTraffic('checkout', to(1), { actor: 'test' });
    expect(await revision(2)).toMatchObject({ state: 'superseded', active_until: expect.stringMatching(/Z$/) });
  });
});

describe('traffic that is active', () => {
  const other = { machine: 'other', pid: 7, startedMicros: 0, revision: 1, failure: null, reads: [], folds: [] };
  let given: OpenServing;
  let servers: Awaited<ReturnType<OpenServing['app']['registry']>>['servers'];
  let endpoints: Awaited<ReturnType<OpenServing['app']['registry']>>['endpoints'];
  /** Of the change that the test asks for. */
  let next: number;
  beforeAll(async () => {
    given = await openServing({ repository: REPOSITORY, features: 2 });
    await registerModelFile(given.app, { model: 'returns', onnx: onnx(0.75) });
    ({ servers, endpoints } = await given.app.registry());
  });
  afterAll(() => given.close());
  beforeEach(async () => {
    await servers.leave('other');
    await given.serving.planes.control.setTraffic('checkout', to(1), { actor: 'test' });
    next = (await endpoints.get('checkout')).revision + 1;
  });

  const put = () => given.serving.server.inject({ method: 'PUT', url: '/v1/endpoints/checkout', payload: to(2) });
  const revision = async (n: number) => (await get(given.serving, `/v1/endpoints/checkout/traffic/${n}`)).body;

  it('is answered as such, though another was asked for right after', async () => {
    await servers.report('other', { ...other, prepared: {} });
    const asked = put();
    const mine = async () => {
      const own = (await servers.list()).find(({ machine }) => machine !== 'other');
      return own?.prepared?.['checkout']?.revision;
    };
    await expect.poll(mine).toBe(next);
    await servers.report('other', { ...other, prepared: { checkout: { revision: next, failure: null } } });
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
    const answer = await put().then(
      (answered) => answered,
      () => undefined,
    );
    list.mockRestore();
    expect(answer?.statusCode).toBe(200);
    expect(answer?.json()).toMatchObject({ revision: next, served: [2], waits_for: null, change: null });
  });

  it('is answered with the servers that have yet to answer by it, after a second', async () => {
    // One that stops right after it has loaded it.
    const traffic = (n: number) => ({ state: 'serving' as const, revision: n, versions: [1], reason: null });
    const prepared = { checkout: { revision: next, failure: null } };
    await servers.report('other', { ...other, prepared, endpoints: { checkout: traffic(next - 1) } });
    const answer = await put();
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ revision: next, served: [2], waits_for: ['other 7'], change: null });
    expect(await revision(next)).toMatchObject({ state: 'active', waits_for: ['other 7'] });
    await servers.report('other', { ...other, endpoints: { checkout: traffic(next) } });
    expect(await revision(next)).toMatchObject({ state: 'active', waits_for: [] });
    expect((await get(given.serving, '/v1/endpoints/checkout')).body).toMatchObject({ waits_for: [] });
  });
});

describe('definitions that can not be loaded', () => {
  it('keep no traffic from changing: what is loaded can be gone back to', async () => {
    open = await openServing({ repository: REPOSITORY, features: 2 });
    const given = open;
    await registerModelFile(given.app, { model: 'returns', onnx: onnx(0.75) });
    given.project.write('feature_repo/shop.ts', REPOSITORY.replace("'no root of '", "'there is no root of '"));
    // Its bundles lie where this server does not look.
    const elsewhere = readEnvironment({ HEADRACE_ARTIFACTS_URL: 'file:.headrace/elsewhere' });
    const app = await openApp({
      environment: { ...elsewhere, workingDirectory: given.project.directory },
      logger: silentLogger,
    });
    await applyRepository(app, { allowBreaking: true });
    await app.close();
    await given.serving.planes.control.refresh();
    const notLoaded = async () => (await get(given.serving, '/health/ready')).body.not_loaded;
    await expect.poll(notLoaded).toMatchObject({ revision: 2 });
    const { state } = await given.serving.planes.control.setTraffic('checkout', to(2), {
      actor: 'test',
      waitMs: 60_000,
    });
    expect(state).toMatchObject({ variants: [{ version: 2 }], change: { state: 'active' } });
    expect((await predict(given, [ada])).json().predictions[0]).toMatchObject({ outputs: { probability: 0.75 } });
  });
});

describe('rows that fail', () => {
  const broken = { customer: 'ada', amount: -1 };
  const wrong = { customer: 'ada', amount: 'much' };
  const { logger, lines } = recordingLogger();
  let given: OpenServing;
  beforeAll(async () => {
    given = await openServing({ repository: REPOSITORY, features: 2, logger });
  });
  afterAll(() => given.close());
  const said = (words: string): string[] => lines.filter((line) => line.includes(words));
  const state = async () => (await get(given.serving, '/v1/endpoints/checkout')).body.state;

  it('by a function that breaks are told by readiness, the endpoint and the log, once, and so is their end', async () => {
    expect((await predict(given, [ada])).statusCode).toBe(200);
    for (let i = 0; i < 10; i++)
      expect((await predict(given, [broken])).json()).toMatchObject({
        code: 'HR_TRANSFORM_FAILED',
        errors: [{ path: 'inputs[0]' }],
      });
    const ready = await get(given.serving, '/health/ready');
    expect(ready.status).toBe(200);
    expect(ready.body.reason).toContain('checkout is failed: every request fails: HR_TRANSFORM_FAILED');
    expect(ready.body.endpoints).toMatchObject([{ endpoint: 'checkout', state: 'failed', served: [1] }]);
    expect(said('endpoint fails at every request')).toHaveLength(1);
    expect((await predict(given, [ada])).statusCode).toBe(200);
    expect((await get(given.serving, '/v1/endpoints/checkout')).body).toMatchObject({ state: 'serving', reason: null });
    expect(said('endpoint answers again')).toHaveLength(1);
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
    const served = said('endpoint is served');
    expect(served).toHaveLength(2);
    expect(served[1]).toContain('stable=1:100');
    expect(served[1]).toContain('"actor":"ann","reason":"back"');
  });

  it('and stand alone fail the endpoint where no row was answered, and not where one was, or all were the client’s mistakes', async () => {
    const ask = async (rows: readonly object[], times = 10): Promise<void> => {
      for (let at = 0; at < times; at++) expect((await predict(given, rows, { partial: true })).statusCode).toBe(200);
    };
    await ask([wrong, wrong]);
    expect(await state()).toBe('serving');
    await ask([wrong, broken]);
    expect(await state()).toBe('failed');
    await ask([wrong]);
    expect(await state()).toBe('failed');
    await ask([broken, ada], 1);
    expect(await state()).toBe('serving');
  });

  it('by a deadline shorter than the server’s own are the client’s doing', async () => {
    const statuses = new Set<number>();
    for (let i = 0; i < 20; i++) {
      const headers = { 'x-request-timeout-ms': '1' };
      statuses.add((await given.post('/v1/endpoints/checkout/predict', { inputs: [ada] }, headers)).statusCode);
    }
    expect([200, 504, 429]).toEqual(expect.arrayContaining([...statuses]));
    expect(await state()).toBe('serving');
  });

  it('are named, and fail the request', async () => {
    const answer = await predict(given, [ada, { customer: 'bob', amount: -1 }, ada, { customer: 'cy', amount: -2 }]);
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({
      code: 'HR_TRANSFORM_FAILED',
      errors: [{ path: 'inputs[1]' }, { path: 'inputs[3]' }],
    });
  });

  it('stand alone when the request is partial, whatever stage they fail at', async () => {
    const answer = await predict(given, [ada, broken, wrong, ada], { partial: true });
    expect(answer.statusCode).toBe(200);
    expect(answer.json().predictions).toMatchObject([
      { outputs: { probability: 0.25 } },
      { error: { code: 'HR_TRANSFORM_FAILED', path: 'inputs[1]' } },
      { error: { code: 'HR_INVALID', path: 'inputs[2].amount' } },
      { outputs: { probability: 0.25 } },
    ]);
    const all = await predict(given, [wrong], { partial: true });
    expect(all.json().predictions).toMatchObject([{ error: { code: 'HR_INVALID' } }]);
  });
});

it('is not said to serve an endpoint whose model has no version', async () => {
  const { logger, lines } = recordingLogger();
  const idle = `export const scores = model('scores', { features: numbers, outputs: { probability: t.float32() } });
export const later = endpoint('later', { model: scores, unit: ['customer'] });
`;
  open = await openServing({ repository: `${REPOSITORY}${idle}`, features: 2, logger });
  expect(lines.filter((line) => line.includes('endpoint is served'))).toHaveLength(1);
  expect(lines.filter((line) => line.includes('endpoint has no traffic yet')).join()).toContain('"later"');
});

describe.each([
  ['that is read', 'seen', 'seen__pages', ''],
  [
    'that is computed',
    'twice',
    'twice__pages',
    `const twice = onDemandView('twice', {
  inputs: { seen },
  features: { pages: t.int64() },
  transform: ({ seen }) => ({ pages: seen.pages == null ? null : seen.pages * 2n }),
});`,
  ],
])('a null %s and that the model can not take', (_, view, feature, more) => {
  const repository = `import { endpoint, entity, featureService, featureView, latest, model, onDemandView, pushed, t } from 'headrace';
const customer = entity('customer', { keys: { customer: t.string() } });
const visits = pushed('visits', { columns: { customer: t.string(), pages: t.int64(), at: t.timestamp() }, eventTime: 'at' });
const seen = featureView('seen', { entity: customer, source: visits, features: { pages: latest('pages') } });
${more}
const numbers = featureService('numbers', [${view}]);
const returns = model('returns', { features: numbers, outputs: { pages: t.int64() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'] });
`;
  const onnx = passThroughModel([{ name: feature, type: 'int64', shape: [null] }]);
  const metric = async (given: OpenServing, name: string): Promise<number> => {
    const { body } = await given.serving.server.inject('/metrics');
    const line = body.split('\n').find((one) => one.startsWith(`${name} `)) ?? '';
    return Number(line.slice(name.length));
  };
  const errors = (given: OpenServing, outcome: string) =>
    metric(given, `headrace_request_errors_total{endpoint="checkout",outcome="${outcome}"}`);
  const push = async (given: OpenServing, customer: string, pages: number | null): Promise<void> => {
    const rows = [{ customer, ...(pages === null ? {} : { pages }), at: '2026-01-01T00:00:00Z' }];
    expect((await given.post('/v1/sources/visits/push', { rows })).statusCode).toBe(200);
  };

  it('is the client’s doing where nothing is known of its keys, and the server’s where the key is known', async () => {
    open = await openServing({ repository, features: 1, onnx });
    const given = open;
    for (let at = 0; at < 10; at++) {
      const answer = await predict(given, [{ customer: `nobody-${at}` }]);
      expect(answer.json()).toMatchObject({ status: 422, code: 'HR_UNKNOWN_ENTITY', errors: [{ path: 'inputs[0]' }] });
      expect(answer.body).toContain(feature);
    }
    expect([await errors(given, 'refused'), await errors(given, 'failed')]).toEqual([10, 0]);
    expect((await get(given.serving, '/v1/endpoints/checkout')).body).toMatchObject({ state: 'serving' });
    await push(given, 'ada', 7);
    expect((await predict(given, [{ customer: 'ada' }])).statusCode).toBe(200);

    await push(given, 'bob', null);
    for (let at = 0; at < 10; at++)
      expect((await predict(given, [{ customer: 'bob' }])).json()).toMatchObject({ code: 'HR_NULL_FEATURE' });
    expect([await errors(given, 'refused'), await errors(given, 'failed')]).toEqual([10, 10]);
    expect((await get(given.serving, '/v1/endpoints/checkout')).body).toMatchObject({ state: 'failed' });
  });
});
