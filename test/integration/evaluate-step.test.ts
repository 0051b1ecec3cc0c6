// evaluate(…) in a pipeline: figures of a model on rows that steps before made, by slices, against an alias's version.

import { afterEach, describe, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { binaryMetrics, regressionMetrics } from '../../src/models/index.ts';
import { getBlob } from '../../src/storage/index.ts';
import { ONE_NUMBER } from '../support/one-number.ts';
import { linearModel } from '../support/onnx-model.ts';
import { openStepProject, type StepProject } from '../support/step-project.ts';

const open: StepProject[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

const ROWS = 10_000;
/** Row i as the query below has it; x is a float64, and models take float32. */
const row = (i: number) => ({ x: ((i * 7919) % ROWS) / ROWS, late: (i * 31) % 97 < ((i * 7919) % ROWS) / 150 });
const all = Array.from({ length: ROWS }, (_, i) => row(i));
const LATE = `(i * 31) % 97 < ((i * 7919) % ${ROWS}) / 150`;
const QUERY = `SELECT ((i * 7919) % ${ROWS}) / ${ROWS}::DOUBLE AS given__x, ${LATE} AS late, 20 + ((i * 7919) % ${ROWS}) / 100 AS minutes,
  CASE WHEN i % 10 = 0 THEN NULL WHEN i % 3 = 0 THEN 'west' ELSE 'east' END AS region, i % 60 AS shelf,
  TIMESTAMP '2026-01-01' + to_seconds(i) AS at, ((i * 7919) % ${ROWS}) / ${ROWS}::DOUBLE AS x
  FROM range(${ROWS}) r(i)`;

const FIT = `
import os, shutil
shutil.copy("__PROJECT__/feature_repo/models/half.onnx", os.environ["HEADRACE_STEP_OUTPUT"] + "/model.onnx")
`;

async function made(steps: string): Promise<StepProject> {
  const one = await openStepProject({
    files: {
      'shop.ts': ONE_NUMBER,
      'pipelines.ts': `
        import { evaluate, pipeline, promote, python, registerModel, task, trainingSet } from 'headrace';
        import { numbers, returns } from './shop.ts';
        const p = pipeline('judge');
        ${steps}
        export default p;`,
      'fit.py': FIT,
      'models/half.onnx': linearModel(1, { scale: 0.5 }),
    },
    data: {
      'rows.parquet': QUERY,
      'spine.parquet': `SELECT q.x, q.at, q.late FROM (${QUERY}) AS q`,
      'empty.parquet': 'SELECT 1.0::DOUBLE AS given__x, NULL::BOOLEAN AS late',
    },
  });
  open.push(one);
  return one;
}

const resultsOf = (run: { readonly steps: readonly { readonly name: string; readonly result?: unknown }[] }) =>
  Object.fromEntries(run.steps.map(({ name, result }) => [name, result])) as Record<string, never>;

interface Told {
  readonly better: boolean;
  readonly primary: string;
  readonly task: string;
  readonly rows: number;
  readonly metrics: Record<string, number>;
  readonly against: { readonly version: number; readonly differences: object; readonly better: object } | null;
  readonly slices: Record<string, readonly { value: string | null; isOther?: true; rows: number; metrics: object }[]>;
  readonly files: Record<string, { readonly sha256: string }>;
}

const labels = Float64Array.from(all, ({ late }) => Number(late));
const scoresBy = (scale: number) => Float64Array.from(all, ({ x }) => Math.fround(Math.fround(x) * scale));

describe('evaluate', () => {
  it('gives the figures of an ONNX file on the rows, by slices, against the version under an alias', async () => {
    const project = await made(`
      const rows = p.step('rows', task(() => ({ path: '__PROJECT__/feature_repo/data/rows.parquet' })));
      const fit = p.step('fit', python('fit.py'));
      const judged = p.step('judge', evaluate(returns, { label: 'late', slices: ['region', 'shelf'], against: 'champion' }), { needs: { rows, fit } });
      const isBetter = p.step('is_better', task((needs: { judged: { better: boolean } }) => needs.judged.better), { needs: { judged } });
      p.step('register', registerModel(returns), { needs: { fit }, when: isBetter });`);
    const champion = linearModel(1);
    await registerModelFile(project.app, { model: 'returns', onnx: champion, alias: 'champion' });
    const run = await project.run('judge');
    expect(run.state, run.error ?? '').toBe('succeeded');
    const told = resultsOf(run)['judge'] as unknown as Told;
    expect(told).toMatchObject({ task: 'binary', rows: ROWS, primary: 'auc', better: false });
    const [own, other] = [0.5, 1].map((scale) => binaryMetrics({ scores: scoresBy(scale), labels }));
    expect(told.metrics).toEqual(own);
    expect(told.against).toMatchObject({ version: 1, metrics: other });
    // The same order of rows, so the same AUC, and no better for it.
    expect(told.against?.differences).toMatchObject({ auc: 0, brier: (own?.brier ?? 0) - (other?.brier ?? 0) });
    expect(told.against?.better).toMatchObject({ auc: false });
    expect(told.slices['region']?.map(({ value, rows }) => [value, rows])).toEqual([
      ['east', 6000],
      ['west', 3000],
      [null, 1000],
    ]);
    const east = all.flatMap((_, i) => (i % 10 !== 0 && i % 3 !== 0 ? [i] : []));
    const pick = (from: Float64Array) => Float64Array.from(east, (i) => from[i] ?? 0);
    expect(told.slices['region']?.[0]?.metrics).toEqual(
      binaryMetrics({ scores: pick(scoresBy(0.5)), labels: pick(labels) }),
    );
    expect(told.slices['shelf']).toHaveLength(51);
    expect(told.slices['shelf']?.at(-1)).toMatchObject({ value: null, isOther: true });
    expect(run.steps.find(({ name }) => name === 'register')?.state).toBe('skipped');

    const sha256 = told.files['evaluation.html']?.sha256 ?? '';
    const card = Buffer.from(await getBlob(await project.app.objects(), sha256)).toString();
    expect(card).toMatch(
      /^<!doctype html>[^]*not better than version 1 \(champion\)[^]*ROC curve[^]*Calibration[^]*By region/,
    );
    expect(card).not.toMatch(/NaN|undefined|<script|src=|href=/);
    expect(await project.logs(run.id)).toMatch(/the new model: auc 0\.\d+, version 1: 0\.\d+/);
  }, 90_000);

  it('takes a training set with its label, and a version that was registered; without a champion it is better', async () => {
    const project = await made(`
      const data = p.step('data', trainingSet({ service: numbers, spine: 'data/spine.parquet', timestamp: 'at', label: 'late' }));
      const fit = p.step('fit', python('fit.py'), { needs: { data } });
      const version = p.step('register', registerModel(returns), { needs: { fit } });
      const judged = p.step('judge', evaluate(returns, { against: 'champion' }), { needs: { data, version } });
      p.step('crown', promote(returns, { alias: 'champion' }), { needs: { judged } });`);
    const run = await project.run('judge');
    expect(run.state, run.error ?? '').toBe('succeeded');
    const results = resultsOf(run);
    expect(results['judge']).toMatchObject({ version: 1, label: 'late', better: true, against: null });
    expect((results['judge'] as unknown as Told).metrics).toEqual(binaryMetrics({ scores: scoresBy(0.5), labels }));
    expect(results['crown']).toEqual({ model: 'returns', version: 1, alias: 'champion', previous: null });
  }, 90_000);

  it('is of rows that the model was not made from: its version names those it was', async () => {
    const project = await made(`
      const set = { service: numbers, timestamp: 'at', label: 'late' } as const;
      const past = p.step('past', trainingSet({ ...set, spine: "SELECT * FROM 'data/spine.parquet' WHERE x < 0.5" }));
      const unseen = p.step('unseen', trainingSet({ ...set, spine: "SELECT * FROM 'data/spine.parquet' WHERE x >= 0.5" }));
      const fit = p.step('fit', python('fit.py'), { needs: { past } });
      const best = p.step('best', task((needs: { fit: object }) => needs.fit), { needs: { fit } });
      const judged = p.step('judge', evaluate(returns), { needs: { unseen, best } });
      p.step('register', registerModel(returns), { needs: { best, judged } });`);
    const run = await project.run('judge');
    const { past, unseen, judge } = resultsOf(run) as unknown as Record<string, { id: string; training_set: string }>;
    expect(judge?.training_set).toBe(unseen?.id);
    const [version] = await (await project.app.registry()).models.versions('returns');
    expect(version?.trainingSet).toBe(past?.id);
    // What was measured on unseen rows is kept with the version.
    expect(version?.metrics).toMatchObject({ auc: (judge as unknown as Told).metrics['auc'] });
  }, 90_000);

  it('measures numbers that are no probabilities as a regression', async () => {
    const project = await made(`
      const rows = p.step('rows', task(() => '__PROJECT__/feature_repo/data/rows.parquet'));
      const fit = p.step('fit', python('fit.py'));
      p.step('judge', evaluate(returns, { label: 'minutes' }), { needs: { rows, fit } });`);
    const told = resultsOf(await project.run('judge'))['judge'] as unknown as Told;
    expect(told).toMatchObject({ task: 'regression', primary: 'rmse', better: true });
    const minutes = Float64Array.from(all, ({ x }) => 20 + (x * ROWS) / 100);
    const naive = regressionMetrics({ scores: scoresBy(0.5), labels: minutes });
    for (const [name, value] of Object.entries(naive)) expect(told.metrics[name]).toBeCloseTo(value ?? 0, 9);
  }, 90_000);

  it.each([
    ["evaluate(returns, { label: 'lat' })", 'rows.parquet', /has no label "lat"\. Did you mean "late"\?/],
    ["evaluate(returns, { label: 'late', slices: ['regin'] })", 'rows.parquet', /no column to slice by "regin"/],
    ['evaluate(returns)', 'rows.parquet', /evaluate\(…\) needs \{ label \}, the column that holds what was so/],
    ["evaluate(returns, { label: 'late' })", 'empty.parquet', /has no row with a "late".*1 rows without one/],
    ["evaluate(returns, { label: 'late' })", 'none.parquet', /none\.parquet cannot be read/],
    ["evaluate(returns, { label: 'late' })", 'rows.csv', /evaluate needs one step that gives rows.*have none/],
  ])(
    '%s of %s says what is wrong',
    async (step, file, sentence) => {
      const project = await made(`
      const rows = p.step('rows', task(() => ({ path: '__PROJECT__/feature_repo/data/${file}' })));
      const fit = p.step('fit', python('fit.py'));
      p.step('judge', ${step}, { needs: { rows, fit } });`);
      await expect(project.run('judge')).rejects.toThrow(sentence);
    },
    90_000,
  );

  it('says so where a need is no model', async () => {
    const project = await made(`
      const rows = p.step('rows', task(() => ({ path: '__PROJECT__/feature_repo/data/rows.parquet' })));
      p.step('judge', evaluate(returns, { label: 'late' }), { needs: { rows } });`);
    await expect(project.run('judge')).rejects.toThrow(/evaluate needs a step whose result comes with an \.onnx file/);
  }, 90_000);
});
