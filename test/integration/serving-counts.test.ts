// What is counted as whose: a client's mistake is not the endpoint's failure, too much is neither's, and what a variant fails is
// counted at the variant.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const UNLUCKY = REPOSITORY.replace(
  'ratio: request.amount != null',
  'ratio: request.amount === 13 ? (null as unknown as { n: number }).n : request.amount != null',
);

describe('counters of an endpoint', () => {
  let open: OpenServing;
  beforeAll(async () => {
    open = await openServing({
      repository: UNLUCKY,
      features: 4,
      settings: { HEADRACE_SERVER_MAX_IN_FLIGHT: '2' },
    });
  });
  afterAll(() => open.close());

  const predict = async (amount: unknown, endpoint = 'checkout'): Promise<number> => {
    const inputs = [{ customer: 'ada', amount }];
    return (await open.post(`/v1/endpoints/${endpoint}/predict`, { inputs })).statusCode;
  };
  const metrics = async (): Promise<readonly string[]> =>
    (await open.serving.server.inject('/metrics')).body.split('\n').filter((line) => line.startsWith('headrace_'));

  it('are there from the start, so that a first failure is a step from 0', async () => {
    const lines = await metrics();
    for (const line of [
      'headrace_request_errors_total{endpoint="checkout",outcome="failed"} 0',
      'headrace_prediction_errors_total{endpoint="checkout",variant="stable",version="1",outcome="failed"} 0',
      'headrace_feature_read_errors_total{service="numbers",outcome="failed"} 0',
    ])
      expect(lines).toContain(line);
  });

  it('tell answers, the client’s mistakes, 429s and failures apart, with the variant', async () => {
    expect(UNLUCKY).not.toBe(REPOSITORY);
    expect(await predict(1)).toBe(200);
    expect(await predict('much')).toBe(400);
    expect(await predict('more')).toBe(400);
    expect(await predict(13)).toBe(422);
    const at = await Promise.all(Array.from({ length: 6 }, () => predict(2)));
    const rejected = at.filter((status) => status === 429).length;
    expect(rejected).toBeGreaterThan(0);
    const lines = await metrics();
    for (const line of [
      `headrace_requests_total{endpoint="checkout"} ${1 + 6 - rejected}`,
      'headrace_request_errors_total{endpoint="checkout",outcome="refused"} 2',
      `headrace_request_errors_total{endpoint="checkout",outcome="rejected"} ${rejected}`,
      'headrace_request_errors_total{endpoint="checkout",outcome="failed"} 1',
      'headrace_request_error_codes_total{endpoint="checkout",code="HR_INVALID",status="400"} 2',
      'headrace_request_error_codes_total{endpoint="checkout",code="HR_TRANSFORM_FAILED",status="422"} 1',
      'headrace_prediction_errors_total{endpoint="checkout",variant="stable",version="1",outcome="failed"} 1',
      'headrace_prediction_errors_total{endpoint="checkout",variant="stable",version="1",outcome="refused"} 0',
    ])
      expect(lines).toContain(line);
  });

  it('have the rows of a partial request where each of them ended', async () => {
    const inputs = [1, 'much', 13, 2, 'more'].map((amount) => ({ customer: 'ada', amount }));
    const shown = async () => (await open.serving.figures.figures()).endpoints.find(({ name }) => name === 'checkout');
    const before = await shown();
    const answer = await open.post('/v1/endpoints/checkout/predict', { inputs, options: { partial: true } });
    expect(answer.json().predictions).toHaveLength(5);
    const after = await shown();
    const rows = (of: typeof after) => [of?.total.rows, of?.arms[0]?.total.rows, of?.arms[0]?.total.failed];
    const added = rows(after).map((count, at) => (count ?? 0) - (rows(before)[at] ?? 0));
    expect(added).toEqual([2, 2, 1]);
    expect(await metrics()).toContain(
      'headrace_request_row_errors_total{endpoint="checkout",code="HR_INVALID",status="400"} 2',
    );
    expect((after?.total.requests ?? 0) - (before?.total.requests ?? 0)).toBe(1);
    expect(after?.total.refused).toBe(before?.total.refused);
  });

  it('have what is refused before it comes to the endpoint, over a socket and injected alike', async () => {
    const codes = async (): Promise<Record<string, number>> =>
      Object.fromEntries(
        (await metrics()).flatMap((line) => {
          const [, code = '', count] =
            /^headrace_request_error_codes_total\{endpoint="checkout",code="(\w+)".*\} (\d+)$/.exec(line) ?? [];
          return count === undefined ? [] : [[code, Number(count)]];
        }),
      );
    const url = '/v1/endpoints/checkout/predict';
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
      await open.serving.server.inject({ method: 'POST', url, headers, payload });
      await fetch(`${open.serving.url}${url}`, { method: 'POST', headers, body: payload });
    }
    const after = await codes();
    const added = (code: string): number => (after[code] ?? 0) - (before[code] ?? 0);
    expect(['HR_MALFORMED_JSON', 'HR_INVALID', 'HR_UNSUPPORTED_MEDIA'].map(added)).toEqual([2, 6, 2]);
  });

  it('are not made for endpoints and services that do not exist', async () => {
    expect(await predict(1, 'nowhere')).toBe(404);
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
    const lines = await metrics();
    for (const [outcome, count] of Object.entries({ accepted: 1, repeated: 1, refused: 1, failed: 0 }))
      expect(lines).toContain(`headrace_pushes_total{source="purchases",outcome="${outcome}"} ${count}`);
  });

  it('tell of feature reads by service', async () => {
    const rows = [{ customer: 'ada' }, { customer: 'bob' }];
    const request = [{ customer: 'ada', amount: 1 }];
    expect((await open.post('/v1/features/read', { service: 'numbers', rows })).statusCode).toBe(200);
    expect((await open.post('/v1/features/read', { service: 'numbers', rows: [{ customer: 7 }] })).statusCode).toBe(
      400,
    );
    expect((await open.post('/v1/features/read', { service: 'numbers', rows: request })).statusCode).toBe(200);
    const lines = await metrics();
    for (const line of [
      'headrace_feature_reads_total{service="numbers"} 2',
      'headrace_feature_read_rows_total{service="numbers"} 3',
      'headrace_feature_read_errors_total{service="numbers",outcome="refused"} 1',
      'headrace_workers_ready 1',
      'headrace_requests_in_flight 0',
    ])
      expect(lines).toContain(line);
  });
});

