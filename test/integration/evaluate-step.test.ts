// evaluate(…) in a pipeline: figures of a model on rows that steps before made, by slices, against an alias's version.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { binaryMetrics, regressionMetrics } from '../../src/models/index.ts';
import { getBlob } from '../../src/storage/index.ts';
import { ONE_NUMBER } from '../support/one-number.ts';
import { linearModel, passThroughModel } from '../support/onnx-model.ts';
import { openStepProject, type StepProject } from '../support/step-project.ts';

const ROWS = 10_000;
/** Row i as the query below has it; x is a float64, and models take float32. */
const row = (i: number) => ({ x: ((i * 7919) % ROWS) / ROWS, late: (i * 31) % 97 < ((i * 7919) % ROWS) / 150 });
const all = Array.from({ length: ROWS }, (_, i) => row(i));
const LATE = `(i * 31) % 97 < ((i * 7919) % ${ROWS}) / 150`;
const QUERY = `SELECT ((i * 7919) % ${ROWS}) / ${ROWS}::DOUBLE AS given__x, ${LATE} AS late, 20 + ((i * 7919) % ${ROWS}) / 100 AS minutes,
  CASE WHEN i % 10 = 0 THEN NULL WHEN i % 3 = 0 THEN 'west' ELSE 'east' END AS region, i % 60 AS shelf,
  TIMESTAMP '2026-01-01' + to_seconds(i) AS at, ((i * 7919) % ${ROWS}) / ${ROWS}::DOUBLE AS x
  FROM range(${ROWS}) r(i)`;

const HALF = linearModel(1, { scale: 0.5 });
/** Gives a float64 as it came. */
const AS_IT_CAME = passThroughModel([{ name: 'x', type: 'float64', shape: [null, 1] }]);
/** A model of one number of that type. */
const exactOf = (
  type: string,
  output: string,
): string => `import { featureService, model, onDemandView, t } from 'headrace';
export const number = onDemandView('number', {
  inputs: { request: { y: t.float64() } },
  features: { x: t.${type}() },
  transform: ({ request }) => ({ x: request.y }),
});
export const exacts = featureService('exacts', [number]);
export const exact = model('exact', { features: exacts, outputs: { ${output}: t.${type}() } });
`;
const CHAMPION = linearModel(1);

/** Steps before an evaluation, as pipelines have them; a fit gives a file as a script leaves it. */
const FILE = createHash('sha256').update(HALF).digest('hex');
const FIT = `p.step('fit', task(() => ({ files: { 'model.onnx': { sha256: '${FILE}' } } })))`;
const rowsAt = (file: string): string =>
  `p.step('rows', task(() => ({ path: '__PROJECT__/feature_repo/data/${file}' })))`;

const WRONG = [
  ["evaluate(returns, { label: 'lat' })", 'rows.parquet', /has no label "lat"\. Did you mean "late"\?/],
  ["evaluate(returns, { label: 'late', slices: ['regin'] })", 'rows.parquet', /no column to slice by "regin"/],
  ['evaluate(returns)', 'rows.parquet', /evaluate\(…\) needs \{ label \}, the column that holds what was so/],
  ["evaluate(returns, { label: 'late' })", 'empty.parquet', /has no row with a "late".*1 rows without one/],
  ["evaluate(returns, { label: 'late' })", 'none.parquet', /none\.parquet cannot be read/],
  ["evaluate(returns, { label: 'late' })", 'rows.csv', /evaluate needs one step that gives rows.*have none/],
] as const;

