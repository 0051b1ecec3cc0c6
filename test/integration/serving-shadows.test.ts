// A version that shadows: it gets copies of what was answered, is compared and logged, and never changes an answer.

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { applyRepository, openApp, registerModelFile } from '../../src/app/index.ts';
import { serveInProcess } from '../../src/app/serve-worker.ts';
import { silentLogger } from '../../src/core/index.ts';
import { queryPredictionLog } from '../../src/monitoring/index.ts';
import { NOT_IN_TABLE, ONE_NUMBER } from '../support/one-number.ts';
import { constantModel, linearModel, lookUpModel, patientModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';

let open: OpenServing | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

/** Version 1 answers with `x`; `versions`: further ones. */
async function serve(versions: readonly Uint8Array[], repository = ONE_NUMBER): Promise<OpenServing> {
  open = await openServing({ repository, features: 1, onnx: linearModel(1) });
  for (const onnx of versions) await registerModelFile(open.app, { model: 'returns', onnx: Buffer.from(onnx) });
  return open;
}

const STABLE = [{ name: 'stable', version: 1, weight: 100 }];

async function put(to: OpenServing, body: object): Promise<{ readonly status: number; readonly body: object }> {
  const answer = await to.serving.server.inject({ method: 'PUT', url: '/v1/endpoints/checkout', payload: body });
  return { status: answer.statusCode, body: answer.json() as object };
}

const shadowBy = (to: OpenServing, ...versions: readonly number[]) =>
  put(to, { variants: STABLE, shadows: versions.map((version) => ({ version, percent: 100 })) });

interface Told {
  readonly version: number;
  readonly percent: number | null;
  readonly pairs: number;
  readonly errors: number;
  readonly error_codes: Readonly<Record<string, number>>;
  readonly agreement: number | null;
  readonly mean_abs_difference: number | null;
  readonly psi: number | null;
  readonly latency_ms: Readonly<Record<'primary' | 'shadow', { readonly p50: number | null }>>;
  readonly dropped: Readonly<Record<string, number>>;
}

async function shadowsOf({ serving }: Pick<OpenServing, 'serving'>): Promise<readonly Told[]> {
  const answer = await serving.server.inject('/v1/endpoints/checkout/shadows');
  return (answer.json() as { readonly shadows: readonly Told[] }).shadows;
}

type Predictions = readonly { readonly prediction_id: string; readonly outputs: object }[];

async function predict(to: OpenServing, ...xs: readonly (number | string)[]): Promise<Predictions> {
  const answer = await to.post('/v1/endpoints/checkout/predict', { inputs: xs.map((x) => ({ x })) });
  expect(answer.statusCode).toBe(200);
  return answer.json().predictions;
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((all, one) => all + one, 0);

/** What the first shadow tells once all shadows together have so many rows behind them. */
async function settled(of: OpenServing, rows: number): Promise<Told> {
  const counted = async (): Promise<number> =>
    (await shadowsOf(of)).reduce((all, { pairs, errors, dropped }) => all + pairs + errors + sum(dropped), 0);
  await expect.poll(counted, { timeout: 12_000 }).toBe(rows);
  return (await shadowsOf(of))[0] as Told;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

describe('a shadow', () => {
  it('is compared with what was answered, and told of by its endpoint and by metrics', async () => {
    const on = await serve([constantModel(1, 7)]);
    expect(await shadowsOf(on)).toEqual([]);
    const set = await shadowBy(on, 2);
    expect(set).toMatchObject({ status: 200, body: { shadows: [{ version: 2, percent: 100 }], state: 'serving' } });
    expect(await shadowsOf(on)).toMatchObject([{ version: 2, percent: 100, pairs: 0, agreement: null, psi: null }]);
    expect((await predict(on, 5, 6, 7, 8)).map(({ outputs }) => outputs)).toEqual(
      [5, 6, 7, 8].map((probability) => ({ probability })),
    );
    const told = await settled(on, 4);
    expect(told).toMatchObject({ pairs: 4, errors: 0, agreement: 0.25, mean_abs_difference: 1, dropped: {} });
    expect(told.psi).toBeGreaterThan(0.5);
    expect(told.latency_ms.primary.p50).toBeGreaterThan(0);
    expect(told.latency_ms.shadow.p50).toBeGreaterThan(0);
    const { body } = await on.serving.server.inject('/metrics');
    for (const line of [
      'headrace_shadow_pairs_total{endpoint="checkout",version="2"} 4',
      'headrace_shadow_agreed_total{endpoint="checkout",version="2"} 1',
      'headrace_shadow_mean_abs_difference{endpoint="checkout",version="2"} 1',
      'headrace_shadow_duration_seconds_count{endpoint="checkout",version="2"} 4',
      // What was answered is no business of it.
      'headrace_predictions_total{endpoint="checkout",variant="stable",version="1"} 4',
    ])
      expect(body).toContain(line);
  });

  it('agrees where its answers are within 1 % of those that were given', async () => {
    const on = await serve([linearModel(1, { scale: 1.009 }), linearModel(1, { scale: 1.02 })]);
    await shadowBy(on, 2, 3);
    await predict(on, ...upTo(10));
    await settled(on, 20);
    expect((await shadowsOf(on)).map(({ agreement }) => agreement)).toEqual([1, 0]);
  });

  it('gets its share of the units, and the same ones each time', async () => {
    const on = await serve([constantModel(1, 7)]);
    await put(on, { variants: STABLE, shadows: [{ version: 2, percent: 40 }] });
    await predict(on, ...upTo(200));
    // One that gets all comes after them.
    await put(on, { variants: STABLE, shadows: [{ version: 2, percent: 40 }] });
    const first = (await shadowsOf(on))[0] as Told;
    const got = first.pairs + sum(first.dropped);
    expect(got).toBeGreaterThan(50);
    expect(got).toBeLessThan(110);
    await predict(on, ...upTo(200));
    await settled(on, 2 * got);
  });

  it('is in the log as itself, and joined to what was answered by the prediction’s id', async () => {
    const on = await serve([linearModel(1, { scale: 3 })]);
    await shadowBy(on, 2);
    const [prediction] = await predict(on, 4);
    await settled(on, 1);
    const duckdb = await on.app.duckdb();
    const question = {
      directory: on.app.config.values['predictionLog.path'],
      sql: `SELECT answered.prediction_id, CAST(answered.outputs->>'probability' AS DOUBLE),
          CAST(shadow.outputs->>'probability' AS DOUBLE), shadow.version, shadow.request->>'x'
        FROM predictions AS shadow JOIN predictions AS answered
          ON shadow.prediction_id = answered.prediction_id || '~' || shadow.version
        WHERE shadow.variant = 'shadow'`,
      limit: 10,
      startsAt: on.project.directory,
    };
    await expect
      .poll(async () => (await queryPredictionLog(duckdb, question)).rows, { timeout: 5000 })
      .toEqual([[prediction?.prediction_id, 4, 12, 2, '4']]);
  });

  it('that fails is counted with its errors, and the answers are as they were', async () => {
    const on = await serve([lookUpModel()]);
    await shadowBy(on, 2);
    expect((await predict(on, 1, NOT_IN_TABLE, 2)).map(({ outputs }) => outputs)).toEqual([
      { probability: 1 },
      { probability: NOT_IN_TABLE },
      { probability: 2 },
    ]);
    const told = await settled(on, 3);
    expect(told).toMatchObject({ pairs: 2, errors: 1, error_codes: { HR_INFERENCE_FAILED: 1 } });
    const { body } = await on.serving.server.inject('/metrics');
    expect(body).toContain(
      'headrace_shadow_errors_total{endpoint="checkout",version="2",code="HR_INFERENCE_FAILED"} 1',
    );
    expect(body).toContain(
      'headrace_prediction_errors_total{endpoint="checkout",variant="stable",version="1",outcome="failed"} 0',
    );
  });

  it('that gives no number disagrees, and leaves the mean difference what it is', async () => {
    const on = await serve([linearModel(1, { scale: 0 })]);
    await shadowBy(on, 2);
    await predict(on, 3, 'Infinity');
    const told = await settled(on, 2);
    expect(told).toMatchObject({ pairs: 2, errors: 0, agreement: 0, mean_abs_difference: 3 });
  });

  it('that takes longer than it may is dropped, while answers come as before', async () => {
    const on = await serve([patientModel()]);
    await shadowBy(on, 2);
    // Some 100 ns a round.
    await predict(on, 1e9);
    const startMs = performance.now();
    for (const x of upTo(20)) await predict(on, x);
    expect(performance.now() - startMs).toBeLessThan(4000);
    const told = await settled(on, 21);
    expect(told.pairs + sum(told.dropped)).toBe(21);
    expect(told.dropped['late']).toBeGreaterThanOrEqual(1);
  }, 30_000);

  it('ends with its traffic, and what it has told stays', async () => {
    const on = await serve([constantModel(1, 7)]);
    await shadowBy(on, 2);
    await predict(on, 1, 2);
    await settled(on, 2);
    expect(await put(on, { variants: STABLE, shadows: [] })).toMatchObject({ status: 200, body: { shadows: [] } });
    await predict(on, 3);
    expect(await shadowsOf(on)).toMatchObject([{ version: 2, percent: null, pairs: 2 }]);
  });
});

/** The one file in the artifact store that holds these bytes. */
function artifactOf(on: OpenServing, bytes: Uint8Array): string {
  const root = on.project.file('.headrace/artifacts');
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return paths.find((path) => Buffer.compare(readFileSync(path), bytes) === 0) as string;
}

describe('a shadow that can not be loaded', () => {
  it('keeps the change from being active', async () => {
    const on = await serve([constantModel(1, 7)]);
    rmSync(artifactOf(on, constantModel(1, 7)));
    const set = await shadowBy(on, 2);
    expect(set).toMatchObject({ status: 409, body: { code: 'HR_NOT_PREPARED' } });
    expect(await shadowsOf(on)).toEqual([]);
  });

  it('keeps the change from being active where requests would have to carry more for it', async () => {
    const on = await serve([]);
    const further = ONE_NUMBER.replace('request: { x: t.float64() }', 'request: { x: t.float64(), y: t.float64() }');
    on.project.write('feature_repo/shop.ts', further.replace('x: request.x', 'x: request.x! + request.y!'));
    // One that has read no definitions yet.
    const app = await openApp({ environment: on.app.environment, logger: silentLogger });
    await applyRepository(app, { allowBreaking: true });
    await registerModelFile(app, { model: 'returns', onnx: Buffer.from(constantModel(1, 7)) });
    await app.close();
    const set = await shadowBy(on, 2);
    expect(set).toMatchObject({ status: 409, body: { code: 'HR_NOT_PREPARED' } });
    expect(JSON.stringify(set.body)).toContain('needs request column \\"y\\", which no variant takes');
    await predict(on, 1);
  });

  it('later leaves the endpoint serving, which says so, and counts what it would have got', async () => {
    const on = await serve([constantModel(1, 7)]);
    await shadowBy(on, 2);
    const path = artifactOf(on, constantModel(1, 7));
    await on.serving.stop();
    rmSync(path);
    const again = await serveInProcess(on.app, { host: '127.0.0.1', port: 0, hasDocs: false });
    try {
      const shown = (await again.server.inject('/v1/endpoints/checkout')).json() as { readonly reason: string };
      expect(shown).toMatchObject({ state: 'serving', wanted: [1], served: [1] });
      expect(shown.reason).toMatch(/^version 2 of model "returns": artifact [0-9a-f]{64} is not in the store/);
      expect((await again.server.inject('/health/ready')).statusCode).toBe(200);
      const payload = { inputs: [{ x: 1 }, { x: 2 }] };
      const answer = await again.server.inject({ method: 'POST', url: '/v1/endpoints/checkout/predict', payload });
      expect(answer.statusCode).toBe(200);
      expect(await shadowsOf({ serving: again })).toMatchObject([{ version: 2, pairs: 0, dropped: { unloaded: 2 } }]);
    } finally {
      await again.stop();
    }
  });
});
