// headrace/client against a real server: every type there and back, and what its answers are.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient, HeadraceClientError } from '../../src/client/index.ts';
import { apiOfDocument } from '../../src/serving/index.ts';
import { ARROW_REPOSITORY } from '../support/arrow-shop.ts';
import { startFaultyProxy } from '../support/faulty-proxy.ts';
import { passThroughModel } from '../support/onnx-model.ts';
import { openServing, type OpenServing } from '../support/open-serving.ts';

const LARGE = 9_007_199_254_740_993n;
const NUMBERS = { small: -7, large: -9_223_372_036_854_775_808n, single: 0.5, double: Number.NaN };
const FULL = {
  ...NUMBERS,
  flag: true,
  name: 'ü "quoted"\n',
  code: Uint8Array.of(0, 255, 128),
  seen: '1969-12-31T23:59:59.999999Z',
  embedding: Float32Array.of(1.5, -2, 3),
  tags: ['a', null],
  counts: [LARGE, null, 1],
};
const AT = new Date(Date.now() - 60_000);

let open: OpenServing;
let client: Client;
beforeAll(async () => {
  open = await openServing({
    repository: ARROW_REPOSITORY,
    features: 1,
    onnx: passThroughModel([{ name: 'label__points', type: 'int64', shape: [null] }]),
  });
  client = createClient({ url: open.serving.url });
  const pushed = await client.push('facts', [
    { account: LARGE, ...FULL, at: AT },
    { account: 2, at: AT },
  ]);
  expect(pushed).toMatchObject({ accepted: 2, duplicate: false });
});
afterAll(() => open.close());

async function typed<I extends 'bigint' | 'number' | 'string'>(int64: I) {
  const api = apiOfDocument(await (await fetch(`${open.serving.url}/openapi.json`)).json());
  return createClient({ url: open.serving.url, api, int64 });
}

describe('values', () => {
  const rows = [{ account: LARGE }, { account: 2 }, { account: 3 }];
  const asJson = {
    known__flag: true,
    known__small: -7,
    known__large: '-9223372036854775808',
    known__single: 0.5,
    known__double: 'NaN',
    known__name: 'ü "quoted"\n',
    known__code: 'AP+A',
    known__seen: '1969-12-31T23:59:59.999999Z',
    known__embedding: [1.5, -2, 3],
    known__tags: ['a', null],
    known__counts: ['9007199254740993', null, '1'],
  };
  const asValues = {
    ...asJson,
    known__large: FULL.large,
    known__double: Number.NaN,
    known__code: FULL.code,
    known__embedding: FULL.embedding,
    known__counts: [LARGE, null, 1n],
  };

  it('of every type are as JSON has them where the client has no columns', async () => {
    const [full, empty, none] = await client.readMany('stored', rows);
    expect(full).toEqual({ features: asJson, statuses: {}, eventTimes: { known: AT.toISOString() } });
    expect(new Set(Object.values(empty?.features ?? {}))).toEqual(new Set([null]));
    expect(empty?.statuses).toMatchObject({ known__flag: 'NULL_VALUE' });
    expect(none).toMatchObject({ statuses: { known__flag: 'NOT_FOUND' }, eventTimes: { known: null } });
  });

  it('are those of TypeScript where it has them, by row and by column', async () => {
    const values = await typed('bigint');
    const [full, empty] = await values.readMany('stored', rows);
    expect(full?.features).toEqual(asValues);
    expect(empty?.features['known__large']).toBe(null);
    const columns = await values.readColumns('stored', rows);
    for (const [name, value] of Object.entries(asValues)) expect(columns.features[name]).toEqual([value, null, null]);
    expect(columns.statuses['known__flag']).toEqual(['PRESENT', 'NULL_VALUE', 'NOT_FOUND']);
    expect(columns.eventTimes['known']).toEqual([AT.toISOString(), AT.toISOString(), null]);
  });

  it('of int64 are text, or numbers as far as those are exact', async () => {
    const [asText, asNumbers] = await Promise.all([typed('string'), typed('number')]);
    const text = await asText.readFeatures('stored', { account: LARGE });
    expect(text.features).toMatchObject({ known__large: '-9223372036854775808', known__code: FULL.code });
    const small = await asNumbers.readFeatures('mixed', { account: 2 });
    expect(small.features['windows__facts_1d']).toBe(1);
    await expect(asNumbers.readFeatures('stored', { account: LARGE })).rejects.toMatchObject({
      code: 'HR_LOST_DIGITS',
      message: expect.stringContaining('rows[0].features.known__large is -9223372036854775808') as string,
    });
  });

  it('that a request carries come back as they went', async () => {
    const values = await typed('bigint');
    const sent = {
      r_flag: false,
      r_small: 3,
      r_large: 9_223_372_036_854_775_807n,
      r_single: Number.NEGATIVE_INFINITY,
      r_double: 1e300,
      r_name: '',
      r_code: new Uint8Array(70_000).fill(7),
      r_seen: new Date('2026-01-02T03:04:05.678Z'),
      r_embedding: [1, 2],
      r_tags: [],
      r_counts: [[1n, null], null, []],
    };
    const { features } = await values.readFeatures('all', { account: LARGE, ...sent });
    const back = { ...sent, r_seen: '2026-01-02T03:04:05.678Z', r_embedding: Float32Array.of(1, 2) };
    expect(features).toMatchObject(Object.fromEntries(Object.entries(back).map(([name, v]) => [`sent__${name}`, v])));
  });

  it('that JSON has no form of are named by row and column, before anything is sent', async () => {
    await expect(client.readMany('stored', [{ account: 1 }, { account: Symbol('x') }])).rejects.toMatchObject({
      code: 'HR_INVALID',
      attempts: 0,
      errors: [{ path: 'rows[1].account', message: 'expected a value of a column, got symbol' }],
    });
    await expect(client.predict('checkout', { points: new Date(Number.NaN) })).rejects.toThrow(
      'inputs[0].points: expected a time, got an invalid Date.',
    );
    await expect(client.predict('checkout', { points: new Map() })).rejects.toThrow('got a Map');
  });
});

