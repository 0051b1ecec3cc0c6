// The native API: answers, bad input, headers, ETags; requests are injected, so no socket stands between.

import { connect } from 'node:net';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, openApp, readEnvironment } from '../../src/app/index.ts';
import { type Serving, serveInProcess } from '../../src/app/serve-worker.ts';
import { silentLogger } from '../../src/core/index.ts';
import { createServingProject, type Project } from '../support/serving-project.ts';

let project: Project;
let app: App;
let serving: Serving;
let server: FastifyInstance;

beforeAll(async () => {
  project = createServingProject();
  const environment = {
    ...readEnvironment({ HEADRACE_SERVER_BODY_LIMIT: '64KB', HEADRACE_SERVER_MAX_ROWS: '100' }),
    workingDirectory: project.directory,
  };
  app = await openApp({ environment, logger: silentLogger });
  serving = await serveInProcess(app, { host: '127.0.0.1', port: 0 });
  server = serving.server;
}, 60_000);
afterAll(async () => {
  await serving.stop();
  await app.close();
  project.remove();
});

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  server.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json', ...headers },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  });
const predict = (body: unknown, headers: Record<string, string> = {}) =>
  post('/v1/endpoints/checkout/predict', body, headers);

describe('predict', () => {
  it('answers each input in order, with the model, version and variant that served it', async () => {
    const response = await predict({
      inputs: [
        { customer: 'ada', amount: 30 },
        { customer: 'bob', amount: 60 },
      ],
    });
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toContain('application/json');
    const body = response.json();
    expect(body.endpoint).toBe('checkout');
    expect(body.predictions).toHaveLength(2);
    expect(body.predictions[0]).toMatchObject({
      outputs: { probability: 0.25 },
      model: 'returns',
      version: 1,
      variant: 'stable',
    });
    expect(body.predictions[0]).not.toHaveProperty('features');
    expect(new Set(body.predictions.map((one: { prediction_id: string }) => one.prediction_id)).size).toBe(2);
  });

  it('returns features and statuses when asked', async () => {
    const body = (
      await predict({
        inputs: [
          { customer: 'ada', amount: 30 },
          { customer: 'eve', amount: 1 },
        ],
        options: { return_features: true },
      })
    ).json();
    expect(body.predictions[0]).toMatchObject({
      features: { history__purchases_1d: 2, history__mean_7d: 15, history__big_7d: 1, basket__ratio: 2 },
      statuses: { history__mean_7d: 'PRESENT', basket__ratio: 'PRESENT' },
    });
    expect(body.predictions[1]).toMatchObject({
      features: { history__purchases_1d: 0, history__mean_7d: null, basket__ratio: null },
      statuses: { history__mean_7d: 'NOT_FOUND', basket__ratio: 'NULL_VALUE' },
    });
  });

  it('echoes X-Request-Id and continues the trace', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const response = await predict({ inputs: [{ customer: 'ada' }] }, { 'x-request-id': 'abc-1', traceparent });
    expect(response.headers['x-request-id']).toBe('abc-1');
    expect(response.headers['traceparent']).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(response.headers['traceparent']).not.toBe(traceparent);
    expect((await predict({ inputs: [{ customer: 'ada' }] })).headers['x-request-id']).toBeTruthy();
  });

  it('says which request and trace an error belongs to, whatever the route', async () => {
    const headers = { 'x-request-id': 'abc-2', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' };
    for (const [url, body] of [
      ['/v1/endpoints/checkout/predict', '{"inputs":['],
      ['/v1/endpoints/checkout/predict', '[]'],
      ['/v1/features/read', '{}'],
      ['/v1/nothing', '{}'],
    ] as const) {
      const response = await post(url, body, headers);
      expect(response.statusCode).toBeGreaterThanOrEqual(400);
      expect(response.json()).toMatchObject({ request_id: 'abc-2' });
      expect(response.headers['x-request-id']).toBe('abc-2');
      expect(response.headers['traceparent']).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/);
    }
    const foreign = await predict({ inputs: [{ customer: 'ada' }] }, { traceparent: 'ff-xyz' });
    expect(foreign.statusCode).toBe(200);
    expect(foreign.headers['traceparent']).toBeUndefined();
    const [trace, parent] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
    for (const none of [
      `ff-${trace}-${parent}-01`,
      `00-${trace}-${'0'.repeat(16)}-01`,
      `00-${trace}-${parent}-01-more`,
    ])
      expect(
        (await predict({ inputs: [{ customer: 'ada' }] }, { traceparent: none })).headers['traceparent'],
      ).toBeUndefined();
    const later = await predict({ inputs: [{ customer: 'ada' }] }, { traceparent: `01-${trace}-${parent}-03-more` });
    expect(later.headers['traceparent']).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
  });

  it('gives up at the deadline', async () => {
    for (const [asked, shown] of [
      ['0', '0'],
      ['5s', '5s'],
      ['9'.repeat(100), `${'9'.repeat(80)}…`],
    ] as const) {
      const refused = await predict({ inputs: [{ customer: 'ada' }] }, { 'x-request-timeout-ms': asked });
      expect(refused.statusCode).toBe(400);
      expect(refused.json().errors).toEqual([
        {
          path: 'X-Request-Timeout-Ms',
          message: `expected whole milliseconds from 1 to 3600000, got "${shown}"`,
        },
      ]);
    }
    expect((await predict({ inputs: [{ customer: 'ada' }] }, { 'x-request-timeout-ms': '5000' })).statusCode).toBe(200);
  });
});

