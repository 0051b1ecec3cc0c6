// An endpoint that keeps what its models answer: the same answers by whatever protocol, and every prediction counted and logged.

import { beforeEach, describe, expect, it } from 'vitest';
import { Float64, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import { registerModelFile } from '../../src/app/index.ts';
import { queryPredictionLog } from '../../src/monitoring/index.ts';
import { ONE_NUMBER } from '../support/one-number.ts';
import { linearModel } from '../support/onnx-model.ts';
import { grpcForAll } from '../support/grpc-serving.ts';

const REPOSITORY = `${ONE_NUMBER.replace("unit: ['x'] }", "unit: ['x'], cache: { ttl: '1h' } }")}
export const bare = endpoint('bare', { model: returns });
`;

const grpc = grpcForAll({ repository: REPOSITORY, features: 1, onnx: linearModel(1) }, ({ open: { app } }) =>
  registerModelFile(app, { model: 'returns', onnx: Buffer.from(linearModel(1, { scale: 2 })) }),
);

let [next, rows] = [0, { hit: 0, miss: 0, shared: 0 }];
/** A number that was not asked for yet: texts of the log's rows begin with it. */
const fresh = (): number => ++next;

async function serve(version: number, more: object = {}): Promise<void> {
  const payload = { variants: [{ name: 'stable', version, weight: 100 }], ...more };
  const answer = await grpc.open.serving.server.inject({ method: 'PUT', url: '/v1/endpoints/checkout', payload });
  expect(answer.statusCode).toBe(200);
}

async function predict(xs: readonly number[], options: object = {}, endpoint = 'checkout') {
  const answer = await grpc.open.post(`/v1/endpoints/${endpoint}/predict`, {
    inputs: xs.map((x) => ({ x })),
    options: { return_timings: true, partial: true, ...options },
  });
  expect(answer.statusCode).toBe(200);
  const { predictions, timings } = answer.json();
  const outputs = predictions.map((one) => (one.outputs as { probability: number } | undefined)?.probability);
  return { outputs, ids: predictions.map((one) => one.prediction_id), timing: (timings as [object])[0], predictions };
}

/** How many rows were found, were not, or waited for another's run, since the last time. */
async function counted(): Promise<typeof rows> {
  const of = (result: string) => grpc.open.metric(`headrace_cache_rows_total{endpoint="checkout",result="${result}"}`);
  const before = rows;
  rows = { hit: await of('hit'), miss: await of('miss'), shared: await of('shared') };
  return { hit: rows.hit - before.hit, miss: rows.miss - before.miss, shared: rows.shared - before.shared };
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
    expect(await grpc.open.metric('headrace_cache_entries{endpoint="checkout"}')).toBeGreaterThanOrEqual(2);
    expect(await grpc.open.metric('headrace_cache_size_bytes{endpoint="checkout"}')).toBeGreaterThan(0);
  });

  it('runs for an endpoint that keeps nothing', async () => {
    const x = fresh();
    for (let i = 0; i < 2; i++) expect(await predict([x], {}, 'bare')).toMatchObject({ timing: { cached_rows: 0 } });
    expect(await counted()).toEqual({ hit: 0, miss: 0, shared: 0 });
  });

  it('is found whichever protocol it comes by', async () => {
    const x = fresh();
    type Outputs<Value> = readonly [{ readonly outputs: { readonly probability: Value } }];
    const inputs = [{ name: 'x', shape: [1], datatype: 'FP64', data: [x] }];
    const [first] = (await predict([x])).outputs;
    const oip = (await grpc.open.post('/v2/models/checkout/infer', { inputs })).json()['outputs'] as [
      { data: [number] },
    ];
    const arrow = await grpc.open.serving.server.inject({
      method: 'POST',
      url: '/v1/endpoints/checkout/predict',
      headers: { 'content-type': 'application/vnd.apache.arrow.stream' },
      payload: Buffer.from(tableToIPC(new Table({ x: vectorFromArray([x], new Float64()) }), 'stream')),
    });
    const [third] = arrow.json().predictions as Outputs<number>;
    const { answer } = await grpc.client.call('/headrace.v1.ServingService/Predict', {
      endpoint: 'checkout',
      inputs: [{ columns: { x: { double_value: x } } }],
      return_timings: true,
    });
    const told = answer as { predictions: Outputs<{ double_value: number }>; timings: [object] };
    expect(told.timings).toMatchObject([{ rows: '1', cached_rows: '1' }]);
    const fourth = told.predictions[0].outputs.probability.double_value;
    expect([first, oip[0].data[0], third.outputs.probability, fourth]).toEqual([x, x, x, x]);
    expect(await counted()).toEqual({ hit: 3, miss: 1, shared: 0 });
  });
});

describe('a version', () => {
  it('answers by its own runs alone, through a switch and back, and leaves nothing behind', async () => {
    const x = fresh();
    expect((await predict([x])).outputs).toEqual([x]);
    await serve(2);
    for (const cached_rows of [0, 1])
      expect(await predict([x])).toMatchObject({ outputs: [2 * x], timing: { cached_rows } });
    // What the first one has answered goes with its plan.
    await expect.poll(() => grpc.open.metric('headrace_cache_entries{endpoint="checkout"}')).toBe(1);
    await serve(1);
    expect(await predict([x])).toMatchObject({ outputs: [x], timing: { cached_rows: 0 } });
  });

  it('keeps its answers over a change of traffic that leaves it', async () => {
    const x = fresh();
    await predict([x]);
    const candidate = { name: 'candidate', version: 2, weight: 0.01 };
    await serve(1, { variants: [{ name: 'stable', version: 1, weight: 99.99 }, candidate] });
    expect(await predict([x])).toMatchObject({ outputs: [x], timing: { cached_rows: 1 } });
  });
});

describe('every prediction', () => {
  it('is counted by its variant, and shadowed', async () => {
    const predictions = 'headrace_predictions_total{endpoint="checkout",variant="stable",version="1"}';
    const pairs = 'headrace_shadow_pairs_total{endpoint="checkout",version="2"}';
    await serve(1, { shadows: [{ version: 2, percent: 100 }] });
    const before = await grpc.open.metric(predictions);
    const x = fresh();
    for (let i = 0; i < 5; i++) await predict([x]);
    expect(await grpc.open.metric(predictions)).toBe(before + 5);
    await expect.poll(() => grpc.open.metric(pairs), { timeout: 10_000 }).toBe(5);
    expect(await counted()).toEqual({ hit: 4, miss: 1, shared: 0 });
  });

  it('is logged, and the log says for which the model ran', async () => {
    const x = fresh();
    for (let i = 0; i < 2; i++) await predict([x, x]);
    const question = {
      directory: grpc.open.app.config.values['predictionLog.path'],
      sql: `SELECT cached, count(*), count(DISTINCT prediction_id), any_value(CAST(outputs->>'probability' AS DOUBLE)) FROM predictions
        WHERE endpoint = 'checkout' AND variant = 'stable' AND CAST(request->>'x' AS DOUBLE) = ${x} GROUP BY cached ORDER BY cached`,
      limit: 10,
      startsAt: grpc.open.project.directory,
    };
    const duckdb = await grpc.open.app.duckdb();
    await expect
      .poll(async () => (await queryPredictionLog(duckdb, question)).rows, { timeout: 5000 })
      .toEqual([
        [false, 1, 1, x],
        [true, 3, 3, x],
      ]);
  });
});
