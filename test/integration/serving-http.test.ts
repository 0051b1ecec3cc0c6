// The native API: answers, bad input, headers, ETags; requests are injected, so no socket stands between.

import type { InjectOptions } from 'fastify';
import { describe, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { openForAll } from '../support/open-for.ts';

const settings = { HEADRACE_SERVER_BODY_LIMIT: '64KB', HEADRACE_SERVER_MAX_ROWS: '100' };
const second = { model: 'returns', onnx: Buffer.from(constantModel(4, 0.75)) };
const open = openForAll({ settings, serve: { hasDocs: true } }, ({ app }) => registerModelFile(app, second));

const CHECKOUT = '/v1/endpoints/checkout';
const PREDICT = `${CHECKOUT}/predict`;
const READ = '/v1/features/read';
const PUSH = '/v1/sources/purchases/push';
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

const inject = (asked: InjectOptions | string) => open.serving.server.inject(asked);
const send = (url: string, body: unknown, more: Record<string, string> = {}, method: 'POST' | 'PUT' = 'POST') => {
  const headers = { 'content-type': 'application/json', ...more };
  return inject({ method, url, headers, payload: typeof body === 'string' ? body : JSON.stringify(body) });
};
const predict = (inputs: readonly object[], headers: Record<string, string> = {}, options?: object) =>
  send(PREDICT, { inputs, options }, headers);
const push = (rows: readonly object[], headers: Record<string, string> = {}) => send(PUSH, { rows }, headers);
const ADA = [{ customer: 'ada' }];
const soon = (ms = -1000): string => new Date(Date.now() + ms).toISOString();

describe('predict', () => {
  it('answers each input in order, with the model, version and variant that served it', async () => {
    const response = await predict([
      { customer: 'ada', amount: 30 },
      { customer: 'bob', amount: 60 },
    ]);
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toContain('application/json');
    const { endpoint, predictions } = response.json();
    expect([endpoint, predictions.length]).toEqual(['checkout', 2]);
    const by = { model: 'returns', version: 1, variant: 'stable' };
    expect(predictions[0]).toMatchObject({ outputs: { probability: 0.25 }, ...by });
    expect(predictions[0]).not.toHaveProperty('features');
    expect(new Set(predictions.map((one: { prediction_id: string }) => one.prediction_id)).size).toBe(2);
  });

  it.each([
    [PREDICT, '{"inputs":[{"customer":"ada"}]}', 200, '01'],
    [PREDICT, '{"inputs":[', 400, '00'],
    [PREDICT, '[]', 400, '00'],
    [READ, '{}', 400, '01'],
    ['/v1/nothing', '{}', 404, '00'],
  ])('says which request and trace an answer belongs to: %s %s', async (url, body, status, flags) => {
    const traceparent = `00-${TRACE}-${PARENT}-${flags}`;
    const { headers, statusCode, json } = await send(url, body, { 'x-request-id': 'abc-2', traceparent });
    expect([statusCode, headers['x-request-id']]).toEqual([status, 'abc-2']);
    if (status !== 200) expect(json()).toMatchObject({ request_id: 'abc-2' });
    expect(headers['traceparent']).toMatch(new RegExp(`^00-${TRACE}-(?!${PARENT})[0-9a-f]{16}-${flags}$`));
  });

  it('takes no trace from what is none, and the first version’s part of a later one', async () => {
    const OWN_ID = new RegExp(`^${process.pid.toString(36)}-[0-9a-z]+$`);
    const answered = async (traceparent: string) => {
      const { statusCode, headers } = await predict(ADA, { traceparent });
      expect(statusCode).toBe(200);
      expect(headers['x-request-id']).toMatch(OWN_ID);
      return headers['traceparent'];
    };
    for (const none of ['ff-xyz', `ff-${TRACE}-${PARENT}-01`, `00-${TRACE}-${'0'.repeat(16)}-01`])
      expect(await answered(none)).toBeUndefined();
    expect(await answered(`00-${TRACE}-${PARENT}-01-more`)).toBeUndefined();
    expect(await answered(`01-${TRACE}-${PARENT}-03-more`)).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
  });

  it('is refused with a deadline that is none', async () => {
    const refused = await predict(ADA, { 'x-request-timeout-ms': '9'.repeat(100) });
    const message = `expected whole milliseconds from 1 to 3600000, got "${'9'.repeat(80)}…"`;
    expect(refused.json()).toMatchObject({ status: 400, errors: [{ path: 'X-Request-Timeout-Ms', message }] });
  });
});

describe('bad input', () => {
  const [JSON_, INVALID, MEDIA, LARGE] = ['MALFORMED_JSON', 'INVALID', 'UNSUPPORTED_MEDIA', 'TOO_LARGE'];
  const EMPTY = 'the body is empty; it must be JSON.';
  const typed = (type: string) => ({ headers: { 'content-type': type } });
  const long = JSON.stringify({ inputs: [{ customer: 'x'.repeat(70_000) }] });
  const tooLong = 'limit of 64000 bytes (server.bodyLimit): 70028 are announced. Send fewer rows or shorter values,';
  const to = (url: string) => ({ url: `/v1/${url}` });
  const put = { method: 'PUT', url: CHECKOUT } as const;
  const version = (of: unknown) => JSON.stringify({ variants: [{ name: 'a', version: of, weight: 100 }] });
  it.each<[string, string, number, string | undefined, string, InjectOptions?]>([
    ['malformed JSON', '{"inputs":[', 400, JSON_, 'not JSON'],
    ['an empty body', '', 400, JSON_, EMPTY],
    ['a blank body', ' \n', 400, JSON_, EMPTY],
    ['NaN as JSON has no word for it', '{"inputs":[{"customer":"a","amount":NaN}]}', 400, JSON_, 'not JSON'],
    ['a body that is no object', '[1]', 400, INVALID, 'expected an object'],
    ['no inputs', '{}', 400, INVALID, 'inputs: expected an array'],
    ['no rows', '{"inputs":[]}', 400, INVALID, 'at least one row'],
    ['a row that is no object', '{"inputs":[{"customer":"a"},7]}', 400, INVALID, 'inputs[1]: expected an object'],
    ['a wrong type', '{"inputs":[{"customer":7}]}', 400, INVALID, 'inputs[0].customer: expected string, got number 7'],
    ['an unknown option', '{"inputs":[{}],"options":{"all":true}}', 400, INVALID, 'options.all'],
    ['an unknown member', '{"service":"numbers","rows":[],"row":1}', 400, INVALID, 'row', to('features/read')],
    ['another media type', 'a', 415, MEDIA, 'must be application/json, got "text/csv"', typed('text/csv')],
    ['a long media type', 'a', 415, MEDIA, `got "text/${'x'.repeat(75)}…"`, typed(`text/${'x'.repeat(200)}`)],
    ['a blank media type', 'a', 415, MEDIA, 'must be application/json, got ""', typed('')],
    ['a body over the limit', long, 413, LARGE, tooLong],
    ['too many rows', JSON.stringify({ inputs: Array.from({ length: 101 }, () => ({})) }), 413, LARGE, '101 rows'],
    ['an unknown endpoint', '{}', 404, 'UNKNOWN_ENDPOINT', 'mean "checkout"?', to('endpoints/chekout/predict')],
    ['one of the prototype', '{}', 404, 'UNKNOWN_ENDPOINT', 'constructor', to('endpoints/constructor/predict')],
    ['an unknown route', '{}', 404, 'UNKNOWN_ROUTE', 'POST /v1/nothing', to('nothing')],
    [
      'an unknown service',
      '{"service":"nubers","rows":[]}',
      404,
      'UNKNOWN_SERVICE',
      'mean "numbers"?',
      to('features/read'),
    ],
    ['an unknown source', '{"rows":[]}', 404, 'UNKNOWN_SOURCE', 'mean "purchases"?', to('sources/purchase/push')],
    ['an unknown version', version(9), 404, 'UNKNOWN_MODEL', '9', put],
    ['an unknown alias', version('champoin'), 404, 'UNKNOWN_MODEL', 'It has versions 1 to 2; aliases ', put],
  ])('%s is a problem document that says what to do', async (_name, payload, status, code, says, more = {}) => {
    const headers = { 'content-type': 'application/json', ...more.headers };
    const response = await inject({ method: 'POST', url: PREDICT, payload, ...more, headers });
    expect([response.statusCode, response.headers['content-type']]).toEqual([status, 'application/problem+json']);
    const detail: unknown = expect.stringContaining(says);
    expect(response.json()).toMatchObject({ status, code: `HR_${code}`, detail, title: expect.stringMatching(/./) });
    expect(response.body).not.toMatch(/\n\s+at |node_modules/);
  });

  it.each([
    ['GET', READ, 'POST'],
    ['DELETE', CHECKOUT, 'GET, PUT'],
    ['POST', '/', 'GET'],
  ] as const)('names the methods that a path takes: %s %s', async (method, url, allowed) => {
    const answer = await inject({ method, url });
    expect(answer.json()).toMatchObject({ status: 405, code: 'HR_METHOD_NOT_ALLOWED' });
    expect(String(answer.headers['allow']).split(', ').sort().join(', ')).toBe(allowed);
  });

  it('refuses a member that is no column in a row that lacks one, and names both', async () => {
    const mistakes = async (answer: ReturnType<typeof send>) => {
      const { statusCode, body } = await answer;
      const { code, errors } = JSON.parse(body) as { code: string; errors: { path: string; message: string }[] };
      expect([statusCode, code]).toEqual([400, 'HR_INVALID']);
      return errors;
    };
    const message = 'no such column; the row lacks "amount"; its other columns are "customer". Did you mean "amount"?';
    expect(await mistakes(predict([{ customer: 'ada', amont: 5 }]))).toEqual([{ path: 'inputs[0].amont', message }]);
    const rows = [{ cust: 'ada', amount: 1 }];
    expect(await mistakes(send(READ, { service: 'shop_features', rows }))).toMatchObject([
      { path: 'rows[0].customer', message: expect.stringMatching(/^expected string, got nothing/) },
      { path: 'rows[0].cust', message: expect.stringMatching(/Did you mean "customer"\?$/) },
    ]);
    const pushed = push([{ custmer: 'typo', amount: 1, points: 1, bought_at: soon() }]);
    expect(await mistakes(pushed)).toMatchObject([{ path: 'rows[0].custmer' }]);
  });

  it('takes a derived column in a push, which rows that were read elsewhere may carry', async () => {
    expect((await push([{ customer: 'dan', amount: 1, is_big: 0, bought_at: soon() }])).statusCode).toBe(200);
  });

  it('takes NaN as text for a float, and a number beyond 2^53 for an int64', async () => {
    expect((await predict([{ customer: 'ada', amount: 'NaN' }])).statusCode).toBe(200);
    const pushPoints = (points: string, at: string) =>
      send(PUSH, `{"rows":[{"customer":"big","points":${points},"amount":1,"bought_at":"${at}"}]}`);
    const early = await pushPoints('9007199254740993', '2026-01-01T00:00:00Z');
    expect(early.json()).toMatchObject({ accepted: 1, duplicate: false, durable: { disk: true, replicas: 0 } });
    expect((await pushPoints('9007199254740993', soon(-60_000))).statusCode).toBe(200);
    const read = await send(READ, { service: 'shop_features', rows: [{ customer: 'big' }] });
    expect(read.body).toContain('"history__last_points":9007199254740993');
    expect((await pushPoints('9223372036854775808', '2026-01-01T00:00:00Z')).statusCode).toBe(400);
  });

  it.each([
    [PREDICT, (value: string) => `{"inputs":[{"customer":${value}}]}`],
    [READ, (value: string) => `{"service":"numbers","rows":[{"customer":${value}}]}`],
    [PUSH, (value: string) => `{"rows":[{"customer":${value}}]}`],
    [`${CHECKOUT}/outcomes`, (value: string) => `{"outcomes":[{"value":${value}}]}`],
  ])('is a 400 of %s where it is nested beyond all use, with and without numbers of many digits', async (url, body) => {
    const deep = (inside: string) => send(url, body('['.repeat(8000) + inside + ']'.repeat(8000)));
    expect((await deep('"x"')).json()).toMatchObject({ status: 400, code: 'HR_INVALID' });
    expect((await deep('12345678901234567890')).statusCode).toBe(400);
  });
});

describe('pushing', () => {
  it('changes what the next read answers, and counts a repeated Idempotency-Key once', async () => {
    const bought_at = soon();
    const pushed = async (amount: number) =>
      (await push([{ customer: 'cy', amount, bought_at }], { 'idempotency-key': 'one' })).json();
    expect(await pushed(12)).toMatchObject({ accepted: 1, duplicate: false });
    expect(await pushed(12)).toMatchObject({ accepted: 1, duplicate: true });
    const { rows } = (await send(READ, { service: 'numbers', rows: [{ customer: 'cy', amount: 24 }] })).json();
    const history = { history__purchases_1d: 1, history__mean_7d: 12, history__big_7d: 0 };
    expect(rows[0].features).toEqual({ ...history, basket__ratio: 2 });
    expect(await pushed(13)).toMatchObject({ status: 422, code: 'HR_IDEMPOTENCY' });
  });

  it('keeps nothing of a batch with one wrong row', async () => {
    const row = { customer: 'dee', amount: 1 };
    const response = await push([{ ...row, bought_at: soon() }, row]);
    expect(response.json()).toMatchObject({ status: 400, errors: [{ path: 'rows[1].bought_at' }] });
    const { rows } = (await send(READ, { service: 'numbers', rows: [{ customer: 'dee' }] })).json();
    expect(rows[0].features.history__purchases_1d).toBe(0);
  });
});

describe('endpoints', () => {
  it('change only for who saw the current ETag', async () => {
    const stable = { name: 'stable', version: 1, weight: 100 };
    const shown = await inject(CHECKOUT);
    const etag = String(shown.headers['etag']);
    const told = { name: 'checkout', model: 'returns', unit: ['customer'], variants: [stable] };
    expect(shown.json()).toMatchObject(told);
    const put = (variants: unknown, ifMatch: unknown) =>
      send(CHECKOUT, { variants }, { 'if-match': String(ifMatch) }, 'PUT');
    const half = [
      { ...stable, weight: 50 },
      { name: 'candidate', version: 2, weight: 50 },
    ];
    const changed = await put(half, etag);
    expect(changed.statusCode).toBe(200);
    expect(changed.headers['etag']).not.toBe(etag);
    expect((await put(half, etag)).json()).toMatchObject({ status: 412, code: 'HR_PRECONDITION' });

    const inputs = Array.from({ length: 100 }, (_, at) => ({ customer: `c${at}` }));
    type Told = { readonly variant: string; readonly outputs: { readonly probability: number } };
    const predicted = async () => (await predict(inputs)).json().predictions as readonly Told[];
    const first = await predicted();
    expect((await predicted()).map(({ variant }) => variant)).toEqual(first.map(({ variant }) => variant));
    const candidates = first.filter(({ variant }) => variant === 'candidate').length;
    expect(candidates).toBeGreaterThan(25);
    expect(candidates).toBeLessThan(75);
    for (const { variant, outputs } of first) expect(outputs.probability).toBe(variant === 'candidate' ? 0.75 : 0.25);
    const latest = await put([{ ...stable, version: 'latest' }], changed.headers['etag']);
    expect(latest.json()).toMatchObject({ variants: [{ ...stable, version: 2 }] });
    expect((await put([stable], latest.headers['etag'])).statusCode).toBe(200);
  });
});

describe('looking at the server', () => {
  it('tells health, metrics and its own description', async () => {
    expect((await inject('/health/live')).json()).toEqual({ status: 'live' });
    expect((await inject('/health/ready')).json()).toMatchObject({
      status: 'ready',
      endpoints: [{ endpoint: 'checkout', state: 'serving', reason: null, served: [1], wanted: [1] }],
    });
    const metrics = await inject('/metrics');
    expect(metrics.headers['content-type']).toContain('text/plain');
    expect(metrics.body).toMatch(/endpoint="checkout"/);
    const { paths, openapi } = (await inject('/openapi.json')).json();
    expect(openapi).toMatch(/^3\./);
    const some = [PREDICT, READ, PUSH, '/v1/monitoring/stream', '/metrics'];
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(some));
    expect((await inject('/docs/')).statusCode).toBe(200);
  });

  it('streams live figures by endpoint and variant', async () => {
    const controller = new AbortController();
    const response = await fetch(`${open.serving.url}/v1/monitoring/stream`, { signal: controller.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const text = Buffer.from((await reader.read()).value ?? []).toString();
    controller.abort();
    expect(text).toMatch(/^event: stats\ndata: \{.*"checkout".*\}\n\n/s);
  });
});