describe('bad input', () => {
  it.each<[string, InjectOptions, number, string, string]>([
    ['malformed JSON', { payload: '{"inputs":[' }, 400, 'HR_MALFORMED_JSON', 'not JSON'],
    ['an empty body', { payload: '' }, 400, 'HR_MALFORMED_JSON', 'the body is empty; it must be JSON.'],
    ['a blank body', { payload: ' \n' }, 400, 'HR_MALFORMED_JSON', 'the body is empty; it must be JSON.'],
    ['a body that is no object', { payload: '[1]' }, 400, 'HR_INVALID', 'expected an object'],
    ['no inputs', { payload: '{}' }, 400, 'HR_INVALID', 'inputs: expected an array'],
    ['no rows', { payload: '{"inputs":[]}' }, 400, 'HR_INVALID', 'at least one row'],
    [
      'a row that is no object',
      { payload: '{"inputs":[{"customer":"a"},7]}' },
      400,
      'HR_INVALID',
      'inputs[1]: expected an object',
    ],
    [
      'a wrong type',
      { payload: '{"inputs":[{"customer":"a"},{"customer":"b","amount":"5"}]}' },
      400,
      'HR_INVALID',
      'inputs[1].amount: expected float64, got string "5"',
    ],
    [
      'NaN as JSON has no word for it',
      { payload: '{"inputs":[{"customer":"a","amount":NaN}]}' },
      400,
      'HR_MALFORMED_JSON',
      'not JSON',
    ],
    [
      'an unknown option',
      { payload: '{"inputs":[{}],"options":{"return_featurs":true}}' },
      400,
      'HR_INVALID',
      'options.return_featurs',
    ],
    [
      'another media type',
      { payload: 'a=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      'HR_UNSUPPORTED_MEDIA',
      'must be application/json, got "application/x-www-form-urlencoded"',
    ],
    [
      'a long media type',
      { payload: 'a=1', headers: { 'content-type': `text/${'x'.repeat(200)}` } },
      415,
      'HR_UNSUPPORTED_MEDIA',
      `got "text/${'x'.repeat(75)}…"`,
    ],
    [
      'a blank media type',
      { payload: 'a=1', headers: { 'content-type': '' } },
      415,
      'HR_UNSUPPORTED_MEDIA',
      'must be application/json, got ""',
    ],
    [
      'a body over the limit',
      { payload: JSON.stringify({ inputs: [{ customer: 'x'.repeat(70_000) }] }) },
      413,
      'HR_TOO_LARGE',
      'limit of 64000 bytes (server.bodyLimit): 70028 are announced. Send fewer rows or shorter values,',
    ],
    [
      'too many rows',
      { payload: JSON.stringify({ inputs: Array.from({ length: 101 }, () => ({})) }) },
      413,
      'HR_TOO_LARGE',
      '101 rows',
    ],
    [
      'an unknown endpoint',
      { url: '/v1/endpoints/chekout/predict', payload: '{"inputs":[{}]}' },
      404,
      'HR_UNKNOWN_ENDPOINT',
      'Did you mean "checkout"?',
    ],
    ['an unknown route', { url: '/v1/nothing', payload: '{}' }, 404, 'HR_UNKNOWN_ROUTE', 'POST /v1/nothing'],
    [
      'an unknown service',
      { url: '/v1/features/read', payload: '{"service":"nubers","rows":[]}' },
      404,
      'HR_UNKNOWN_SERVICE',
      'Did you mean "numbers"?',
    ],
    [
      'an unknown source',
      { url: '/v1/sources/purchase/push', payload: '{"rows":[]}' },
      404,
      'HR_UNKNOWN_SOURCE',
      'Did you mean "purchases"?',
    ],
    [
      'a name from the prototype',
      { url: '/v1/endpoints/constructor/predict', payload: '{"inputs":[{}]}' },
      404,
      'HR_UNKNOWN_ENDPOINT',
      'constructor',
    ],
    [
      'an unknown member',
      { url: '/v1/features/read', payload: '{"service":"numbers","rows":[],"row":1}' },
      400,
      'HR_INVALID',
      'row',
    ],
    [
      'a wrong weight',
      {
        method: 'PUT',
        url: '/v1/endpoints/checkout',
        payload: '{"variants":[{"name":"a","version":1,"weight":"90"}]}',
      },
      400,
      'HR_INVALID',
      'variants[0].weight',
    ],
    [
      'weights that do not sum to 100',
      { method: 'PUT', url: '/v1/endpoints/checkout', payload: '{"variants":[{"name":"a","version":1,"weight":90}]}' },
      400,
      'HR_INVALID',
      '100',
    ],
    [
      'an unknown version',
      { method: 'PUT', url: '/v1/endpoints/checkout', payload: '{"variants":[{"name":"a","version":9,"weight":100}]}' },
      404,
      'HR_UNKNOWN_MODEL',
      '9',
    ],
    [
      'an unknown alias',
      {
        method: 'PUT',
        url: '/v1/endpoints/checkout',
        payload: '{"variants":[{"name":"a","version":"champoin","weight":100}]}',
      },
      404,
      'HR_UNKNOWN_MODEL',
      'It has versions 1 to 2; aliases ',
    ],
    [
      'a version that is none',
      { method: 'PUT', url: '/v1/endpoints/checkout', payload: '{"variants":[{"name":"a","version":0,"weight":100}]}' },
      400,
      'HR_INVALID',
      'variants[0].version',
    ],
  ])('%s is a problem document that says what to do', async (_name, options, status, code, says) => {
    const response = await server.inject({
      method: 'POST',
      url: '/v1/endpoints/checkout/predict',
      ...options,
      headers: { 'content-type': 'application/json', ...options.headers },
    });
    expect({ status: response.statusCode, type: response.headers['content-type'] }).toEqual({
      status,
      type: 'application/problem+json',
    });
    const problem = response.json();
    expect(problem).toMatchObject({ status, code, detail: expect.stringContaining(says) });
    expect(problem.title).toBeTruthy();
    expect(response.body).not.toMatch(/\n\s+at |node_modules/);
  });

  it('names the methods that a path takes', async () => {
    const wrong = await server.inject('/v1/features/read');
    expect(wrong.json()).toMatchObject({ status: 405, code: 'HR_METHOD_NOT_ALLOWED' });
    expect(wrong.headers).toMatchObject({ allow: 'POST', 'content-type': 'application/problem+json' });
    const removed = await server.inject({ method: 'DELETE', url: '/v1/endpoints/checkout' });
    expect(removed.statusCode).toBe(405);
    expect(String(removed.headers['allow']).split(', ').sort()).toEqual(['GET', 'PUT']);
  });

  it('is answered with a problem even when it is no HTTP', async () => {
    const { port, hostname } = new URL(serving.url);
    const socket = connect(Number(port), hostname, () => socket.write('HELLO\r\n\r\n'));
    let text = '';
    for await (const part of socket.setEncoding('utf8')) text += String(part);
    expect(text).toMatch(/^HTTP\/1\.1 400 .*content-type: application\/problem\+json\r\n.*"code":"HR_INVALID"/s);
  });

  it('is told for every row and column at once', async () => {
    const { errors } = (await predict({ inputs: [{ customer: 1 }, { customer: 'a', amount: true }] })).json();
    expect(errors.map((error: { path: string }) => error.path)).toEqual(['inputs[0].customer', 'inputs[1].amount']);
  });

  it('refuses a member that is no column in a row that lacks one, and names both', async () => {
    const response = await predict({ inputs: [{ customer: 'ada', amont: 5 }] });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      code: 'HR_INVALID',
      errors: [
        {
          path: 'inputs[0].amont',
          message: 'no such column; the row lacks "amount"; its other columns are "customer". Did you mean "amount"?',
        },
      ],
    });
    const read = await post('/v1/features/read', { service: 'shop_features', rows: [{ cust: 'ada', amount: 1 }] });
    expect(read.json()).toMatchObject({
      code: 'HR_INVALID',
      errors: [
        { path: 'rows[0].customer', message: expect.stringMatching(/^expected string, got nothing/) },
        { path: 'rows[0].cust', message: expect.stringMatching(/Did you mean "customer"\?$/) },
      ],
    });
    const now = new Date(Date.now() - 1000).toISOString();
    const pushed = await post('/v1/sources/purchases/push', {
      rows: [{ custmer: 'typo', amount: 1, points: 1, bought_at: now }],
    });
    expect(pushed.json()).toMatchObject({ code: 'HR_INVALID', errors: [{ path: 'rows[0].custmer' }] });
  });

  it('takes rows with more members, and rows that lack optional ones, but for both at once', async () => {
    const inputs = [
      { customer: 'ada', amount: 1, note: 'more' },
      { customer: 'ada' },
      { customer: 'ada', amount: null },
    ];
    expect((await predict({ inputs })).statusCode).toBe(200);
    // A derived column is no typo: rows read elsewhere may carry it.
    const now = new Date(Date.now() - 1000).toISOString();
    const rows = [{ customer: 'dan', amount: 1, is_big: 0, bought_at: now }];
    expect((await post('/v1/sources/purchases/push', { rows })).statusCode).toBe(200);
  });

  it('takes NaN as text for a float, and a number beyond 2^53 for an int64', async () => {
    expect((await predict({ inputs: [{ customer: 'ada', amount: 'NaN' }] })).statusCode).toBe(200);
    const pushed = await post(
      '/v1/sources/purchases/push',
      '{"rows":[{"customer":"big","points":9007199254740993,"amount":1,"bought_at":"2026-01-01T00:00:00Z"}]}',
    );
    expect(pushed.json()).toMatchObject({ accepted: 1, duplicate: false });
    const past = await post(
      '/v1/sources/purchases/push',
      `{"rows":[{"customer":"big","points":9007199254740993,"amount":1,"bought_at":"${new Date(Date.now() - 60_000).toISOString()}"}]}`,
    );
    expect(past.statusCode).toBe(200);
    expect((await post('/v1/features/read', { service: 'shop_features', rows: [{ customer: 'big' }] })).body).toContain(
      '"history__last_points":9007199254740993',
    );
    expect(
      (
        await post(
          '/v1/sources/purchases/push',
          '{"rows":[{"customer":"big","points":9223372036854775808,"bought_at":"2026-01-01T00:00:00Z"}]}',
        )
      ).statusCode,
    ).toBe(400);
  });
});

