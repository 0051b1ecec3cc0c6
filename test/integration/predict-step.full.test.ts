// Batch predictions as steps: whole, in slices, by a run's parameters, and on another machine of the fleet.
// twin: test/integration/predict.test.ts > in slices gives all rows, each once, in order

import { spawn } from 'node:child_process';
import { expect, it, onTestFinished } from 'vitest';
import { openOrchestrator, registerModelFile } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import {
  openClusterExecutor,
  type OrchestratorDeps,
  runPipeline,
  type RunResult,
} from '../../src/orchestrator/index.ts';
import { linearModel } from '../support/onnx-model.ts';
import { folderOfTest } from '../support/new-folder.ts';
import { createProcessCluster, STEP_COMMAND } from '../support/process-jobs.ts';
import { readRows } from '../support/predict-project.ts';
import { MAIN } from '../support/serving-project.ts';
import { openStepProject, type StepProject } from '../support/step-project.ts';

const DEFINITIONS = `
  import { endpoint, entity, featureService, featureView, latest, model, parquet, t } from 'headrace';
  export const shop = entity('shop', { keys: { shop: t.string() } });
  export const sales = parquet('sales', {
    path: 'data/sales.parquet',
    columns: { shop: t.string(), amount: t.float64(), at: t.timestamp() },
    eventTime: 'at',
  });
  export const totals = featureView('totals', { entity: shop, source: sales, features: { last_amount: latest('amount') } });
  export const shopFeatures = featureService('shop_features', [totals]);
  export const score = model('score', { features: shopFeatures, outputs: { sum: t.float32() } });
  export const shops = endpoint('shops', { model: score, unit: ['shop'] });
`;

/** A sale a day, whose amount is the day's number. */
const SALES = `SELECT 'a' AS shop, CAST(i AS DOUBLE) AS amount, TIMESTAMP '2026-01-01' + to_days(CAST(i AS INTEGER)) AS at FROM range(20) t(i)`;
/** A row an hour after each of them; what is predicted is the day's number. */
const ROWS = `SELECT i AS id, 'a' AS shop, TIMESTAMP '2026-01-01 01:00:00' + to_days(CAST(i AS INTEGER)) AS seen FROM range(20) t(i)`;

/** What is predicted of each row of the folder, or of those of its slices. */
const expectAll = async (path: string, slices = ''): Promise<void> => {
  const rows = await readRows(`SELECT id, "sum" FROM read_parquet('${path}${slices}/part-*.parquet')`);
  expect(rows).toEqual(Array.from({ length: 20 }, (_, i) => ({ id: BigInt(i), sum: i })));
};
type Scored = readonly { readonly path: string; readonly rows: number; readonly slice: object }[];
/** Of a run that succeeded, what step `scored` gave. */
function scoredBy({ state, error, steps }: RunResult): Scored {
  expect(state, error ?? '').toBe('succeeded');
  return steps.find(({ name }) => name === 'scored')?.result as Scored;
}

async function shopProject(pipelines: string): Promise<StepProject> {
  const made = await openStepProject({
    files: {
      'shop.ts': DEFINITIONS,
      'pipelines.ts': `
        import { pipeline, predict, range, t, task } from 'headrace';
        import { shops } from './shop.ts';
        ${pipelines}`,
    },
    data: { 'sales.parquet': SALES, 'rows-1.parquet': ROWS },
  });
  onTestFinished(() => made.close());
  await registerModelFile(made.app, { model: 'score', onnx: linearModel(1, { output: 'sum' }) });
  return made;
}

