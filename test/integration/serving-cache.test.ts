// An endpoint that keeps what its models answer: the same answers as without, by whatever protocol, for whichever version, and
// every prediction counted, logged and shadowed as one.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Float64, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import { registerModelFile } from '../../src/app/index.ts';
import { queryPredictionLog } from '../../src/monitoring/index.ts';
import { type GrpcClient, grpcClient } from '../support/grpc-client.ts';
import { NOT_IN_TABLE, ONE_NUMBER } from '../support/one-number.ts';
import { centeringModel, linearModel, lookUpModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';

const REPOSITORY = `${ONE_NUMBER.replace("unit: ['x'] }", "unit: ['x'], cache: { ttl: '1h' } }")}
export const bare = endpoint('bare', { model: returns });
`;

let on: OpenServing;
let grpc: GrpcClient;
beforeAll(async () => {
  on = await openServing({ repository: REPOSITORY, features: 1, onnx: linearModel(1), serve: { grpcPort: 0 } });
  for (const onnx of [linearModel(1, { scale: 2 }), lookUpModel(), centeringModel(1)])
    await registerModelFile(on.app, { model: 'returns', onnx: Buffer.from(onnx) });
  grpc = grpcClient(on.serving.grpcAddress as string);
}, 60_000);
afterAll(async () => {
  grpc.close();
  await on.close();
});

let [next, rows] = [0, { hit: 0, miss: 0, shared: 0 }];
/** A number that was not asked for yet: texts of the log's rows begin with it. */
const fresh = (): number => ++next;

async function serve(version: number, more: object = {}): Promise<void> {
  const payload = { variants: [{ name: 'stable', version, weight: 100 }], ...more };
  const answer = await on.serving.server.inject({ method: 'PUT', url: '/v1/endpoints/checkout', payload });
  expect(answer.statusCode).toBe(200);
}

interface Timings {
  readonly timings: readonly { readonly rows: number; readonly cached_rows: number; readonly inference_ms: number }[];
}

async function predict(xs: readonly number[], options: object = {}, endpoint = 'checkout') {
  const inputs = xs.map((x) => ({ x }));
  const answer = await on.post(`/v1/endpoints/${endpoint}/predict`, {
    inputs,
    options: { return_timings: true, partial: true, ...options },
  });
  expect(answer.statusCode).toBe(200);
  const { predictions } = answer.json();
  const [timing] = (answer.json() as unknown as Timings).timings;
  const outputs = predictions.map((one) => (one.outputs as { probability: number } | undefined)?.probability);
  return { outputs, ids: predictions.map((one) => one.prediction_id), timing, predictions };
}

async function metric(name: string): Promise<number> {
  const { body } = await on.serving.server.inject('/metrics');
  const line = body.split('\n').find((one) => one.startsWith(`${name} `));
  if (line === undefined) throw new Error(`there is no ${name}`);
  return Number(line.slice(name.length));
}

/** How many rows were found, were not, or waited for another's run, since the last time. */
async function counted(): Promise<typeof rows> {
  const of = (result: string) => metric(`headrace_cache_rows_total{endpoint="checkout",result="${result}"}`);
  const now = { hit: await of('hit'), miss: await of('miss'), shared: await of('shared') };
  const before = rows;
  rows = now;
  return { hit: now.hit - before.hit, miss: now.miss - before.miss, shared: now.shared - before.shared };
}

beforeEach(async () => {
  await serve(1);
  await counted();
});

describe('a row that was answered before', () => {
  it('is answered the same, as a prediction of its own, and the timings say where from', async () => {
    const x = fresh();
    const one = await predict([x]);
    const other = await predict([x, fresh(), x]);
    expect(one).toMatchObject({ outputs: [x], timing: { rows: 1, cached_rows: 0 } });
    expect(other).toMatchObject({ outputs: [x, next, x], timing: { rows: 3, cached_rows: 2 } });
    expect(new Set([...one.ids, ...other.ids]).size).toBe(4);
    expect(await counted()).toEqual({ hit: 2, miss: 2, shared: 0 });
    expect(await metric('headrace_cache_entries{endpoint="checkout"}')).toBeGreaterThanOrEqual(2);
    expect(await metric('headrace_cache_size_bytes{endpoint="checkout"}')).toBeGreaterThan(0);
  });

  it('shows its features as ever', async () => {
    const x = fresh();
    const [first] = (await predict([x], { return_features: true })).predictions;
    const [second] = (await predict([x], { return_features: true })).predictions;
    expect(second).toEqual({ ...first, prediction_id: second?.prediction_id });
    expect(second?.features).toEqual({ given__x: x });
  });

  it('runs for an endpoint that keeps nothing', async () => {
    const x = fresh();
    for (let i = 0; i < 2; i++) expect(await predict([x], {}, 'bare')).toMatchObject({ timing: { cached_rows: 0 } });
    expect(await counted()).toEqual({ hit: 0, miss: 0, shared: 0 });
  });

  it('is found whichever protocol it comes by', async () => {
    const x = fresh();
    const answers: number[] = [];
    answers.push(...((await predict([x])).outputs as number[]));
    const inputs = [{ name: 'x', shape: [1], datatype: 'FP64', data: [x] }];
    const oip = await on.post('/v2/models/checkout/infer', { inputs });
    answers.push((oip.json() as unknown as { outputs: [{ data: [number] }] }).outputs[0].data[0]);
    const arrow = await on.serving.server.inject({
      method: 'POST',
      url: '/v1/endpoints/checkout/predict',
      headers: { 'content-type': 'application/vnd.apache.arrow.stream' },
      payload: Buffer.from(tableToIPC(new Table({ x: vectorFromArray([x], new Float64()) }), 'stream')),
    });
    answers.push(
      (arrow.json() as { predictions: [{ outputs: { probability: number } }] }).predictions[0].outputs.probability,
    );
    const { answer } = await grpc.call('/headrace.v1.ServingService/Predict', {
      endpoint: 'checkout',
      inputs: [{ columns: { x: { double_value: x } } }],
      return_timings: true,
    });
    const told = answer as { predictions: [{ outputs: { probability: { double_value: number } } }]; timings: [object] };
    answers.push(told.predictions[0].outputs.probability.double_value);
    expect(told.timings[0]).toMatchObject({ rows: '1', cached_rows: '1' });
    expect(answers).toEqual([x, x, x, x]);
    expect(await counted()).toEqual({ hit: 3, miss: 1, shared: 0 });
  });
});

describe('a version', () => {
  it('answers by its own runs alone, through a switch and back, and leaves nothing behind', async () => {
    const x = fresh();
    expect((await predict([x])).outputs).toEqual([x]);
    await serve(2);
    expect(await predict([x])).toMatchObject({ outputs: [2 * x], timing: { cached_rows: 0 } });
    expect(await predict([x])).toMatchObject({ outputs: [2 * x], timing: { cached_rows: 1 } });
    // What the first one has answered goes with its plan.
    await expect.poll(() => metric('headrace_cache_entries{endpoint="checkout"}')).toBe(1);
    await serve(1);
    expect(await predict([x])).toMatchObject({ outputs: [x], timing: { cached_rows: 0 } });
  });

  it('keeps its answers over a change of traffic that leaves it', async () => {
    const x = fresh();
    await predict([x]);
    const variants = [
      { name: 'stable', version: 1, weight: 99.99 },
      { name: 'candidate', version: 2, weight: 0.01 },
    ];
    await serve(1, { variants });
    expect(await predict([x])).toMatchObject({ outputs: [x], timing: { cached_rows: 1 } });
  });

  it('that fails a row fails it again', async () => {
    await serve(3);
    for (let i = 0; i < 2; i++) {
      const { outputs, predictions } = await predict([NOT_IN_TABLE, 3]);
      expect(outputs).toEqual([undefined, 30]);
      expect(predictions[0]).toMatchObject({ error: { code: 'HR_INFERENCE_FAILED' } });
    }
    expect(await counted()).toEqual({ hit: 1, miss: 3, shared: 0 });
  });
});

describe('a model that answers rows by each other', () => {
  it('answers those that come together as ever, and keeps what comes alone', async () => {
    await serve(4);
    for (let i = 0; i < 2; i++)
      expect(await predict([1, 3])).toMatchObject({ outputs: [-1, 1], timing: { cached_rows: 0 } });
    for (const cached of [0, 1])
      expect(await predict([3])).toMatchObject({ outputs: [0], timing: { cached_rows: cached } });
    expect(await predict([1, 3])).toMatchObject({ outputs: [-1, 1], timing: { cached_rows: 0 } });
  });
});

describe('every prediction', () => {
  it('is counted by its variant, and shadowed', async () => {
    const predictions = 'headrace_predictions_total{endpoint="checkout",variant="stable",version="1"}';
    const pairs = 'headrace_shadow_pairs_total{endpoint="checkout",version="2"}';
    await serve(1, { shadows: [{ version: 2, percent: 100 }] });
    const before = await metric(predictions);
    const x = fresh();
    for (let i = 0; i < 5; i++) await predict([x]);
    expect(await metric(predictions)).toBe(before + 5);
    await expect.poll(() => metric(pairs), { timeout: 10_000 }).toBe(5);
    expect(await counted()).toEqual({ hit: 4, miss: 1, shared: 0 });
  });

  it('is logged, and the log says for which the model ran', async () => {
    const x = fresh();
    for (let i = 0; i < 2; i++) await predict([x, x]);
    const question = {
      directory: on.app.config.values['predictionLog.path'],
      sql: `SELECT cached, count(*), count(DISTINCT prediction_id), any_value(CAST(outputs->>'probability' AS DOUBLE)) FROM predictions
        WHERE endpoint = 'checkout' AND variant = 'stable' AND CAST(request->>'x' AS DOUBLE) = ${x} GROUP BY cached ORDER BY cached`,
      limit: 10,
      startsAt: on.project.directory,
    };
    const duckdb = await on.app.duckdb();
    await expect
      .poll(async () => (await queryPredictionLog(duckdb, question)).rows, { timeout: 5000 })
      .toEqual([
        [false, 1, 1, x],
        [true, 3, 3, x],
      ]);
  });
});