describe('pushing', () => {
  it('counts rows that match nothing', async () => {
    const rows = [
      { customer: null, amount: 1, points: 1, bought_at: '2026-11-20T10:00:00Z' },
      { customer: 'counted', amount: 1, points: 1, bought_at: '2026-11-20T10:00:00Z' },
    ];
    const response = await post('/v1/sources/purchases/push', { rows });
    expect(response.json()).toEqual({
      accepted: 2,
      duplicate: false,
      views: [{ view: 'history', written: 1, covered: 0, ignored: 1 }],
    });
  });

  it('refuses times that no clock here reaches soon', async () => {
    const rows = [{ customer: 'fay', amount: 1, bought_at: new Date(Date.now() + 3 * 86_400_000).toISOString() }];
    const response = await post('/v1/sources/purchases/push', { rows });
    expect(response.json()).toMatchObject({
      status: 400,
      errors: [{ path: 'rows[0].bought_at', message: expect.stringContaining('pushLog.maxAhead') }],
    });
    const far = await post('/v1/sources/purchases/push', { rows: [{ ...rows[0], bought_at: '9999-12-31T00:00:00Z' }] });
    expect(far.json()).toMatchObject({ status: 400, errors: [{ path: 'rows[0].bought_at' }] });
  });

  it('changes what the next read answers, and counts a repeated Idempotency-Key once', async () => {
    const now = new Date(Date.now() - 1000).toISOString();
    const push = () =>
      post(
        '/v1/sources/purchases/push',
        { rows: [{ customer: 'cy', amount: 12, bought_at: now }] },
        { 'idempotency-key': 'one' },
      );
    expect((await push()).json()).toMatchObject({ accepted: 1, duplicate: false });
    expect((await push()).json()).toMatchObject({ accepted: 1, duplicate: true });
    const { rows } = (
      await post('/v1/features/read', { service: 'numbers', rows: [{ customer: 'cy', amount: 24 }] })
    ).json();
    expect(rows[0].features).toEqual({
      history__purchases_1d: 1,
      history__mean_7d: 12,
      history__big_7d: 0,
      basket__ratio: 2,
    });
    const other = await post(
      '/v1/sources/purchases/push',
      { rows: [{ customer: 'cy', amount: 13, bought_at: now }] },
      { 'idempotency-key': 'one' },
    );
    expect(other.json()).toMatchObject({ status: 422, code: 'HR_IDEMPOTENCY' });
  });

  it('keeps nothing of a batch with one wrong row', async () => {
    const now = new Date(Date.now() - 1000).toISOString();
    const response = await post('/v1/sources/purchases/push', {
      rows: [
        { customer: 'dee', amount: 1, bought_at: now },
        { customer: 'dee', amount: 1 },
      ],
    });
    expect(response.json()).toMatchObject({ status: 400, errors: [{ path: 'rows[1].bought_at' }] });
    const { rows } = (await post('/v1/features/read', { service: 'numbers', rows: [{ customer: 'dee' }] })).json();
    expect(rows[0].features.history__purchases_1d).toBe(0);
  });
});