it('gives the folder and the version, takes the run’s parameters in paths, and refuses other slices than it has', async () => {
  const made = await shopProject(`
    const p = pipeline('score', { params: { day: t.string() } });
    const scored = p.step('scored', predict({ endpoint: shops, input: 'data/rows-{day}.parquet', timestamp: 'seen', out: 'out/{run}' }));
    p.step('told', task((needs: { scored: { path: string, rows: number } }) => needs.scored), { needs: { scored } });
    const wrong = pipeline('wrong');
    const told = wrong.step('told', task(() => [0, 1, 3]));
    wrong.step('scored', predict({ endpoint: shops, input: 'data/rows-1.parquet', timestamp: 'seen', slices: 3 }), { foreach: told });
    export { p, wrong };`);
  const run = await made.run('score', { day: '1' });
  expect(run.state, run.error ?? '').toBe('succeeded');
  const path = made.project.file(`feature_repo/out/${run.id}`);
  const version = { model: 'score', version: 1, variant: 'stable' };
  expect(run.steps[1]?.result).toMatchObject({ path, rows: 20, failed: 0, ...version, parts: ['part-00000.parquet'] });
  await expectAll(path);
  await expect(made.run('score', { day: '2' })).rejects.toThrow(/rows-2.parquet/);
  await expect(made.run('wrong')).rejects.toThrow(/foreach: range\(3\)/);
}, 120_000);

it('sends its slices to machines of the fleet that have the project', async () => {
  const made = await shopProject(`
    const p = pipeline('far');
    p.step('scored', predict({ endpoint: shops, input: 'data/rows-1.parquet', timestamp: 'seen', slices: 2 }), { foreach: range(2), executor: 'fleet' });
    export default p;`);
  const { directory } = made.project;
  // Its own offline.path tells that it was that machine.
  const far = made.project.file('far');
  const env = { ...process.env, HEADRACE_OFFLINE_PATH: far };
  const worker = spawn(process.execPath, [MAIN, 'worker', '--slots', '2'], { cwd: directory, env, stdio: 'ignore' });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  const run = await made.run('far').finally(() => worker.kill('SIGTERM'));
  await ended;
  const tasks = scoredBy(run);
  expect(tasks.map(({ rows, slice }) => ({ rows, slice }))).toEqual(
    [0, 1].map((index) => ({ rows: 10, slice: { index, of: 2 } })),
  );
  expect(tasks.every(({ path }) => path.startsWith(far))).toBe(true);
  await expectAll(`${tasks[0]?.path}/..`, '/slice-*');
}, 120_000);

it('sends its slices to containers of a cluster whose image has the project, and says what is missing where it has not', async () => {
  const made = await shopProject(`
    const on = { kind: 'kubernetes', namespace: 'ml', image: 'project' } as const;
    const p = pipeline('contained');
    p.step('scored', predict({ endpoint: shops, input: 'data/rows-1.parquet', timestamp: 'seen', slices: 3, out: '__PROJECT__/shared/{run}' }), { foreach: range(3), executor: on });
    const lost = pipeline('lost');
    lost.step('scored', predict({ endpoint: shops, input: 'data/rows-1.parquet', timestamp: 'seen' }), { executor: on });
    export { p, lost };`);
  const objects = await made.app.objects();
  const url = made.app.config.values['artifacts.url'];
  // A container's own, apart from the driver's.
  const env = { HEADRACE_ARTIFACTS_URL: url, HEADRACE_OFFLINE_PATH: made.project.file('container') };
  const given = { objects, env, command: STEP_COMMAND, logger: silentLogger };
  /** Containers start in `cwd`, as an image's working directory. */
  const runIn = async (cwd: string, pipeline: string): Promise<RunResult> => {
    const cluster = createProcessCluster(cwd, { PATH: process.env['PATH'] ?? '' });
    const clusters: OrchestratorDeps['clusters'] = {
      check() {},
      open: async ({ kind, pack = 1 }, run, driver) =>
        openClusterExecutor({ ...given, kind, pack, run, driver, jobs: cluster.open() }),
    };
    const deps = { ...(await openOrchestrator(made.app, {})), clusters };
    try {
      return await runPipeline(deps, { pipeline, params: {} });
    } finally {
      await cluster.stop();
    }
  };
  const run = await runIn(made.project.directory, 'contained');
  expect(scoredBy(run).map(({ rows }) => rows)).toEqual([6, 7, 7]);
  await expectAll(made.project.file(`shared/${run.id}`), '/slice-*');
  // What it leaves in a container is gone with it.
  const lost = /step "scored" would leave its predictions in a folder of its container/;
  await expect(runIn(made.project.directory, 'lost')).rejects.toThrow(lost);
  await expect(runIn(folderOfTest(), 'contained')).rejects.toThrow(/it needs the project's configuration/);
}, 180_000);