const PIPELINES: Readonly<Record<string, string>> = {
  against: `
    const rows = ${rowsAt('rows.parquet')};
    const fit = ${FIT};
    const judged = p.step('judge', evaluate(returns, { label: 'late', slices: ['region', 'shelf'], against: 'champion' }), { needs: { rows, fit } });
    const isBetter = p.step('is_better', task((needs: { judged: { better: boolean } }) => needs.judged.better), { needs: { judged } });
    p.step('register', registerModel(returns), { needs: { fit }, when: isBetter });`,
  crowned: `
    const data = p.step('data', trainingSet({ service: numbers, spine: 'data/spine.parquet', timestamp: 'at', label: 'late' }));
    const fit = p.step('fit', task(() => ({ files: { 'model.onnx': { sha256: '${FILE}' } } })), { needs: { data } });
    const version = p.step('register', registerModel(returns), { needs: { fit } });
    const judged = p.step('judge', evaluate(returns, { against: 'crowned' }), { needs: { data, version } });
    p.step('crown', promote(returns, { alias: 'crowned' }), { needs: { judged } });`,
  unseen: `
    const set = { service: numbers, timestamp: 'at', label: 'late' } as const;
    const past = p.step('past', trainingSet({ ...set, spine: "SELECT * FROM 'data/spine.parquet' WHERE x < 0.5" }));
    const unseen = p.step('unseen', trainingSet({ ...set, spine: "SELECT * FROM 'data/spine.parquet' WHERE x >= 0.5" }));
    const fit = p.step('fit', task(() => ({ files: { 'model.onnx': { sha256: '${FILE}' } } })), { needs: { past } });
    const best = p.step('best', task((needs: { fit: object }) => needs.fit), { needs: { fit } });
    const judged = p.step('judge', evaluate(returns), { needs: { unseen, best } });
    p.step('register', registerModel(returns), { needs: { best, judged } });`,
  minutes: `
    const rows = p.step('rows', task(() => '__PROJECT__/feature_repo/data/rows.parquet'));
    const fit = ${FIT};
    p.step('judge', evaluate(returns, { label: 'minutes' }), { needs: { rows, fit } });`,
  exactly: `
    const rows = ${rowsAt('exact.parquet')};
    const fit = p.step('fit', task(() => ({ files: { 'model.onnx': { sha256: '${createHash('sha256').update(AS_IT_CAME).digest('hex')}' } } })));
    p.step('judge', evaluate(exact, { label: 'x', against: 'champion' }), { needs: { rows, fit } });`,
  no_model: `
    const rows = ${rowsAt('rows.parquet')};
    p.step('judge', evaluate(returns, { label: 'late' }), { needs: { rows } });`,
  ...Object.fromEntries(
    WRONG.map(([step, file], at) => [
      `wrong_${at}`,
      `const rows = ${rowsAt(file)};
       const fit = ${FIT};
       p.step('judge', ${step}, { needs: { rows, fit } });`,
    ]),
  ),
};

let project: StepProject;
beforeAll(async () => {
  project = await openStepProject({
    files: {
      'shop.ts': ONE_NUMBER,
      'exact.ts': exactOf('float32', 'probability'),
      'pipelines.ts': `
        import { evaluate, pipeline, promote, registerModel, task, trainingSet } from 'headrace';
        import { exact } from './exact.ts';
        import { numbers, returns } from './shop.ts';
        ${Object.entries(PIPELINES)
          .map(
            ([name, steps]) =>
              `export const ${name} = (() => { const p = pipeline('${name}'); ${steps} return p; })();`,
          )
          .join('\n')}`,
    },
    data: {
      'rows.parquet': QUERY,
      'spine.parquet': `SELECT q.x, q.at, q.late FROM (${QUERY}) AS q`,
      'exact.parquet': 'SELECT i + 0.1::DOUBLE AS x, i + 0.1::DOUBLE AS number__x FROM range(20) r(i)',
      'empty.parquet': 'SELECT 1.0::DOUBLE AS given__x, NULL::BOOLEAN AS late',
    },
    isInline: true,
  });
  await project.put(HALF);
  await registerModelFile(project.app, { model: 'returns', onnx: CHAMPION, alias: 'champion' });
});
afterAll(() => project.close());

const resultsOf = (run: { readonly steps: readonly { readonly name: string; readonly result?: unknown }[] }) =>
  Object.fromEntries(run.steps.map(({ name, result }) => [name, result])) as Record<string, never>;

interface Told {
  readonly metrics: Record<string, number>;
  readonly against: { readonly differences: object; readonly better: object } | null;
  readonly slices: Record<string, readonly { value: string | null; rows: number; metrics: object }[]>;
  readonly files: Record<string, { readonly sha256: string }>;
}

const labels = Float64Array.from(all, ({ late }) => Number(late));
const scoresBy = (scale: number) => Float64Array.from(all, ({ x }) => Math.fround(Math.fround(x) * scale));

