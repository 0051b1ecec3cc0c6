// Runs that triggers start, on real processes: a server that is pushed to, a scheduler of its own or within the server, and drift that a
// server's monitor finds.
// twin: test/e2e/scheduler.test.ts > a scheduler makes and drives the runs that schedules and triggers owe, each once though two look, and lets them go on
// twin: test/contract/triggers.test.ts > makes one run for what came since they were first seen, or since the run before

import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { MICROS_PER_HOUR } from '../../src/core/index.ts';
import { DRIFTING_SHOP, driftOrder, driftOrders } from '../support/drifting-shop.ts';
import { constantModel } from '../support/onnx-model.ts';
import {
  killed,
  listRuns,
  removeOnceStill,
  type Scheduler,
  startScheduler,
  untilSo,
} from '../support/scheduler-process.ts';
import { type Project, createProject, createServingProject, startServe } from '../support/serving-project.ts';
import { predict, purchase, pushPurchases, TestProject } from '../support/test-project.ts';

const LIMIT = { timeout: 180_000 };
interface Shown {
  readonly schedulers: readonly { silent: boolean }[];
  readonly schedules: readonly { on: readonly { answered: number | null }[]; counts: { made: number } }[];
}

/** A project that goes once what its processes, which are killed with the test, had started has ended. */
function projectOf(made: Project) {
  const project = new TestProject().take(made);
  onTestFinished(() => removeOnceStill(project));
  const ending = <P extends Pick<Scheduler, 'process'>>(started: P): P => {
    onTestFinished(() => killed(started.process));
    return started;
  };
  return {
    project,
    serve: async (env = {}) => ending(await startServe(project, [], env)),
    schedule: () => ending(startScheduler(project)),
    /** What `headrace schedules` shows of its trigger. */
    triggerOf(pipeline: string) {
      const [schedule] = project.json<Shown>(`schedules ${pipeline}`).schedules;
      return { answered: schedule?.on[0]?.answered ?? null, made: schedule?.counts.made ?? 0 };
    },
    succeeded: () => listRuns(project).filter(({ state }) => state === 'succeeded').length,
  };
}

const AFTER_PUSHES = `import { pipeline, pushed, task } from 'headrace';
import { purchases } from './shop.ts';
const p = pipeline('after_pushes', { on: [pushed(purchases, { every: '0s' })] });
p.step('say', task(() => 'done'));
export default p;`;

it.each(['beside it', 'within it'])(
  'runs a pipeline for what a server was pushed, once, by schedulers %s',
  LIMIT,
  async (where) => {
    const { project, serve, schedule, triggerOf, succeeded } = projectOf(createServingProject());
    project.write('feature_repo/after.ts', AFTER_PUSHES);
    project.json('apply');
    const isWithin = where === 'within it';
    const server = await serve(isWithin ? { HEADRACE_SCHEDULER_SERVE: 'true' } : {});
    const logs = [server, ...(isWithin ? [] : [schedule(), schedule()])];
    await untilSo('a scheduler that sees it', () => triggerOf('after_pushes').answered !== null, logs);
    const before = triggerOf('after_pushes').answered ?? NaN;
    const push = async (count: number) => {
      const rows = Array.from({ length: count }, () => purchase('ada'));
      expect((await pushPurchases(server, rows)).status).toBe(200);
    };
    await push(3);
    await untilSo('a run', () => succeeded() === 1, logs);
    const trigger = { kind: 'pushed', of: 'purchases', after: before, through: before + 3 };
    expect(listRuns(project)).toMatchObject([{ pipeline: 'after_pushes', trigger }]);
    expect(project.run('runs list').stdout).toContain('pushed(purchases)');
    await push(2);
    await untilSo('a second run', () => succeeded() === 2, logs);
    expect(listRuns(project)[0]?.trigger).toMatchObject({ after: before + 3, through: before + 5 });
    expect(triggerOf('after_pushes')).toEqual({ answered: before + 5, made: 2 });
    const silent = project.json<Shown>('schedules').schedulers.map((one) => one.silent);
    expect(silent).toEqual(isWithin ? [false] : [false, false]);
  },
);

it('runs a pipeline when a server finds drift, once', LIMIT, async () => {
  const { project, serve, schedule, triggerOf, succeeded } = projectOf(
    createProject({
      'headrace.config.ts': `export default { project: 'shop', drift: { every: '1s' } };`,
      'feature_repo/shop.ts': DRIFTING_SHOP,
      'feature_repo/retrain.ts': `import { drift, pipeline, task } from 'headrace';
import { checkout } from './shop.ts';
const p = pipeline('retrain', { on: [drift(checkout)] });
p.step('say', task(() => 'again'));
export default p;`,
      'returns.onnx': constantModel(2, 0.25),
      'orders.csv': driftOrders(),
      clock: '0',
    }),
  );
  project.json('apply');
  const create = 'training-set create --service basket_features --spine orders.csv --timestamp at --label returned';
  project.json(`${create} --out march.parquet --name march`);
  project.json('models register returns returns.onnx --training-set march --alias champion');
  const clock = new URL('../support/clock-of-file.mjs', import.meta.url).href;
  const env = { HEADRACE_TEST_CLOCK: project.file('clock'), NODE_OPTIONS: `--import=${clock}` };
  const [server, scheduler] = [await serve(env), schedule()];
  await untilSo('a scheduler that sees it', () => triggerOf('retrain').answered === 0, [scheduler]);
  const inputs = Array.from({ length: 600 }, (_, i) => ({ ...driftOrder(i), price: driftOrder(i).price * 2 }));
  // Two hours of strange prices, each over by the time the next look comes.
  for (const hour of [1, 2]) {
    expect((await predict(server, inputs)).status).toBe(200);
    await pause(2000);
    project.write('clock', String((hour * MICROS_PER_HOUR) / 1000));
    await pause(500);
  }
  project.write('clock', String((3 * MICROS_PER_HOUR) / 1000));
  await untilSo('a run', () => succeeded() === 1, [server, scheduler]);
  const { alerts } = project.json<{ alerts: { rule: string }[] }>('alerts list');
  expect(alerts.some(({ rule }) => rule === 'drift')).toBe(true);
  const trigger = { kind: 'drift', of: 'checkout' };
  expect(listRuns(project)).toMatchObject([{ pipeline: 'retrain', trigger }]);
});
