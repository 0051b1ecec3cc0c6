// Runs that triggers start, on real processes: a server that is pushed to, a scheduler of its own or within the server, and drift that a
// server's monitor finds.
// twin: test/e2e/scheduler.test.ts > a scheduler makes and drives the runs
// twin: test/contract/triggers.test.ts > makes one run for what came since they were first seen

import type { ChildProcess } from 'node:child_process';
import { afterEach, expect, it } from 'vitest';
import { MICROS_PER_HOUR } from '../../src/core/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { killed, listRuns, removeOnceStill, startScheduler, untilSo } from '../support/scheduler-process.ts';
import {
  createProject,
  createServingProject,
  headrace,
  headraceJson,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';

interface Shown {
  readonly schedulers: readonly { silent: boolean }[];
  readonly schedules: readonly {
    readonly name: string;
    readonly on: readonly { kind: string; of: string; position: number; answered: number | null }[];
    readonly counts: { readonly made: number };
  }[];
}

const CLOCK = new URL('../support/clock-of-file.mjs', import.meta.url).href;

let project: Project;
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) await killed(child);
  await removeOnceStill(project);
});

async function serve(env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const server = await startServe(project, [], env);
  children.push(server.process);
  return server;
}

function schedule(): { readonly log: () => string } {
  const scheduler = startScheduler(project);
  children.push(scheduler.process);
  return scheduler;
}

/** What `headrace schedules` shows of its trigger. */
function triggerOf(pipeline: string): { readonly answered: number | null; readonly made: number } {
  const { schedules } = headraceJson(project, ['schedules', pipeline]) as Shown;
  return { answered: schedules[0]?.on[0]?.answered ?? null, made: schedules[0]?.counts.made ?? 0 };
}

async function post(url: string, body: unknown): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.clone().text()).toBe(200);
}

const purchases = (count: number) =>
  Array.from({ length: count }, (_, at) => ({
    customer: 'ada',
    amount: 1,
    points: at,
    bought_at: new Date().toISOString(),
  }));

const AFTER_PUSHES = `import { pipeline, pushed, task } from 'headrace';
  import { purchases } from './shop.ts';
  const p = pipeline('after_pushes', { on: [pushed(purchases, { every: '0s' })] });
  p.step('say', task(() => 'done'));
  export default p;`;

async function expectPushesAnswered(url: string, logs: readonly { readonly log: () => string }[]): Promise<void> {
  await untilSo('a scheduler that sees it', () => triggerOf('after_pushes').answered !== null, logs);
  const before = triggerOf('after_pushes').answered ?? NaN;
  const push = (count: number): Promise<void> => post(`${url}/v1/sources/purchases/push`, { rows: purchases(count) });
  await push(3);
  await untilSo('a run', () => listRuns(project).some(({ state }) => state === 'succeeded'), logs);
  expect(listRuns(project)).toMatchObject([
    {
      pipeline: 'after_pushes',
      trigger: { kind: 'pushed', of: 'purchases', after: before, through: before + 3 },
    },
  ]);
  expect(headrace(project, ['runs', 'list']).stdout).toContain('pushed(purchases)');
  await push(2);
  await untilSo(
    'a second run',
    () => listRuns(project).filter(({ state }) => state === 'succeeded').length === 2,
    logs,
  );
  expect(listRuns(project)[0]?.trigger).toMatchObject({ after: before + 3, through: before + 5 });
  expect(triggerOf('after_pushes')).toEqual({ answered: before + 5, made: 2 });
}

it('runs a pipeline for what a server was pushed, once, by a scheduler beside it', { timeout: 120_000 }, async () => {
  project = createServingProject();
  project.write('feature_repo/after.ts', AFTER_PUSHES);
  expect(headrace(project, ['apply']).code).toBe(0);
  const [server, one, other] = [await serve(), schedule(), schedule()];
  await expectPushesAnswered(server.url, [server, one, other]);
  expect((headraceJson(project, ['schedules']) as Shown).schedulers.map(({ silent }) => silent)).toEqual([
    false,
    false,
  ]);
});

it('does so where the scheduler is within the server', { timeout: 120_000 }, async () => {
  project = createServingProject();
  project.write('feature_repo/after.ts', AFTER_PUSHES);
  expect(headrace(project, ['apply']).code).toBe(0);
  const server = await serve({ HEADRACE_SCHEDULER_SERVE: 'true' });
  await expectPushesAnswered(server.url, [server]);
});

it('runs a pipeline when a server finds drift, once', { timeout: 180_000 }, async () => {
  const order = (i: number) => ({ price: 5 + ((i * 37) % 100), pieces: 1 + ((i * 13) % 5) });
  const orders = Array.from({ length: 10 * 400 }, (_, i) => {
    const { price, pieces } = order(i);
    const at = new Date(Date.UTC(2026, 2, 1 + Math.floor(i / 400), 8, 0, i % 400)).toISOString();
    return `${price},${pieces},${i % 9 === 0},${at}`;
  });
  project = createProject({
    'headrace.config.ts': `export default { project: 'shop', drift: { every: '1s' } };`,
    'feature_repo/shop.ts': `import { drift, endpoint, featureService, model, onDemandView, pipeline, t, task } from 'headrace';
      export const basket = onDemandView('basket', {
        inputs: { request: { price: t.float64(), pieces: t.float64() } },
        features: { price: t.float64(), pieces: t.float64() },
        transform: ({ request }) => ({ price: request.price, pieces: request.pieces }),
      });
      export const features = featureService('basket_features', [basket]);
      export const returns = model('returns', { features, outputs: { probability: t.float32() } });
      export const checkout = endpoint('checkout', { model: returns });
      const p = pipeline('retrain', { on: [drift(checkout)] });
      p.step('say', task(() => 'again'));
      export default p;`,
    'returns.onnx': constantModel(2, 0.25),
    'orders.csv': `price,pieces,returned,at\n${orders.join('\n')}\n`,
    clock: '0',
  });
  for (const line of [
    'apply',
    'training-set create --service basket_features --spine orders.csv --timestamp at --label returned --out march.parquet --name march',
    'models register returns returns.onnx --training-set march --alias champion',
  ]) {
    const { code, stderr } = headrace(project, line.split(' '));
    expect(code, stderr).toBe(0);
  }
  const server = await serve({ HEADRACE_TEST_CLOCK: project.file('clock'), NODE_OPTIONS: `--import=${CLOCK}` });
  const scheduler = schedule();
  await untilSo('a scheduler that sees it', () => triggerOf('retrain').answered === 0, [scheduler]);
  const inputs = Array.from({ length: 600 }, (_, i) => ({ ...order(i), price: order(i).price * 2 }));
  // Two hours of strange prices, each over by the time the next look comes.
  for (const hour of [1, 2]) {
    await post(`${server.url}/v1/endpoints/checkout/predict`, { inputs });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    project.write('clock', String((hour * MICROS_PER_HOUR) / 1000));
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  project.write('clock', String((3 * MICROS_PER_HOUR) / 1000));
  await untilSo('a run', () => listRuns(project).some(({ state }) => state === 'succeeded'), [server, scheduler]);
  const { alerts } = headraceJson(project, ['alerts', 'list']) as { alerts: readonly { rule: string }[] };
  expect(alerts.some(({ rule }) => rule === 'drift')).toBe(true);
  expect(listRuns(project)).toMatchObject([{ pipeline: 'retrain', trigger: { kind: 'drift', of: 'checkout' } }]);
});