describe('predictions', () => {
  it('are one for one row, and many for many', async () => {
    const one = await client.predict('checkout', { points: LARGE });
    const by = { predictionId: expect.any(String) as string, model: 'returns', version: 1, variant: 'stable' };
    expect(one).toEqual({ ...by, outputs: { points: '9007199254740993' } });
    const values = await typed('bigint');
    const many = await values.predictMany('checkout', [{ points: 1 }, { points: LARGE }], { features: true });
    expect(many.map(({ outputs, features, statuses }) => [outputs, features, statuses])).toEqual([
      [{ points: 1n }, { label__points: 1n }, { label__points: 'PRESENT' }],
      [{ points: LARGE }, { label__points: LARGE }, { label__points: 'PRESENT' }],
    ]);
    expect(await client.predictMany('checkout', [{ points: 1 }], { variant: 'stable' })).toHaveLength(1);
  });

  it('stand alone where some may fail', async () => {
    const [good, bad] = await client.predictPartial('checkout', [{ points: 5 }, { points: 'many' }]);
    expect(good).toMatchObject({ outputs: { points: '5' } });
    expect(bad).toEqual({
      error: { code: 'HR_INVALID', path: 'inputs[1].points', detail: expect.stringContaining('int64') as string },
    });
  });

  it('throw all mistakes of their rows', async () => {
    const failed = client.predictMany('checkout', [{ points: 'a' }, {}], { requestId: 'trip-7' });
    await expect(failed).rejects.toBeInstanceOf(HeadraceClientError);
    const errors = [{ path: 'inputs[0].points' }, { path: 'inputs[1].points' }];
    const refused = { code: 'HR_INVALID', status: 400, requestId: 'trip-7', attempts: 1, errors };
    await expect(failed).rejects.toMatchObject(refused);
    await expect(client.predict('chekout', {})).rejects.toMatchObject({ code: 'HR_UNKNOWN_ENDPOINT', status: 404 });
  });

  it('have outcomes, by id and by unit', async () => {
    const { predictionId } = await client.predict('checkout', { points: 77 });
    const byId = { predictionId, value: true, observedAt: new Date() };
    const byUnit = { unit: 77, at: new Date(), within: '1d', value: 3.5 };
    expect(await client.tellOutcomes('checkout', [byId, byUnit, { predictionId, value: null }])).toBe(3);
    const beyond = client.tellOutcomes('checkout', [{ predictionId, value: 2 ** 53 }]);
    await expect(beyond).rejects.toMatchObject({ code: 'HR_INVALID' });
    // JSON would make null of it: that nothing became of the prediction.
    await expect(client.tellOutcomes('checkout', [{ predictionId, value: Number.NaN }])).rejects.toMatchObject({
      code: 'HR_INVALID',
      attempts: 0,
      errors: [{ path: 'outcomes[0].value', message: 'expected a finite number, got NaN' }],
    });
  });
});