describe('endpoints', () => {
  it('change only for who saw the current ETag', async () => {
    const shown = await server.inject('/v1/endpoints/checkout');
    const etag = String(shown.headers['etag']);
    expect(shown.json()).toMatchObject({
      name: 'checkout',
      model: 'returns',
      unit: ['customer'],
      variants: [{ name: 'stable', version: 1, weight: 100 }],
    });
    const put = (variants: unknown, ifMatch: string) =>
      server.inject({
        method: 'PUT',
        url: '/v1/endpoints/checkout',
        headers: { 'if-match': ifMatch },
        payload: { variants },
      });
    const half = [
      { name: 'stable', version: 1, weight: 50 },
      { name: 'candidate', version: 2, weight: 50 },
    ];
    const changed = await put(half, etag);
    expect(changed.statusCode).toBe(200);
    expect(changed.headers['etag']).not.toBe(etag);
    expect((await put(half, etag)).json()).toMatchObject({ status: 412, code: 'HR_PRECONDITION' });

    const inputs = Array.from({ length: 100 }, (_, at) => ({ customer: `c${at}` }));
    const first = (await predict({ inputs })).json().predictions as {
      variant: string;
      outputs: { probability: number };
    }[];
    const second = (await predict({ inputs })).json().predictions as { variant: string }[];
    expect(second.map(({ variant }) => variant)).toEqual(first.map(({ variant }) => variant));
    const candidates = first.filter(({ variant }) => variant === 'candidate');
    expect(candidates.length).toBeGreaterThan(25);
    expect(candidates.length).toBeLessThan(75);
    for (const { variant, outputs } of first) expect(outputs.probability).toBe(variant === 'candidate' ? 0.75 : 0.25);
    const latest = await put([{ name: 'stable', version: 'latest', weight: 100 }], String(changed.headers['etag']));
    expect(latest.json()).toMatchObject({ variants: [{ name: 'stable', version: 2, weight: 100 }] });
    expect((await put([{ name: 'stable', version: 1, weight: 100 }], String(latest.headers['etag']))).statusCode).toBe(
      200,
    );
  });

  it('take outcomes, and refuse what is none', async () => {
    const { predictions } = (await predict({ inputs: [{ customer: 'ada' }] })).json();
    const outcomes = [{ prediction_id: predictions[0].prediction_id, value: 1, observed_at: '2026-11-24T10:00:00Z' }];
    expect((await post('/v1/endpoints/checkout/outcomes', { outcomes })).json()).toEqual({ accepted: 1 });
    expect(
      (
        await post('/v1/endpoints/checkout/outcomes', {
          outcomes: [{ prediction_id: 'x', value: 1, observed_at: 'noon' }],
        })
      ).statusCode,
    ).toBe(400);
    expect((await post('/v1/endpoints/checkout/outcomes', { outcomes: [{ value: 1 }] })).json().errors[0].path).toBe(
      'outcomes[0].prediction_id',
    );
  });
});

