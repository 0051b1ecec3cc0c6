// The native API's promises, held against a running server from outside; values worked out by hand.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linearModel } from '../support/onnx-model.ts';
import {
  createProject,
  headrace,
  headraceJson,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';

const DEFINITIONS = `import { count, endpoint, entity, featureService, featureView, latest, model, onDemandView, pushed, sum, t } from 'headrace';
export const user = entity('user', { keys: { k: t.string() } });
export const clicks = pushed('clicks', {
  columns: { k: t.string(), n: t.int64(), x: t.float64(), by: t.bytes(), l: t.list(t.float64()), v: t.vector(2), ok: t.bool(), f: t.float32(), e: t.timestamp(), known: t.timestamp() },
  eventTime: 'e', knownTime: 'known',
});
export const seen = featureView('seen', { entity: user, source: clicks, features: {
  n: latest('n'), x: latest('x'), by: latest('by'), l: latest('l'), v: latest('v'), ok: latest('ok'), f: latest('f'), e: latest('e'),
  c: count().over('1h'), s: sum('n').over('1h'),
} });
export const plus = onDemandView('plus', { inputs: { request: { amount: t.float64() }, seen }, features: { a: t.float64() },
  transform: ({ request, seen }) => ({ a: request.amount == null || seen.x == null ? null : request.amount + seen.x }) });
export const twice = onDemandView('twice', { inputs: { plus }, features: { b: t.float32() }, transform: ({ plus }) => ({ b: plus.a == null ? null : plus.a * 2 }) });
export const whole = featureService('whole', [seen]);
export const numbers = featureService('numbers', [seen.pick('x'), twice]);
export const score = model('score', { features: numbers, outputs: { score: t.float32() } });
export const door = endpoint('door', { model: score, unit: ['k'] });
`;

let project: Project;
let server: ServerProcess;
beforeAll(async () => {
  project = createProject({
    'headrace.config.ts':
      "import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'contract' });\n",
    'feature_repo/definitions.ts': DEFINITIONS,
    'sum.onnx': linearModel(2, { output: 'score' }),
    'cut.onnx': linearModel(2, { output: 'score' }).subarray(0, 60),
  });
  headraceJson(project, ['apply']);
  headraceJson(project, ['models', 'register', 'score', 'sum.onnx', '--service', 'numbers']);
  headraceJson(project, ['models', 'register', 'score', 'sum.onnx', '--service', 'numbers']);
  server = await startServe(project);
});
afterAll(async () => {
  await server?.stop();
  project.remove();
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(server.url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  // Every JSON answer of this API is an object.
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson ? (JSON.parse(text) as Answer['body']) : {},
  };
}

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
const push = (rows: unknown, headers = {}) => call('POST', '/v1/sources/clicks/push', { rows }, headers);
const read = (k: string) => call('POST', '/v1/features/read', { service: 'whole', rows: [{ k }] });
const predict = (inputs: unknown, headers = {}) =>
  call('POST', '/v1/endpoints/door/predict', { inputs, options: { return_features: true } }, headers);

describe('push and read', () => {
  it('keeps every type whole, digits and microseconds included', async () => {
    const at = `${minutesAgo(5).slice(0, 19)}.000001Z`;
    const row = `{"k":"types","n":9007199254740993,"x":"NaN","by":"/wAB","l":[1.5,null,"Infinity"],"v":[1,2],"ok":true,"f":"-Infinity","e":"${at}"}`;
    expect((await call('POST', '/v1/sources/clicks/push', `{"rows":[${row}]}`)).status).toBe(200);
    const { text } = await read('types');
    for (const part of [
      '"seen__n":9007199254740993,',
      '"seen__x":"NaN"',
      '"seen__by":"/wAB"',
      '"seen__l":[1.5,null,"Infinity"]',
      '"seen__v":[1,2]',
      '"seen__ok":true',
      '"seen__f":"-Infinity"',
      `"seen__e":"${at}"`,
      '"seen__c":1,"seen__s":9007199254740993',
    ])
      expect(text).toContain(part);
  });

  it('counts a batch once under its Idempotency-Key, and refuses the key for other rows', async () => {
    const rows = [{ k: 'once', n: 1, e: minutesAgo(2) }];
    const key = { 'idempotency-key': 'batch-1' };
    const answers = [await push(rows, key), await push(rows, key)];
    expect(answers.map(({ status, body }) => [status, body['accepted']])).toEqual([
      [200, 1],
      [200, 1],
    ]);
    expect((await push([{ k: 'once', n: 2, e: minutesAgo(1) }], key)).status).toBe(422);
    expect((await read('once')).text).toContain('"seen__c":1,"seen__s":1');
  });

  it('keeps the newest by event and known time, and the later arrival of equals', async () => {
    const [e, known] = [minutesAgo(10), minutesAgo(9)];
    await push([
      { k: 'order', n: 1, e, known },
      { k: 'order', n: 9, e: minutesAgo(20), known },
    ]);
    expect((await read('order')).text).toContain('"seen__n":1,');
    await push([{ k: 'order', n: 0, e, known }]);
    expect((await read('order')).text).toContain('"seen__n":0,');
    await push([{ k: 'order', n: 5, e, known: minutesAgo(9.5) }]);
    expect((await read('order')).text).toMatch(/"seen__n":0,.*"seen__c":4,"seen__s":15/);
  });

  it('names each row and column that is wrong, and takes none of the batch', async () => {
    const { status, body } = await push([
      { k: 'bad', n: 1, e: minutesAgo(1) },
      { k: 'bad', n: '1.0', v: [1], e: minutesAgo(1) },
      { k: 5, n: 1.5, e: 'yesterday' },
    ]);
    expect(status).toBe(400);
    expect(body).toMatchObject({
      errors: [
        { path: 'rows[1].n' },
        { path: 'rows[1].v' },
        { path: 'rows[2].k' },
        { path: 'rows[2].n' },
        { path: 'rows[2].e' },
      ],
    });
    expect((await read('bad')).text).toContain('"seen__n":"NOT_FOUND"');
  });
});

describe('predict', () => {
  beforeAll(async () => {
    await push([{ k: 'ada', x: 2.5, e: minutesAgo(3) }]);
  });

  it('runs on-demand views of on-demand views, and echoes the request’s id', async () => {
    const { status, headers, body } = await predict([{ k: 'ada', amount: 1 }], { 'x-request-id': 'mine' });
    expect([status, headers.get('x-request-id')]).toEqual([200, 'mine']);
    expect(body).toMatchObject({
      endpoint: 'door',
      predictions: [
        {
          outputs: { score: 9.5 },
          model: 'score',
          version: 1,
          variant: 'stable',
          features: { seen__x: 2.5, twice__b: 7 },
          statuses: { seen__x: 'PRESENT', twice__b: 'PRESENT' },
        },
      ],
    });
  });

  it('rejects the whole request for one bad input, by its index', async () => {
    const { status, headers, body } = await predict([
      { k: 'ada', amount: 1 },
      { k: 'ada', amount: 'x' },
    ]);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect({ status, body }).toMatchObject({
      status: 400,
      body: {
        type: expect.any(String),
        title: expect.any(String),
        status: 400,
        detail: expect.stringContaining('inputs[1].amount'),
        code: 'HR_INVALID',
        errors: [{ path: 'inputs[1].amount', message: 'expected float64, got string "x"' }],
      },
    });
  });

  it.each([
    ['malformed JSON', 400, '{', { 'content-type': 'application/json' }],
    ['another media type', 415, 'x', { 'content-type': 'text/plain' }],
    ['a packed body', 415, 'x', { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
    ['a body past the limit', 413, `"${'a'.repeat(17 << 20)}"`, { 'content-type': 'application/json' }],
  ])('answers %s with a problem, status %i', async (_name, status, body, headers) => {
    const answer = await call('POST', '/v1/endpoints/door/predict', body, headers);
    expect([answer.status, answer.body['status']]).toEqual([status, status]);
  });

  it('knows what is not there', async () => {
    expect((await call('POST', '/v1/endpoints/gate/predict', { inputs: [{ k: 'a' }] })).status).toBe(404);
    expect((await call('POST', '/v1/sources/taps/push', { rows: [] })).status).toBe(404);
    expect((await call('POST', '/v1/features/read', { service: 'none', rows: [] })).status).toBe(404);
    expect((await call('GET', '/v1/nothing')).body).toMatchObject({ status: 404, code: 'HR_UNKNOWN_ROUTE' });
  });
});

describe('traffic', () => {
  const weights = (stable: number, candidate: number) => ({
    variants: [
      { name: 'stable', version: 1, weight: stable },
      { name: 'candidate', version: 2, weight: candidate },
    ],
  });

  it('is changed by whoever has the current ETag, to weights that sum to 100', async () => {
    const etag = (await call('GET', '/v1/endpoints/door')).headers.get('etag') ?? '';
    expect((await call('PUT', '/v1/endpoints/door', weights(70, 40), { 'if-match': etag })).status).toBe(400);
    const changed = await call('PUT', '/v1/endpoints/door', weights(70, 30), { 'if-match': etag });
    expect([changed.status, changed.headers.get('etag') === etag]).toEqual([200, false]);
    expect((await call('PUT', '/v1/endpoints/door', weights(50, 50), { 'if-match': etag })).status).toBe(412);
    expect((await call('GET', '/v1/endpoints/door')).body).toMatchObject(weights(70, 30));
  });

  it('splits units by weight, the same unit always to the same variant', async () => {
    const inputs = Array.from({ length: 2000 }, (_, i) => ({ k: `user-${i}`, amount: 1 }));
    const variants = async () =>
      ((await predict(inputs)).body['predictions'] as { variant: string }[]).map(({ variant }) => variant);
    const [before, again] = [await variants(), await variants()];
    expect(again).toEqual(before);
    // 600 expected; five standard deviations are 102.
    expect(Math.abs(before.filter((name) => name === 'candidate').length - 600)).toBeLessThan(102);
  });
});

it('takes an outcome once or more', async () => {
  const { body } = await predict([{ k: 'ada', amount: 1 }]);
  const [{ prediction_id }] = body['predictions'] as [{ prediction_id: string }];
  const outcome = { outcomes: [{ prediction_id, value: 1, observed_at: minutesAgo(0) }] };
  for (let i = 0; i < 2; i++) expect((await call('POST', '/v1/endpoints/door/outcomes', outcome)).status).toBe(200);
  const bad = { outcomes: [{ prediction_id, value: 1, observed_at: 'soon' }] };
  expect((await call('POST', '/v1/endpoints/door/outcomes', bad)).body).toMatchObject({
    status: 400,
    errors: [{ path: 'outcomes[0].observed_at' }],
  });
});

it('shows its routes, its health and its counts', async () => {
  expect(Object.keys((await call('GET', '/openapi.json')).body['paths'] as object)).toEqual(
    expect.arrayContaining(['/v1/endpoints/door/predict', '/v1/features/read', '/v1/sources/clicks/push']),
  );
  for (const path of ['/docs', '/health/live', '/health/ready']) expect((await call('GET', path)).status).toBe(200);
  expect((await call('GET', '/metrics')).text).toContain('headrace_requests_total{endpoint="door"}');
});

describe('wrong words', () => {
  it.each([
    [['rollouts', '--help']],
    [['--json']],
    [['models', 'lst', '--json']],
    [['models', 'list', '--nope', '--json']],
  ])('are wrong usage: %j', (args) => {
    const { code, stdout } = headrace(project, args);
    expect(code).toBe(2);
    if (args.includes('--json')) expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'HR_USAGE' } });
    else expect(stdout).toBe('');
  });

  it('takes --json before the command’s last word too', () => {
    const { stdout } = headrace(project, ['models', '--json', 'list']);
    expect(JSON.parse(stdout)).toMatchObject({ models: [{ name: 'score', versions: 2 }] });
  });

  it('refuses a model file that was cut', () => {
    const { code, stdout } = headrace(project, ['models', 'register', 'score', 'cut.onnx', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'HR_MODEL_UNREADABLE' } });
  });
});