describe('counters of models', () => {
  it('count each row once when traffic goes back to a version that stayed in memory', async () => {
    const open = await openServing({ repository: REPOSITORY, features: 4 });
    try {
      await registerModelFile(open.app, { model: 'returns', onnx: Buffer.from(constantModel(4, 0.75)) });
      const { control } = open.serving.planes;
      const to = async (version: number): Promise<void> => {
        const variants = [{ name: 'stable', version, weight: 100 }];
        await control.setTraffic('checkout', { variants }, { actor: 'test', waitMs: 5000 });
      };
      const predict = (rows: number) =>
        open.post('/v1/endpoints/checkout/predict', {
          inputs: Array.from({ length: rows }, () => ({ customer: 'ada', amount: 1 })),
        });
      const rows = async (version: number): Promise<string | undefined> => {
        const name = `headrace_model_rows_total{model="returns",version="${version}"} `;
        const { body } = await open.serving.server.inject('/metrics');
        return body
          .split('\n')
          .find((line) => line.startsWith(name))
          ?.slice(name.length);
      };
      await predict(10);
      expect(await rows(1)).toBe('10');
      await predict(3);
      await to(2);
      await predict(4);
      expect([await rows(1), await rows(2)]).toEqual(['13', '4']);
      await to(1);
      expect([await rows(1), await rows(2)]).toEqual(['13', '4']);
      await predict(1);
      expect([await rows(1), await rows(2)]).toEqual(['14', '4']);
    } finally {
      await open.close();
    }
  });
});