describe('looking at the server', () => {
  it('tells health, metrics and its own description', async () => {
    expect((await server.inject('/health/live')).json()).toEqual({ status: 'live' });
    expect((await server.inject('/health/ready')).json()).toMatchObject({
      status: 'ready',
      endpoints: [{ endpoint: 'checkout', state: 'serving', reason: null, served: [1], wanted: [1] }],
    });
    const metrics = await server.inject('/metrics');
    expect(metrics.headers['content-type']).toContain('text/plain');
    expect(metrics.body).toMatch(/endpoint="checkout"/);
    const { paths, openapi } = (await server.inject('/openapi.json')).json();
    expect(openapi).toMatch(/^3\./);
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        '/v1/endpoints/checkout/predict',
        '/v1/features/read',
        '/v1/sources/purchases/push',
        '/v1/monitoring/stream',
        '/metrics',
      ]),
    );
    expect((await server.inject('/docs/')).statusCode).toBe(200);
  });

  it('streams live figures by endpoint and variant', async () => {
    const controller = new AbortController();
    const response = await fetch(`${serving.url}/v1/monitoring/stream`, { signal: controller.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const text = Buffer.from((await reader.read()).value ?? []).toString();
    controller.abort();
    expect(text).toMatch(/^event: stats\ndata: \{.*"checkout".*\}\n\n/s);
  });
});

describe('a body that is nested beyond all use', () => {
  const deep = (inside: string): string => '['.repeat(8000) + inside + ']'.repeat(8000);

  it.each([
    ['/v1/endpoints/checkout/predict', (value: string) => `{"inputs":[{"customer":${value}}]}`, 'HR_INVALID'],
    ['/v1/features/read', (value: string) => `{"service":"numbers","rows":[{"customer":${value}}]}`, 'HR_INVALID'],
    ['/v1/sources/purchases/push', (value: string) => `{"rows":[{"customer":${value}}]}`, 'HR_INVALID'],
    ['/v1/endpoints/checkout/outcomes', (value: string) => `{"outcomes":[{"value":${value}}]}`, 'HR_INVALID'],
  ])('is a 400 of %s, with and without numbers of many digits', async (url, body, code) => {
    const answer = await post(url, body(deep('"x"')), { 'idempotency-key': 'deep' });
    expect({ status: answer.statusCode, code: answer.json().code }).toEqual({ status: 400, code });
    const digits = await post(url, body(deep('12345678901234567890')), { 'idempotency-key': 'deep' });
    expect(digits.statusCode).toBe(400);
  });
});
