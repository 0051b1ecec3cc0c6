// The native API over gRPC, asked by another's client: typed values there and back, the same answers as HTTP's.

import type { ServiceError } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { allOf, type CallOptions } from '../support/grpc-client.ts';
import { ONE_NUMBER } from '../support/one-number.ts';
import { patientModel } from '../support/onnx-model.ts';
import { grpcForAll, openGrpcServing } from '../support/grpc-serving.ts';
import { fullDescribe } from '../support/tier.ts';

const HOUR_MS = 3_600_000;
const grpc = grpcForAll();

const value = (kind: string, of: unknown): object => ({ [`${kind}_value`]: of });
const row = (columns: Readonly<Record<string, object>>): object => ({ columns });
const rowOf = (customer: string, amount?: number): object =>
  row({ customer: value('string', customer), ...(amount === undefined ? {} : { amount: value('double', amount) }) });
const seconds = (ms: number): object => ({ seconds: String(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 });
const purchase = (customer: string, amount: number, points: string, ms: number): object =>
  row({
    customer: value('string', customer),
    amount: value('double', amount),
    points: value('int64', points),
    bought_at: value('timestamp', seconds(ms)),
  });
type Method = 'Predict' | 'ReadFeatures' | 'Push' | 'RecordOutcomes';
const ask = async <Answer = unknown>(method: Method, message: object): Promise<Answer> =>
  (await grpc.client.call(`/headrace.v1.ServingService/${method}`, message)).answer as Answer;
const predict = <Answer = unknown>(inputs: readonly object[], more: object = {}) =>
  ask<Answer>('Predict', { endpoint: 'checkout', inputs, ...more });
/** What a call failed with, and the text of its status' details. */
const failed = (call: Promise<unknown>): Promise<ServiceError & { bytes: string }> =>
  call.then(
    () => expect.unreachable('the call was OK'),
    (error: ServiceError) => Object.assign(error, { bytes: String(error.metadata.get('grpc-status-details-bin')[0]) }),
  );

describe('a prediction', () => {
  it('is what HTTP answers, by the same names', async () => {
    const asked = { endpoint: 'checkout', inputs: [rowOf('cid', 20)], return_features: true };
    const { answer, metadata } = await grpc.client.call('/headrace.v1.ServingService/Predict', asked);
    const http = await grpc.open.post('/v1/endpoints/checkout/predict', {
      inputs: [{ customer: 'cid', amount: 20 }],
      options: { return_features: true },
    });
    const [one] = (answer as { predictions: [{ features: object }] }).predictions;
    expect(Object.keys(one.features)).toEqual(Object.keys(http.json().predictions[0]?.features ?? {}));
    expect(one).toMatchObject({
      outputs: { probability: { double_value: 0.25 } },
      model: 'returns',
      version: '1',
      variant: 'stable',
      features: { history__mean_7d: { null_value: 'NULL_VALUE' } },
      statuses: { history__mean_7d: 'FEATURE_STATUS_NOT_FOUND' },
    });
    expect(answer).toMatchObject({ endpoint: 'checkout' });
    expect(metadata.get('x-request-id')).toHaveLength(1);
  });

  it('tells where its time went', async () => {
    type Timed = { readonly timings: readonly [Record<string, number>] };
    const [timings] = (await predict<Timed>([rowOf('cid')], { return_timings: true })).timings;
    expect(timings).toMatchObject({ variant: 'stable', model: 'returns', version: '1', rows: '1' });
    for (const name of ['features_ms', 'queue_ms', 'inference_ms']) expect(timings[name]).toBeGreaterThanOrEqual(0);
    expect(await predict([rowOf('cid')], { return_timings: false })).not.toHaveProperty('timings');
  });

  it('is in the statistics that Triton’s clients ask for, with what its rows waited', async () => {
    type Stats = { readonly model_stats: readonly [{ readonly inference_stats: { queue: Record<string, string> } }] };
    const queued = async () => {
      const { answer } = await grpc.client.call('/inference.GRPCInferenceService/ModelStatistics', {
        name: 'checkout',
      });
      const { count = 0, ns = 0 } = (answer as Stats).model_stats[0].inference_stats.queue;
      return { count: Number(count), ns: Number(ns) };
    };
    const before = await queued();
    await predict([rowOf('ann'), rowOf('bob')]);
    const { count, ns } = await queued();
    expect(count - before.count).toBe(2);
    expect(ns).toBeGreaterThan(before.ns);
  });

  it('of rows that stand alone has an error in the place of a bad one', async () => {
    const bad = row({ customer: value('bytes', Buffer.from('cid')), amount: value('string', '20') });
    const detail: unknown = expect.stringContaining('expected string, got bytes (3)');
    expect(await predict([rowOf('cid'), bad, row({})], { partial: true })).toMatchObject({
      predictions: [
        { model: 'returns' },
        { error: { code: 'HR_INVALID', path: 'inputs[1].customer', detail } },
        { error: { code: 'HR_INVALID', path: 'inputs[2].customer' } },
      ],
    });
  });

  it('names every mistake in the status’ details and in a trailer', async () => {
    const error = await failed(predict([row({ custmer: value('string', 'cid'), amount: value('bool', true) })]));
    expect(error.code).toBe(3);
    expect(error.details).toContain('expected float64, got boolean true');
    expect(error.metadata.get('headrace-code')).toEqual(['HR_INVALID']);
    const parts = ['google.rpc.ErrorInfo', 'google.rpc.BadRequest', 'inputs[0].custmer', 'Did you mean "customer"?'];
    for (const part of parts) expect(error.bytes).toContain(part);
  });
});

it('who watches its health is told that it stops, and is let go', async () => {
  const other = await openGrpcServing({ settings: { HEADRACE_SERVER_DRAIN_DELAY_MS: '800' } });
  onTestFinished(() => other.client.close());
  const stream = other.client.stream('/grpc.health.v1.Health/Watch');
  stream.write({ service: '' });
  stream.end();
  const watched = allOf(stream);
  await new Promise<void>((resolve) => stream.once('data', () => resolve()));
  await other.open.close();
  const { messages, status } = await watched;
  expect(messages).toEqual([{ status: 'SERVING' }, { status: 'NOT_SERVING' }]);
  expect(status.code).toBe(14);
}, 60_000);

describe('outcomes', () => {
  it('are taken by id and by unit, and a repeat is no second one', async () => {
    const { predictions } = await predict<{ predictions: [{ prediction_id: string }] }>([rowOf('zoe', 1)]);
    const outcomes = [
      { prediction_id: predictions[0].prediction_id, value: value('bool', true) },
      { unit: [value('string', 'zoe')], at: seconds(Date.now()), within: '1h', value: value('double', 0.5) },
    ];
    for (let i = 0; i < 2; i++)
      expect(await ask('RecordOutcomes', { endpoint: 'checkout', outcomes })).toMatchObject({ accepted: '2' });
  });

  it('that are none are told of, each with its member', async () => {
    const outcomes = [
      { value: value('bytes', Buffer.from('x')), prediction_id: 'p' },
      { value: value('int64', '9007199254740993'), prediction_id: 'p' },
      { unit: [value('null', 0)], value: value('bool', true) },
      { prediction_id: 'x'.repeat(201), value: value('bool', true) },
    ];
    const error = await failed(ask('RecordOutcomes', { endpoint: 'checkout', outcomes }));
    expect(error.code).toBe(3);
    for (const part of ['outcomes[0].value', 'outcomes[1].value', 'outcomes[2].unit', 'outcomes[3].prediction_id'])
      expect(error.bytes).toContain(part);
  });
});

describe('a push', () => {
  it('is durable and visible, with an int64 to its last digit', async () => {
    const ms = Date.now() - HOUR_MS;
    const [most, least] = ['9007199254740993', '-9223372036854775808'];
    const pushed = await ask('Push', {
      source: 'purchases',
      rows: [purchase('ada', 10, most, ms), purchase('bob', 3, least, ms)],
    });
    expect(pushed).toMatchObject({ accepted: '2', views: [{ view: 'history', written: '2' }] });
    const rows = ['ada', 'bob', 'nobody'].map((customer) => rowOf(customer));
    expect(await ask('ReadFeatures', { service: 'shop_features', rows })).toMatchObject({
      rows: [
        { features: { history__last_points: { int64_value: most } }, event_times: { history: seconds(ms) } },
        { features: { history__last_points: { int64_value: least } } },
        { statuses: { history__last_points: 'FEATURE_STATUS_NOT_FOUND' } },
      ],
    });
  });

  it('with the same key counts once', async () => {
    const rows = [purchase('kim', 5, '1', Date.now() - HOUR_MS)];
    const push = { source: 'purchases', rows, idempotency_key: 'order-7' };
    expect(await ask('Push', push)).toMatchObject({ accepted: '1' });
    expect(await ask('Push', push)).toMatchObject({ accepted: '1', duplicate: true, durable: { disk: true } });
  });

  it('of values that are none of their columns’ types is refused whole', async () => {
    const wrong = row({
      customer: value('bytes', Buffer.from('kim')),
      amount: value('string', '5'),
      bought_at: value('bool', true),
    });
    const push = (rows: readonly object[], more: object = {}) =>
      failed(ask('Push', { source: 'purchases', rows, ...more }));
    const error = await push([purchase('kim', 1, '1', Date.now()), wrong]);
    expect(error.code).toBe(3);
    expect(error.details).toContain('rows[1].customer: expected string, got bytes (3)');
    expect(error.bytes).toContain('rows[1].bought_at');
    expect(await push([], { idempotency_key: '  ' })).toMatchObject({ code: 3 });
    const none = await push([wrong], { source: 'purchase' });
    expect([none.code, none.details]).toEqual([5, expect.stringContaining('Did you mean "purchases"?')]);
  });
});

it('features by columns are those by rows', async () => {
  const rows = ['ada', 'bob', 'nobody'].map((customer) => rowOf(customer, 2));
  type Cells = Record<string, Record<string, unknown>>;
  type Row = { features: Cells; statuses?: Record<string, string>; event_times?: Cells };
  const asked = { service: 'shop_features', rows };
  const byRow = (await ask<{ rows: Row[] }>('ReadFeatures', asked)).rows;
  const byColumn = await ask<{
    columns: { name: string; values: Cells[]; statuses?: string[] }[];
    event_times: { view: string; times: { timestamp_value?: unknown }[] }[];
  }>('ReadFeatures', { ...asked, layout: 'LAYOUT_COLUMNS' });
  expect(byColumn.columns.map(({ name }) => name)).toEqual(Object.keys(byRow[0]?.features ?? {}));
  const present = 'FEATURE_STATUS_PRESENT';
  for (const { name, values, statuses = rows.map(() => present) } of byColumn.columns) {
    expect(values).toEqual(byRow.map(({ features }) => features[name]));
    expect(statuses).toEqual(byRow.map((one) => one.statuses?.[name] ?? present));
  }
  for (const { view, times } of byColumn.event_times)
    expect(times.map((one) => one.timestamp_value)).toEqual(byRow.map((one) => one.event_times?.[view]));
  const error = await failed(grpc.client.raw('/headrace.v1.ServingService/ReadFeatures', Buffer.from([0x18, 7])));
  expect([error.code, error.details]).toEqual([3, expect.stringContaining('layout')]);
});

describe('a stream of requests', () => {
  const request = (id: string, model = 'checkout'): object => {
    const contents = { bytes_contents: [Buffer.from(id)] };
    return { model_name: model, id, inputs: [{ name: 'customer', datatype: 'BYTES', shape: [1], contents }] };
  };
  const without = (id: string): object => ({ ...request(id), inputs: [] });
  /** Ids of what was answered, or `id: error` in the place of one that failed; and the stream's status. */
  async function stream(requests: readonly object[], headers: Readonly<Record<string, string>> = {}) {
    const open = grpc.client.stream('/inference.GRPCInferenceService/ModelStreamInfer', { headers });
    for (const one of requests) open.write(one);
    open.end();
    const { messages, status } = await allOf(open);
    const told = (messages as { error_message?: string; infer_response: { id: string } }[]).map(
      ({ error_message: error = '', infer_response: { id } }) => (error === '' ? id : `${id}: ${error}`),
    );
    return { told, code: status.code, details: status.details };
  }

  it('is answered in their order, each failure in its place', async () => {
    const ids = Array.from({ length: 100 }, (_, at) => `r${at}`);
    const isBad = (at: number): boolean => at % 10 === 7;
    const { told, code } = await stream(ids.map((id, at) => (isBad(at) ? without(id) : request(id))));
    expect(code).toBe(0);
    expect(told).toEqual(ids.map((id, at) => (isBad(at) ? `${id}: customer: the input is missing` : id)));
  });

  it('ends with the first failure’s status where its client asks for that, and those before it are answered', async () => {
    const headers = { triton_grpc_error: 'true' };
    const bad = await stream([request('a'), request('b'), without('c'), request('d'), without('e')], headers);
    expect(bad).toMatchObject({ told: ['a', 'b'], code: 3, details: 'customer: the input is missing' });
    const unknown = await stream([request('a', 'nothing'), request('b'), request('c')], headers);
    expect(unknown).toMatchObject({ told: [], code: 5 });
    expect(unknown.details).toContain("'nothing' is not found");
    expect(await stream([request('a'), request('b')], headers)).toMatchObject({ told: ['a', 'b'], code: 0 });
  });
});

// twin: test/property/models-queue.test.ts > chooses, drops and refuses as the rules say
// twin: test/unit/models-graph.test.ts > leaves the queue with a request that is cancelled, whatever stands in
fullDescribe('calls that are given up while a model is busy', () => {
  const PREDICT = '/headrace.v1.ServingService/Predict';
  const INFER = '/inference.GRPCInferenceService/ModelInfer';
  /** Rounds of every run, and so many more of one that keeps the others waiting. */
  const [EVERY, LONG] = [1_000_000, 1_400_000];
  /** Rows a run: as many wait for their turn in the thread, at most, and no longer in the queue. */
  const BATCH = 4;

  const predict = (x: number) => ({ endpoint: 'checkout', inputs: [{ columns: { x: { double_value: x } } }] });
  const grpc = grpcForAll(
    {
      repository: ONE_NUMBER,
      features: 1,
      // Always slow enough for a thread.
      onnx: patientModel(EVERY),
      settings: {
        HEADRACE_MODELS_THREADS: '1',
        HEADRACE_MODELS_MAX_BATCH_ROWS: String(BATCH),
        HEADRACE_SERVER_REQUEST_TIMEOUT_MS: '60000',
      },
    },
    // A server waits a minute for its first models and then opens; on a busy machine this one takes longer.
    ({ client }) => vi.waitFor(() => client.call(PREDICT, predict(0)), { timeout: 60_000, interval: 500 }),
  );

  const infer = (x: number) => ({
    model_name: 'checkout',
    inputs: [{ name: 'x', datatype: 'FP64', shape: [1], contents: { fp64_contents: [x] } }],
  });
  const rowsRun = (): number =>
    grpc.open.serving.planes.inference.statistics('checkout').reduce((sum, { rows }) => sum + rows, 0);
  const aMoment = () => new Promise((resolve) => setTimeout(resolve, 100));
  const codeOf = (method: string, message: object, options: CallOptions) =>
    grpc.client.call(method, message, options).catch((error: unknown) => (error as ServiceError).code);
  /** The long one and the one that was kept, and of those that were given up what the thread had in hand. */
  function expectFewRan(before: number): void {
    const ran = rowsRun() - before;
    expect(ran).toBeGreaterThanOrEqual(2);
    expect(ran).toBeLessThanOrEqual(2 + BATCH);
  }

  it.each([
    ['the native API', PREDICT, predict],
    ['the Open Inference Protocol', INFER, infer],
  ] as const)(
    'leave the queue: %s',
    async (_, method, message) => {
      await grpc.client.call(method, message(0));
      const before = rowsRun();
      const busy = grpc.client.call(method, message(LONG));
      await aMoment();
      const calls: { cancel(): void }[] = [];
      const onCall = (call: (typeof calls)[number]) => void calls.push(call);
      const givenUp = Array.from({ length: 30 }, () => codeOf(method, message(1), { onCall }));
      const kept = grpc.client.call(method, message(2));
      await aMoment();
      for (const call of calls) call.cancel();
      expect(new Set(await Promise.all(givenUp))).toEqual(new Set([1]));
      await Promise.all([busy, kept]);
      expectFewRan(before);
    },
    60_000,
  );

  it('of a stream that is given up leave it, too, while calls beside it are answered', async () => {
    const before = rowsRun();
    const busy = grpc.client.call(INFER, infer(LONG));
    await aMoment();
    const stream = grpc.client.stream('/inference.GRPCInferenceService/ModelStreamInfer');
    for (let i = 0; i < 10; i++) stream.write(infer(1));
    const ended = allOf(stream);
    const kept = grpc.client.call(PREDICT, predict(2));
    await aMoment();
    stream.cancel();
    expect((await ended).status.code).toBe(1);
    await Promise.all([busy, kept]);
    expectFewRan(before);
  }, 60_000);
});