describe('evaluate', () => {
  it('gives the figures of an ONNX file on the rows, by slices, against the version under an alias', async () => {
    const run = await project.run('against');
    expect(run.state, run.error ?? '').toBe('succeeded');
    const told = resultsOf(run)['judge'] as unknown as Told;
    expect(told).toMatchObject({ task: 'binary', rows: ROWS, primary: 'auc', better: false });
    const [own, other] = [0.5, 1].map((scale) => binaryMetrics({ scores: scoresBy(scale), labels }));
    expect(told.metrics).toEqual(own);
    expect(told.against).toMatchObject({ version: 1, metrics: other });
    // The same order of rows, so the same AUC, and no better for it.
    expect(told.against?.differences).toMatchObject({ auc: 0, brier: (own?.brier ?? 0) - (other?.brier ?? 0) });
    expect(told.against?.better).toMatchObject({ auc: false });
    const regions = told.slices['region']?.map(({ value, rows }) => `${value} ${rows}`);
    expect(regions).toEqual(['east 6000', 'west 3000', 'null 1000']);
    const east = all.flatMap((_, i) => (i % 10 !== 0 && i % 3 !== 0 ? [i] : []));
    const pick = (from: Float64Array) => Float64Array.from(east, (i) => from[i] ?? 0);
    const eastern = binaryMetrics({ scores: pick(scoresBy(0.5)), labels: pick(labels) });
    expect(told.slices['region']?.[0]?.metrics).toEqual(eastern);
    expect(told.slices['shelf']).toHaveLength(51);
    expect(told.slices['shelf']?.at(-1)).toMatchObject({ value: null, isOther: true });
    expect(run.steps.find(({ name }) => name === 'register')?.state).toBe('skipped');

    const sha256 = told.files['evaluation.html']?.sha256 ?? '';
    const card = Buffer.from(await getBlob(await project.app.objects(), sha256)).toString();
    const parts = /^<!doctype html>[^]*not better than version 1 \(champion\)[^]*ROC curve[^]*Calibration[^]*By region/;
    expect(card).toMatch(parts);
    expect(card).not.toMatch(/NaN|undefined|<script|src=|href=/);
    expect(await project.logs(run.id)).toMatch(/the new model: auc 0\.\d+, version 1: 0\.\d+/);
  });

  it('takes a training set with its label, and a version that was registered; without a champion it is better', async () => {
    const run = await project.run('crowned');
    expect(run.state, run.error ?? '').toBe('succeeded');
    const results = resultsOf(run);
    expect(results['judge']).toMatchObject({ label: 'late', better: true, against: null });
    expect((results['judge'] as unknown as Told).metrics).toEqual(binaryMetrics({ scores: scoresBy(0.5), labels }));
    const { version } = results['judge'] as unknown as { version: number };
    expect(results['crown']).toEqual({ model: 'returns', version, alias: 'crowned', previous: null });
  });

  it('is of rows that the model was not made from: its version names those it was', async () => {
    const run = await project.run('unseen');
    const { past, unseen, judge } = resultsOf(run) as unknown as Record<string, { id: string; training_set: string }>;
    expect(judge?.training_set).toBe(unseen?.id);
    const versions = await (await project.app.registry()).models.versions('returns');
    const version = versions.find(({ runId }) => runId === run.id);
    expect(version?.trainingSet).toBe(past?.id);
    // What was measured on unseen rows is kept with the version.
    expect(version?.metrics).toMatchObject({ auc: (judge as unknown as Told).metrics['auc'] });
  });

  it('measures numbers that are no probabilities as a regression', async () => {
    const told = resultsOf(await project.run('minutes'))['judge'] as unknown as Told;
    expect(told).toMatchObject({ task: 'regression', primary: 'rmse', better: true });
    const minutes = Float64Array.from(all, ({ x }) => 20 + (x * ROWS) / 100);
    const naive = regressionMetrics({ scores: scoresBy(0.5), labels: minutes });
    for (const [name, value] of Object.entries(naive)) expect(told.metrics[name]).toBeCloseTo(value ?? 0, 9);
  });

  it('gives each model a feature in the type that its own definitions say', async () => {
    await registerModelFile(project.app, { model: 'exact', onnx: CHAMPION, alias: 'champion' });
    await project.put(AS_IT_CAME);
    await project.change({ files: { 'exact.ts': exactOf('float64', 'x_out') } }, { allowBreaking: true });
    const told = resultsOf(await project.run('exactly'))['judge'] as unknown as Told & { against: { metrics: object } };
    expect(told).toMatchObject({ task: 'regression', metrics: { rmse: 0 } });
    expect(told.against.metrics).not.toMatchObject({ rmse: 0 });
  });

  it.each(WRONG.map(([step, file, sentence], at) => ({ step, file, sentence, pipeline: `wrong_${at}` })))(
    '$step of $file says what is wrong',
    async ({ pipeline, sentence }) => {
      await expect(project.run(pipeline)).rejects.toThrow(sentence);
    },
  );

  it('says so where a need is no model', async () => {
    const said = /evaluate needs a step whose result comes with an \.onnx file/;
    await expect(project.run('no_model')).rejects.toThrow(said);
  });
});
