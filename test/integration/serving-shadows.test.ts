// A version that shadows: it gets copies of what was answered, is compared and logged, and never changes an answer.

import { rmSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { applyRepository, registerModelFile } from '../../src/app/index.ts';
import { serveInProcess } from '../../src/app/serve-worker.ts';
import { isShadowed } from '../../src/rollouts/index.ts';
import { NOT_IN_TABLE, ONE_NUMBER } from '../support/one-number.ts';
import { constantModel, linearModel, lookUpModel, patientModel } from '../support/onnx-model.ts';
import { artifactOf, openForAll, openForTest, queryLog, withOperator } from '../support/open-for.ts';
import type { OpenServing } from '../support/open-serving.ts';
import { fullIt } from '../support/tier.ts';

const GIVEN = { repository: ONE_NUMBER, features: 1, onnx: linearModel(1) };
const register = ({ app }: Pick<OpenServing, 'app'>, onnx: Uint8Array) =>
  registerModelFile(app, { model: 'returns', onnx: Buffer.from(onnx) });

async function put(to: OpenServing, ...shadows: { version: number; percent: number }[]) {
  const payload = { variants: [{ name: 'stable', version: 1, weight: 100 }], shadows };
  const answer = await to.serving.server.inject({ method: 'PUT', url: '/v1/endpoints/checkout', payload });
  return { status: answer.statusCode, body: answer.json() as object };
}
const shadowBy = (to: OpenServing, version: number) => put(to, { version, percent: 100 });
const REFUSED = { status: 409, body: { code: 'HR_NOT_PREPARED' } };

interface Told {
  readonly version: number;
  readonly pairs: number;
  readonly errors: number;
  readonly agreement: number | null;
  readonly psi: number | null;
  readonly latency_ms: Readonly<Record<'primary' | 'shadow', { readonly p50: number | null }>>;
  readonly dropped: Readonly<Record<string, number>>;
}

async function shadowsOf({ server }: Pick<OpenServing['serving'], 'server'>): Promise<readonly Told[]> {
  const answer = await server.inject('/v1/endpoints/checkout/shadows');
  return (answer.json() as { readonly shadows: readonly Told[] }).shadows;
}

/** Predicts, and gives the outputs. */
async function predict(to: OpenServing, ...xs: readonly (number | string)[]): Promise<readonly unknown[]> {
  const answer = await to.post('/v1/endpoints/checkout/predict', { inputs: xs.map((x) => ({ x })) });
  expect(answer.statusCode).toBe(200);
  return answer.json().predictions.map(({ outputs }) => (outputs as { probability: unknown }).probability);
}

/** What a shadow tells once it has so many rows behind it, whatever became of them. */
async function settled(of: OpenServing, version: number, rows: number): Promise<Told> {
  let told: Told | undefined;
  const counted = async (): Promise<number> => {
    told = (await shadowsOf(of.serving)).find((one) => one.version === version);
    const dropped = Object.values(told?.dropped ?? {}).reduce((all, one) => all + one, 0);
    return told === undefined ? 0 : told.pairs + told.errors + dropped;
  };
  await expect.poll(counted, { timeout: 60_000 }).toBe(rows);
  return told as unknown as Told;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

/** Definitions whose rows have another column, which is added to `x`, and a version that is trained with it. */
async function applyAnd(on: OpenServing, column: string, onnx: Uint8Array): Promise<void> {
  const further = ONE_NUMBER.replace('request: { x: t.float64() }', `request: { x: t.float64(), ${column} }`);
  on.project.write('feature_repo/shop.ts', further.replace('x: request.x', 'x: request.x! + request.y!'));
  await withOperator(on, async (app) => {
    await applyRepository(app, { allowBreaking: true });
    await register({ app }, onnx);
  });
}

describe('a shadow', () => {
  // Each test has versions of its own, from 2 on, so that none counts another's rows.
  const SCALES = [2, 3].map((scale) => linearModel(1, { scale }));
  const VERSIONS = [constantModel(1, 7), ...SCALES, lookUpModel(), linearModel(1, { scale: 0 })];
  const on = openForAll(GIVEN, async (open) => {
    for (const onnx of VERSIONS) await register(open, onnx);
  });
  const metrics = async (): Promise<string> => (await on.serving.server.inject('/metrics')).body;

  it('is compared with what was answered, and told of by its endpoint and by metrics', async () => {
    expect(await shadowsOf(on.serving)).toEqual([]);
    const set = await shadowBy(on, 2);
    expect(set).toMatchObject({ status: 200, body: { shadows: [{ version: 2, percent: 100 }], state: 'serving' } });
    const none = { version: 2, percent: 100, pairs: 0, agreement: null, psi: null };
    expect(await shadowsOf(on.serving)).toMatchObject([none]);
    expect(await predict(on, 5, 6, 7, 8)).toEqual([5, 6, 7, 8]);
    const told = await settled(on, 2, 4);
    expect(told).toMatchObject({ pairs: 4, errors: 0, agreement: 0.25, mean_abs_difference: 1, dropped: {} });
    expect(told.psi).toBeGreaterThan(0.5);
    expect(told.latency_ms.primary.p50).toBeGreaterThan(0);
    expect(told.latency_ms.shadow.p50).toBeGreaterThan(0);
    const text = await metrics();
    for (const line of [
      'headrace_shadow_pairs_total{endpoint="checkout",version="2"} 4',
      'headrace_shadow_agreed_total{endpoint="checkout",version="2"} 1',
      'headrace_shadow_mean_abs_difference{endpoint="checkout",version="2"} 1',
      'headrace_shadow_duration_seconds_count{endpoint="checkout",version="2"} 4',
      // What was answered is no business of it.
      'headrace_predictions_total{endpoint="checkout",variant="stable",version="1"} 4',
    ])
      expect(text).toContain(line);
  });

  it('gets its share of the units, and the same ones each time', async () => {
    await put(on, { version: 3, percent: 40 });
    const { salt } = await (await on.app.registry()).endpoints.get('checkout');
    const share = upTo(200).filter((x) => isShadowed(salt, 3, 40, String(x))).length;
    expect(share).toBeGreaterThan(50);
    expect(share).toBeLessThan(110);
    for (const times of [1, 2]) {
      await predict(on, ...upTo(200));
      await settled(on, 3, times * share);
    }
  });

  it('is in the log as itself, and joined to what was answered by the prediction’s id', async () => {
    await shadowBy(on, 4);
    await predict(on, 4);
    await settled(on, 4, 1);
    const sql = `SELECT CAST(answered.outputs->>'probability' AS DOUBLE) AS answered,
        CAST(shadow.outputs->>'probability' AS DOUBLE) AS shadowed, shadow.request->>'x' AS x
      FROM predictions AS shadow JOIN predictions AS answered
        ON shadow.prediction_id = answered.prediction_id || '~' || shadow.version
      WHERE shadow.variant = 'shadow' AND shadow.version = 4`;
    const logged = async () => {
      // Writes out what waits.
      await on.post('/v1/endpoints/checkout/outcomes', { outcomes: [{ prediction_id: 'none', value: 1 }] });
      return queryLog(on.app, sql);
    };
    await expect.poll(logged, { timeout: 60_000 }).toEqual([{ answered: 4, shadowed: 12, x: '4' }]);
  });

  it('that fails is counted with its errors, and the answers are as they were', async () => {
    await shadowBy(on, 5);
    expect(await predict(on, 1, NOT_IN_TABLE, 2)).toEqual([1, NOT_IN_TABLE, 2]);
    const told = await settled(on, 5, 3);
    expect(told).toMatchObject({ pairs: 2, errors: 1, error_codes: { HR_INFERENCE_FAILED: 1 } });
    const text = await metrics();
    expect(text).toContain(
      'headrace_shadow_errors_total{endpoint="checkout",version="5",code="HR_INFERENCE_FAILED"} 1',
    );
    expect(text).toContain(
      'headrace_prediction_errors_total{endpoint="checkout",variant="stable",version="1",outcome="failed"} 0',
    );
  });

  it('that gives no number disagrees, and leaves the mean difference what it is', async () => {
    await shadowBy(on, 6);
    await predict(on, 3, 'Infinity');
    const told = await settled(on, 6, 2);
    expect(told).toMatchObject({ pairs: 2, errors: 0, agreement: 0, mean_abs_difference: 3 });
  });

  // twin: test/unit/serving-shadow-runner.test.ts > a run past its deadline is not waited for
  fullIt('that takes longer than it may is dropped, while answers come as before', async () => {
    // Its thread may be at work for longer than other tests wait.
    const own = await openForTest(GIVEN);
    await register(own, patientModel());
    await shadowBy(own, 2);
    // Some 2 µs a round. Alone it would silence its thread twice within the time that it has, and count as failed
    // (serving-shadow-hangs.full.test.ts); of two rows it takes longer to find out which it is.
    await predict(own, 1e7, 2);
    for (const x of upTo(20)) await predict(own, x);
    const told = await settled(own, 2, 22);
    expect(told).toMatchObject({ errors: 0, error_codes: {} });
    expect(told.dropped['late']).toBeGreaterThanOrEqual(1);
  });

  it('ends with its traffic, and what it has told stays', async () => {
    expect(await put(on)).toMatchObject({ status: 200, body: { shadows: [] } });
    await predict(on, 3);
    expect((await shadowsOf(on.serving))[0]).toMatchObject({ version: 2, percent: null, pairs: 4 });
  });

  it('reads features of its own, and takes what is not in the rows for left out', async () => {
    await applyAnd(on, 'y: t.float64().default(5)', linearModel(1));
    expect((await shadowBy(on, 7)).status).toBe(200);
    expect(await predict(on, 1, 2)).toEqual([1, 2]);
    expect(await settled(on, 7, 2)).toMatchObject({ pairs: 2, errors: 0, mean_abs_difference: 5 });
  });

  it('is refused where requests would have to carry more for it', async () => {
    await applyAnd(on, 'y: t.float64()', constantModel(1, 8));
    const set = await shadowBy(on, 8);
    expect(set).toMatchObject(REFUSED);
    expect(JSON.stringify(set.body)).toContain('needs request column \\"y\\", which no variant takes');
    await predict(on, 1);
  });

  it('is refused where it can not be loaded', async () => {
    await register(on, constantModel(1, 9));
    rmSync(artifactOf(on.project, constantModel(1, 9)));
    expect(await shadowBy(on, 9)).toMatchObject(REFUSED);
    expect((await shadowsOf(on.serving)).find(({ version }) => version === 9)).toBeUndefined();
  });
});

it('a shadow that can not be loaded later leaves the endpoint serving, which says so, and counts what it would have got', async () => {
  const on = await openForTest(GIVEN);
  await register(on, constantModel(1, 7));
  await shadowBy(on, 2);
  const path = artifactOf(on.project, constantModel(1, 7));
  await on.serving.stop();
  rmSync(path);
  const again = await serveInProcess(on.app, { host: '127.0.0.1', port: 0, hasDocs: false });
  onTestFinished(() => again.stop());
  const reason = expect.stringMatching(/^version 2 of model "returns": artifact [0-9a-f]{64} is not in the store/);
  const shown = (await again.server.inject('/v1/endpoints/checkout')).json() as object;
  expect(shown).toMatchObject({ state: 'serving', wanted: [1], served: [1], reason });
  expect((await again.server.inject('/health/ready')).statusCode).toBe(200);
  const payload = { inputs: [{ x: 1 }, { x: 2 }] };
  const answer = await again.server.inject({ method: 'POST', url: '/v1/endpoints/checkout/predict', payload });
  expect(answer.statusCode).toBe(200);
  expect(await shadowsOf(again)).toMatchObject([{ version: 2, pairs: 0, dropped: { unloaded: 2 } }]);
});