describe('over a network that loses answers', () => {
  it('counts a push once, reads again, and predicts once', async () => {
    const proxy = await startFaultyProxy(open.serving.url);
    const failFirst = (times: number, kind: 'drop' | 'cut' = 'drop'): void => {
      proxy.requests = 0;
      proxy.fault = () => (times-- > 0 ? { kind, afterBytes: 3 } : undefined);
    };
    try {
      const lossy = createClient({ url: proxy.endpoint });
      failFirst(2);
      expect(await lossy.push('facts', [{ account: 77, at: AT }])).toMatchObject({ accepted: 1, duplicate: true });
      expect(proxy.requests).toBe(3);
      failFirst(2, 'cut');
      expect(await lossy.readMany('stored', [{ account: 1 }])).toHaveLength(1);
      expect(proxy.requests).toBe(3);
      failFirst(1, 'cut');
      await expect(lossy.predict('checkout', { points: 1 })).rejects.toMatchObject({ code: 'HR_CONNECTION_LOST' });
      expect(proxy.requests).toBe(1);
    } finally {
      await proxy.stop();
    }
  });
});

describe('the rest', () => {
  it('counts a push once under its key', async () => {
    const rows = [{ account: 9, at: AT }];
    const idempotencyKey = 'load-7';
    expect(await client.push('facts', rows, { idempotencyKey })).toMatchObject({ accepted: 1, duplicate: false });
    expect(await client.push('facts', rows, { idempotencyKey })).toMatchObject({ accepted: 1, duplicate: true });
    const other = client.push('facts', [{ account: 8, at: AT }], { idempotencyKey });
    await expect(other).rejects.toMatchObject({ status: 422 });
  });

  it('tells flags as predictions are assigned', async () => {
    const flag = await client.flag('checkout', { targetingKey: '7' });
    expect(flag).toMatchObject({ key: 'checkout', value: 'stable', reason: 'STATIC' });
    expect(await client.flags({ points: 7 })).toEqual([flag]);
    await expect(client.flag('nothing', {})).rejects.toMatchObject({ code: 'FLAG_NOT_FOUND', status: 404 });
  });

  it('tells what an endpoint serves, and health', async () => {
    const variants = [{ name: 'stable', version: 1, weight: 100 }];
    const served = { model: 'returns', unit: ['points'], variants, state: 'serving' };
    expect(await client.endpoint('checkout')).toEqual(served);
    expect(await client.health()).toMatchObject({ isReady: true, told: { status: 'ready' } });
  });

  it('continues the caller’s trace', async () => {
    let sent: Headers | undefined;
    const traced = createClient({
      url: `${open.serving.url}/`,
      headers: { 'x-team': 'shop', TraceParent: 'none' },
      fetch: (url, init) => {
        sent = new Headers(init?.headers);
        return fetch(url, init);
      },
    });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await traced.readFeatures('stored', { account: 1 }, { traceparent, timeoutMs: 2000 });
    expect(sent?.get('traceparent')).toBe(traceparent);
    expect(sent?.get('x-team')).toBe('shop');
    expect(Number(sent?.get('x-request-timeout-ms'))).toBeGreaterThan(1500);
    expect(Number(sent?.get('x-request-timeout-ms'))).toBeLessThanOrEqual(2000);
  });
});
