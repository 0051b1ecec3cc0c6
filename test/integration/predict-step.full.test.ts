// Batch predictions as steps: whole, in slices, by a run's parameters, and on another machine of the fleet.
// twin: test/integration/predict.test.ts > in slices gives all rows

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openOrchestrator, registerModelFile } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import {
  openClusterExecutor,
  type OrchestratorDeps,
  runPipeline,
  type RunResult,
} from '../../src/orchestrator/index.ts';
import { linearModel } from '../support/onnx-model.ts';
import { createProcessCluster, STEP_COMMAND } from '../support/process-jobs.ts';
import { readRows } from '../support/predict-project.ts';
import { MAIN } from '../support/serving-project.ts';
import { openStepProject, type StepProject } from '../support/step-project.ts';

const open: StepProject[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

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
  open.push(made);
  await registerModelFile(made.app, { model: 'score', onnx: linearModel(1, { output: 'sum' }) });
  return made;
}

const resultsOf = (run: { readonly steps: readonly { readonly name: string; readonly result?: unknown }[] }) =>
  Object.fromEntries(run.steps.map(({ name, result }) => [name, result]));

describe('predict', () => {
  it('gives the folder and the version, and takes the run’s parameters in paths', async () => {
    const made = await shopProject(`
      const p = pipeline('score', { params: { day: t.string() } });
      const scored = p.step('scored', predict({ endpoint: shops, input: 'data/rows-{day}.parquet', timestamp: 'seen', out: 'out/{run}' }));
      p.step('told', task((needs: { scored: { path: string, rows: number } }) => needs.scored), { needs: { scored } });
      export default p;`);
    const run = await made.run('score', { day: '1' });
    expect(run.state, run.error ?? '').toBe('succeeded');
    const result = resultsOf(run)['told'] as { path: string };
    expect(result).toMatchObject({
      rows: 20,
      failed: 0,
      model: 'score',
      version: 1,
      variant: 'stable',
      parts: ['part-00000.parquet'],
    });
    expect(result.path).toBe(made.project.file(`feature_repo/out/${run.id}`));
    const rows = await readRows(`SELECT id, "sum" FROM '${result.path}/part-*.parquet'`);
    expect(rows).toEqual(Array.from({ length: 20 }, (_, i) => ({ id: BigInt(i), sum: i })));
    await expect(made.run('score', { day: '2' })).rejects.toThrow(/rows-2.parquet/);
  }, 120_000);

  it('does slices of one input, each in its folder, all rows in all', async () => {
    const made = await shopProject(`
      const p = pipeline('sliced');
      p.step('scored', predict({ endpoint: shops, input: 'data/rows-1.parquet', timestamp: 'seen', slices: 3 }), { foreach: range(3) });
      const wrong = pipeline('wrong');
      const told = wrong.step('told', task(() => [0, 1, 3]));
      wrong.step('scored', predict({ endpoint: shops, input: 'data/rows-1.parquet', timestamp: 'seen', slices: 3 }), { foreach: told });
      export { p, wrong };`);
    const run = await made.run('sliced');
    expect(run.state, run.error ?? '').toBe('succeeded');
    const tasks = resultsOf(run)['scored'] as readonly { path: string; rows: number; slice: object }[];
    expect(tasks.map(({ rows }) => rows)).toEqual([6, 7, 7]);
    expect(tasks.map(({ slice }) => slice)).toEqual([0, 1, 2].map((index) => ({ index, of: 3 })));
    const rows = await readRows(`SELECT id, "sum" FROM read_parquet('${tasks[0]?.path}/../slice-*/part-*.parquet')`);
    expect(rows).toEqual(Array.from({ length: 20 }, (_, i) => ({ id: BigInt(i), sum: i })));
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
    try {
      const run = await made.run('far');
      expect(run.state, run.error ?? '').toBe('succeeded');
      const tasks = resultsOf(run)['scored'] as readonly { path: string }[];
      expect(tasks.every(({ path }) => path.startsWith(far))).toBe(true);
      const rows = await readRows(`SELECT id, "sum" FROM read_parquet('${tasks[0]?.path}/../slice-*/part-*.parquet')`);
      expect(rows).toEqual(Array.from({ length: 20 }, (_, i) => ({ id: BigInt(i), sum: i })));
    } finally {
      worker.kill('SIGTERM');
      await ended;
    }
  }, 120_000);

  it('sends its slices to containers of a cluster whose image has the project, and says what is missing where it has not', async () => {
    const made = await shopProject(`
      const on = { kind: 'kubernetes', namespace: 'ml', image: 'project' } as const;
      const p = pipeline('contained');
      p.step('scored', predict({ endpoint: shops, input: 'data/rows-1.parquet', timestamp: 'seen', slices: 3, out: '__PROJECT__/shared/{run}' }), { foreach: range(3), executor: on });
      const lost = pipeline('lost');
      lost.step('scored', predict({ endpoint: shops, input: 'data/rows-1.parquet', timestamp: 'seen' }), { executor: on });
      export { p, lost };`);
    const { directory } = made.project;
    const objects = await made.app.objects();
    const env = {
      HEADRACE_ARTIFACTS_URL: made.app.config.values['artifacts.url'],
      // A container's own, apart from the driver's.
      HEADRACE_OFFLINE_PATH: made.project.file('container'),
    };
    /** Containers start in \`cwd\`, as an image's working directory. */
    const runIn = async (cwd: string, pipelineName: string): Promise<RunResult> => {
      const cluster = createProcessCluster(cwd, { PATH: process.env['PATH'] ?? '' });
      const deps = await openOrchestrator(made.app, {});
      const clusters: OrchestratorDeps['clusters'] = {
        check() {},
        open: async ({ kind, pack = 1 }, run, driver) =>
          openClusterExecutor({
            kind,
            pack,
            run,
            driver,
            objects,
            env,
            command: STEP_COMMAND,
            logger: silentLogger,
            jobs: cluster.open(),
          }),
      };
      try {
        return await runPipeline({ ...deps, clusters }, { pipeline: pipelineName, params: {} });
      } finally {
        await cluster.stop();
      }
    };
    const run = await runIn(directory, 'contained');
    expect(run.state, run.error ?? '').toBe('succeeded');
    const tasks = resultsOf(run)['scored'] as readonly { path: string; rows: number }[];
    expect(tasks.map(({ rows }) => rows)).toEqual([6, 7, 7]);
    const rows = await readRows(
      `SELECT id, "sum" FROM read_parquet('${made.project.file(`shared/${run.id}`)}/slice-*/part-*.parquet')`,
    );
    expect(rows).toEqual(Array.from({ length: 20 }, (_, i) => ({ id: BigInt(i), sum: i })));
    // What it leaves in a container is gone with it.
    await expect(runIn(directory, 'lost')).rejects.toThrow(
      /step "scored" would leave its predictions in a folder of its container/,
    );
    const elsewhere = mkdtempSync(join(tmpdir(), 'headrace-no-project-'));
    try {
      await expect(runIn(elsewhere, 'contained')).rejects.toThrow(/it needs the project's configuration/);
    } finally {
      rmSync(elsewhere, { recursive: true });
    }
  }, 180_000);
});
