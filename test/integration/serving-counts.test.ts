// What is counted as whose: the client's mistake, the endpoint's failure, too much, and what a variant fails.

import { describe, expect, it, onTestFinished } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { openServing } from '../support/open-serving.ts';
import { openForAll } from '../support/open-for.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const UNLUCKY = REPOSITORY.replace(
  'ratio: request.amount != null',
  'ratio: request.amount === 13 ? (null as unknown as { n: number }).n : request.amount != null',
);

describe('counters of an endpoint', () => {
  const open = openForAll({ repository: UNLUCKY, settings: { HEADRACE_SERVER_MAX_IN_FLIGHT: '2' } });

  const URL = '/v1/endpoints/checkout/predict';
  const predict = async (amount: unknown, url = URL): Promise<number> =>
    (await open.post(url, { inputs: [{ customer: 'ada', amount }] })).statusCode;
  const metrics = async (): Promise<readonly string[]> =>
    (await open.get('/metrics')).body.split('\n').filter((line) => line.startsWith('headrace_'));
  const has = async (...lines: readonly string[]) =>
    expect(await metrics()).toEqual(expect.arrayContaining(lines.map((line) => `headrace_${line}`)));

  it('are there from the start, so that a first failure is a step from 0', () =>
    has(
      'request_errors_total{endpoint="checkout",outcome="failed"} 0',
      'prediction_errors_total{endpoint="checkout",variant="stable",version="1",outcome="failed"} 0',
      'feature_read_errors_total{service="numbers",outcome="failed"} 0',
    ));

  it('tell answers, the client’s mistakes, 429s and failures apart, with the variant', async () => {
    expect(UNLUCKY).not.toBe(REPOSITORY);
    for (const [amount, status] of [[1, 200] as const, ['much', 400], ['more', 400], [13, 422]])
      expect(await predict(amount)).toBe(status);
    const at = await Promise.all(Array.from({ length: 6 }, () => predict(2)));
    const rejected = at.filter((status) => status === 429).length;
    expect(rejected).toBeGreaterThan(0);
    await has(
      `requests_total{endpoint="checkout"} ${1 + 6 - rejected}`,
      'request_errors_total{endpoint="checkout",outcome="refused"} 2',
      `request_errors_total{endpoint="checkout",outcome="rejected"} ${rejected}`,
      'request_errors_total{endpoint="checkout",outcome="failed"} 1',
      'request_error_codes_total{endpoint="checkout",code="HR_INVALID",status="400"} 2',
      'request_error_codes_total{endpoint="checkout",code="HR_TRANSFORM_FAILED",status="422"} 1',
      'prediction_errors_total{endpoint="checkout",variant="stable",version="1",outcome="failed"} 1',
      'prediction_errors_total{endpoint="checkout",variant="stable",version="1",outcome="refused"} 0',
    );
  });

  it('have the rows of a partial request where each of them ended', async () => {
    const inputs = [1, 'much', 13, 2, 'more'].map((amount) => ({ customer: 'ada', amount }));
    const shown = async () => (await open.serving.figures.figures()).endpoints.find(({ name }) => name === 'checkout');
    const before = await shown();
    expect((await open.post(URL, { inputs, options: { partial: true } })).json().predictions).toHaveLength(5);
    const after = await shown();
    const figures = (of: typeof after) => {
      const { rows = 0, requests = 0, refused = 0 } = of?.total ?? {};
      const arm = of?.arms[0]?.total;
      return [rows, arm?.rows ?? 0, arm?.failed ?? 0, requests, refused];
    };
    expect(figures(after).map((count, at) => count - (figures(before)[at] ?? 0))).toEqual([2, 2, 1, 1, 0]);
    await has('request_row_errors_total{endpoint="checkout",code="HR_INVALID",status="400"} 2');
  });

  it('have what is refused before it comes to the endpoint, over a socket and injected alike', async () => {
    const codes = () =>
      Promise.all(
        ['HR_MALFORMED_JSON', 'HR_INVALID', 'HR_UNSUPPORTED_MEDIA'].map(async (code) => {
          const sum = await open.metric(new RegExp(`^headrace_request_error_codes_total.*"checkout",code="${code}"`));
          return Number.isNaN(sum) ? 0 : sum;
        }),
      );
    const json = { 'content-type': 'application/json' };
    const wrong: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      ['{', json],
      ['{"input":[]}', json],
      ['{"inputs":[],"options":{"all":true}}', json],
      ['{"inputs":[]}', { ...json, 'x-request-timeout-ms': 'soon' }],
      ['{"inputs":[]}', { 'content-type': 'text/plain' }],
    ];
    const before = await codes();
    for (const [payload, headers] of wrong) {
      await open.serving.server.inject({ method: 'POST', url: URL, headers, payload });
      await fetch(`${open.serving.url}${URL}`, { method: 'POST', headers, body: payload });
    }
    expect((await codes()).map((count, at) => count - (before[at] ?? 0))).toEqual([2, 6, 2]);
  });

  it('are not made for endpoints and services that do not exist', async () => {
    expect(await predict(1, '/v1/endpoints/nowhere/predict')).toBe(404);
    await open.post('/v1/features/read', { service: 'nothing', rows: [{ customer: 'ada' }] });
    expect((await metrics()).join('\n')).not.toMatch(/nowhere|nothing/);
  });

  it('tell a push whose Idempotency-Key was another’s as the caller’s mistake', async () => {
    const push = async (amount: number): Promise<number> => {
      const rows = [{ customer: 'bea', amount, bought_at: '2026-01-01T00:00:00Z' }];
      const headers = { 'idempotency-key': 'reused' };
      return (await open.post('/v1/sources/purchases/push', { rows }, headers)).statusCode;
    };
    expect([await push(1), await push(1), await push(2)]).toEqual([200, 200, 422]);
    const counts = Object.entries({ accepted: 1, repeated: 1, refused: 1, failed: 0 });
    await has(...counts.map(([name, count]) => `pushes_total{source="purchases",outcome="${name}"} ${count}`));
  });

  it('tell of feature reads by service', async () => {
    const read = async (rows: readonly object[]) =>
      (await open.post('/v1/features/read', { service: 'numbers', rows })).statusCode;
    expect(await read([{ customer: 'ada' }, { customer: 'bob' }])).toBe(200);
    expect(await read([{ customer: 7 }])).toBe(400);
    expect(await read([{ customer: 'ada', amount: 1 }])).toBe(200);
    await has(
      'feature_reads_total{service="numbers"} 2',
      'feature_read_rows_total{service="numbers"} 3',
      'feature_read_errors_total{service="numbers",outcome="refused"} 1',
      'workers_ready 1',
      'requests_in_flight 0',
    );
  });
});

it('counters of models count each row once when traffic goes back to a version that stayed in memory', async () => {
  const open = await openServing();
  onTestFinished(() => open.close());
  await registerModelFile(open.app, { model: 'returns', onnx: Buffer.from(constantModel(4, 0.75)) });
  const to = (version: number) => {
    const variants = [{ name: 'stable', version, weight: 100 }];
    return open.serving.planes.control.setTraffic('checkout', { variants }, { actor: 'test', waitMs: 5000 });
  };
  const predict = (rows: number) => {
    const inputs = Array.from({ length: rows }, () => ({ customer: 'ada', amount: 1 }));
    return open.post('/v1/endpoints/checkout/predict', { inputs });
  };
  const rows = (version: number) => open.metric(`headrace_model_rows_total{model="returns",version="${version}"}`);
  await predict(10);
  expect(await rows(1)).toBe(10);
  await predict(3);
  await to(2);
  await predict(4);
  expect([await rows(1), await rows(2)]).toEqual([13, 4]);
  await to(1);
  expect([await rows(1), await rows(2)]).toEqual([13, 4]);
  await predict(1);
  expect([await rows(1), await rows(2)]).toEqual([14, 4]);
});
