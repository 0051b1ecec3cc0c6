// The native API over gRPC, asked by another's client: typed values there and back, the same answers as HTTP's.

import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allOf, type GrpcClient, grpcClient } from '../support/grpc-client.ts';
import { type GrpcServing, openGrpcServing } from '../support/grpc-serving.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const SERVICE = '/headrace.v1.ServingService';
const HOUR_MS = 3_600_000;

let grpc: GrpcServing;
let open: OpenServing;
let client: GrpcClient;
beforeAll(async () => {
  grpc = await openGrpcServing();
  ({ open, client } = grpc);
}, 60_000);
afterAll(() => grpc.close());

const value = (kind: string, of: unknown): object => ({ [`${kind}_value`]: of });
const row = (columns: Readonly<Record<string, object>>): object => ({ columns });
const seconds = (ms: number): object => ({ seconds: String(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 });
const purchase = (customer: string, amount: number, points: string, ms: number): object =>
  row({
    customer: value('string', customer),
    amount: value('double', amount),
    points: value('int64', points),
    bought_at: value('timestamp', seconds(ms)),
  });
const failed = (call: Promise<unknown>): Promise<ServiceError> =>
  call.then(
    () => Promise.reject(new Error('the call was OK')),
    (error: unknown) => error as ServiceError,
  );

describe('a prediction', () => {
  it('is what HTTP answers, by the same names', async () => {
    const inputs = [row({ customer: value('string', 'cid'), amount: value('double', 20) })];
    const { answer, metadata } = await client.call(`${SERVICE}/Predict`, {
      endpoint: 'checkout',
      inputs,
      return_features: true,
    });
    const http = await open.post('/v1/endpoints/checkout/predict', {
      inputs: [{ customer: 'cid', amount: 20 }],
      options: { return_features: true },
    });
    const [told] = http.json().predictions;
    expect(Object.keys((answer as { predictions: { features: object }[] }).predictions[0]?.features ?? {})).toEqual(
      Object.keys(told?.features ?? {}),
    );
    expect(answer).toMatchObject({
      endpoint: 'checkout',
      predictions: [
        {
          outputs: { probability: { double_value: 0.25 } },
          model: 'returns',
          version: '1',
          variant: 'stable',
          features: { history__mean_7d: { null_value: 'NULL_VALUE' } },
          statuses: { history__mean_7d: 'FEATURE_STATUS_NOT_FOUND' },
        },
      ],
    });
    expect(metadata.get('x-request-id')).toHaveLength(1);
  });

  it('tells where its time went', async () => {
    const inputs = [row({ customer: value('string', 'cid') })];
    const ask = { endpoint: 'checkout', inputs, return_timings: true };
    const { answer } = await client.call(`${SERVICE}/Predict`, ask);
    const [timings] = (answer as { timings: [Record<string, number>] }).timings;
    expect(timings).toMatchObject({ variant: 'stable', model: 'returns', version: '1', rows: '1' });
    for (const name of ['features_ms', 'queue_ms', 'inference_ms']) expect(timings[name]).toBeGreaterThanOrEqual(0);
    const { answer: plain } = await client.call(`${SERVICE}/Predict`, { ...ask, return_timings: false });
    expect(plain).not.toHaveProperty('timings');
  });

  it('is in the statistics that Triton’s clients ask for, with what its rows waited', async () => {
    interface Stats {
      readonly model_stats: readonly [{ readonly inference_stats: { queue: Record<string, string> } }];
    }
    const ask = async () => {
      const { answer } = await client.call('/inference.GRPCInferenceService/ModelStatistics', { name: 'checkout' });
      return (answer as Stats).model_stats[0].inference_stats.queue;
    };
    const before = await ask();
    const inputs = ['ann', 'bob'].map((customer) => row({ customer: value('string', customer) }));
    await client.call(`${SERVICE}/Predict`, { endpoint: 'checkout', inputs });
    const { count, ns } = await ask();
    expect(Number(count) - Number(before['count'] ?? 0)).toBe(2);
    expect(Number(ns)).toBeGreaterThan(Number(before['ns'] ?? 0));
  });

  it('of rows that stand alone has an error in the place of a bad one', async () => {
    const inputs = [
      row({ customer: value('string', 'cid') }),
      row({ customer: value('bytes', Buffer.from('cid')), amount: value('string', '20') }),
      row({}),
    ];
    const { answer } = await client.call(`${SERVICE}/Predict`, { endpoint: 'checkout', inputs, partial: true });
    expect(answer).toMatchObject({
      predictions: [
        { model: 'returns' },
        {
          error: {
            code: 'HR_INVALID',
            path: 'inputs[1].customer',
            detail: expect.stringContaining('expected string, got bytes (3)') as string,
          },
        },
        { error: { code: 'HR_INVALID', path: 'inputs[2].customer' } },
      ],
    });
  });

  it('names every mistake in the status’ details and in a trailer', async () => {
    const inputs = [row({ custmer: value('string', 'cid'), amount: value('bool', true) })];
    const error = await failed(client.call(`${SERVICE}/Predict`, { endpoint: 'checkout', inputs }));
    expect(error).toMatchObject({
      code: 3,
      details: expect.stringContaining('expected float64, got boolean true') as string,
    });
    expect(error.metadata.get('headrace-code')).toEqual(['HR_INVALID']);
    const details = String(error.metadata.get('grpc-status-details-bin')[0]);
    for (const part of [
      'google.rpc.ErrorInfo',
      'google.rpc.BadRequest',
      'inputs[0].custmer',
      'Did you mean "customer"?',
    ])
      expect(details).toContain(part);
  });
});

describe('a push', () => {
  it('is durable and visible, with an int64 to its last digit', async () => {
    const ms = Date.now() - HOUR_MS;
    const { answer } = await client.call(`${SERVICE}/Push`, {
      source: 'purchases',
      rows: [purchase('ada', 10, '9007199254740993', ms), purchase('bob', 3, '-9223372036854775808', ms)],
    });
    expect(answer).toMatchObject({ accepted: '2', views: [{ view: 'history', written: '2' }] });
    const { answer: read } = await client.call(`${SERVICE}/ReadFeatures`, {
      service: 'shop_features',
      rows: ['ada', 'bob', 'nobody'].map((customer) => row({ customer: value('string', customer) })),
    });
    expect(read).toMatchObject({
      rows: [
        {
          features: { history__last_points: { int64_value: '9007199254740993' } },
          event_times: { history: seconds(ms) },
        },
        { features: { history__last_points: { int64_value: '-9223372036854775808' } } },
        { statuses: { history__last_points: 'FEATURE_STATUS_NOT_FOUND' } },
      ],
    });
  });
});

it('who watches its health is told that it stops, and is let go', async () => {
  const other = await openServing({
    repository: REPOSITORY,
    features: 4,
    settings: { HEADRACE_SERVER_DRAIN_DELAY_MS: '800' },
    serve: { grpcPort: 0 },
  });
  const watcher = grpcClient(other.serving.grpcAddress as string);
  try {
    const stream = watcher.stream('/grpc.health.v1.Health/Watch');
    stream.write({ service: '' });
    stream.end();
    const watched = allOf(stream);
    await new Promise<void>((resolve) => stream.once('data', () => resolve()));
    await other.close();
    const { messages, status } = await watched;
    expect(messages).toEqual([{ status: 'SERVING' }, { status: 'NOT_SERVING' }]);
    expect(status.code).toBe(14);
  } finally {
    watcher.close();
  }
}, 60_000);

describe('outcomes', () => {
  it('are taken by id and by unit, and a repeat is no second one', async () => {
    const inputs = [row({ customer: value('string', 'zoe'), amount: value('double', 1) })];
    const { answer } = await client.call(`${SERVICE}/Predict`, { endpoint: 'checkout', inputs });
    const [{ prediction_id }] = (answer as { predictions: [{ prediction_id: string }] }).predictions;
    const outcomes = [
      { prediction_id, value: value('bool', true) },
      { unit: [value('string', 'zoe')], at: seconds(Date.now()), within: '1h', value: value('double', 0.5) },
    ];
    for (let i = 0; i < 2; i++)
      expect((await client.call(`${SERVICE}/RecordOutcomes`, { endpoint: 'checkout', outcomes })).answer).toMatchObject(
        {
          accepted: '2',
        },
      );
  });

  it('that are none are told of, each with its member', async () => {
    const outcomes = [
      { value: value('bytes', Buffer.from('x')), prediction_id: 'p' },
      { value: value('int64', '9007199254740993'), prediction_id: 'p' },
      { unit: [value('null', 0)], value: value('bool', true) },
      { prediction_id: 'x'.repeat(201), value: value('bool', true) },
    ];
    const error = await failed(client.call(`${SERVICE}/RecordOutcomes`, { endpoint: 'checkout', outcomes }));
    expect(error.code).toBe(3);
    const details = String(error.metadata.get('grpc-status-details-bin')[0]);
    for (const part of ['outcomes[0].value', 'outcomes[1].value', 'outcomes[2].unit', 'outcomes[3].prediction_id'])
      expect(details).toContain(part);
  });
});

describe('a push again', () => {
  it('with the same key counts once', async () => {
    const rows = [purchase('kim', 5, '1', Date.now() - HOUR_MS)];
    const push = { source: 'purchases', rows, idempotency_key: 'order-7' };
    expect((await client.call(`${SERVICE}/Push`, push)).answer).toMatchObject({ accepted: '1' });
    expect((await client.call(`${SERVICE}/Push`, push)).answer).toMatchObject({ accepted: '1', duplicate: true });
  });

  it('of values that are none of their columns’ types is refused whole', async () => {
    const wrong = row({
      customer: value('bytes', Buffer.from('kim')),
      amount: value('string', '5'),
      bought_at: value('bool', true),
    });
    const error = await failed(
      client.call(`${SERVICE}/Push`, { source: 'purchases', rows: [purchase('kim', 1, '1', Date.now()), wrong] }),
    );
    expect(error).toMatchObject({
      code: 3,
      details: expect.stringContaining('rows[1].customer: expected string, got bytes (3)') as string,
    });
    expect(String(error.metadata.get('grpc-status-details-bin')[0])).toContain('rows[1].bought_at');
    const blank = await failed(
      client.call(`${SERVICE}/Push`, { source: 'purchases', rows: [], idempotency_key: '  ' }),
    );
    expect(blank).toMatchObject({ code: 3 });
    const none = await failed(client.call(`${SERVICE}/Push`, { source: 'purchase', rows: [wrong] }));
    expect(none).toMatchObject({ code: 5, details: expect.stringContaining('Did you mean "purchases"?') as string });
  });
});

it('features by columns are those by rows', async () => {
  const rows = ['ada', 'bob', 'nobody'].map((customer) =>
    row({ customer: value('string', customer), amount: value('double', 2) }),
  );
  type Cells = Record<string, Record<string, unknown>>;
  const asked = { service: 'shop_features', rows };
  const byRow = (await client.call(`${SERVICE}/ReadFeatures`, asked)).answer as {
    rows: { features: Cells; statuses: Record<string, string>; event_times: Cells }[];
  };
  const byColumn = (await client.call(`${SERVICE}/ReadFeatures`, { ...asked, layout: 'LAYOUT_COLUMNS' })).answer as {
    columns: { name: string; values: Cells[]; statuses?: string[] }[];
    event_times: { view: string; times: { timestamp_value?: unknown }[] }[];
  };
  expect(byColumn.columns.map(({ name }) => name)).toEqual(Object.keys(byRow.rows[0]?.features ?? {}));
  for (const { name, values, statuses } of byColumn.columns) {
    expect(values).toEqual(byRow.rows.map(({ features }) => features[name]));
    const told = byRow.rows.map((one) => one.statuses?.[name] ?? 'FEATURE_STATUS_PRESENT');
    expect(statuses ?? rows.map(() => 'FEATURE_STATUS_PRESENT')).toEqual(told);
  }
  for (const { view, times } of byColumn.event_times)
    expect(times.map((one) => one.timestamp_value)).toEqual(byRow.rows.map((one) => one.event_times?.[view]));
  const error = await failed(client.raw(`${SERVICE}/ReadFeatures`, Buffer.from([0x18, 7])));
  expect(error).toMatchObject({ code: 3, details: expect.stringContaining('layout') as string });
});
