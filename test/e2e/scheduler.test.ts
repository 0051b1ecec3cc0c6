// Schedules and triggers over a whole project, in one process; runs of a scheduler that stops are gone on with by the next.

import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openScheduler } from '../../src/app/index.ts';
import { listRuns, runScheduler, type RunSummary } from '../../src/orchestrator/index.ts';
import { openStepProject, type StepProject } from '../support/step-project.ts';

const FILES = {
  'shop.ts': `
    import { entity, featureView, latest, materialized, parquet, pipeline, t, task } from 'headrace';
    const shop = entity('shop', { keys: { shop: t.string() } });
    const sales = parquet('sales', {
      path: 'data/sales.parquet',
      columns: { shop: t.string(), amount: t.float64(), at: t.timestamp() },
      eventTime: 'at',
    });
    export const totals = featureView('totals', {
      entity: shop, source: sales, features: { last_amount: latest('amount') }, schedule: '* * * * * *',
    });
    const p = pipeline('after', { on: [materialized(totals)] });
    p.step('say', task(() => 'done'));
    export default p;
    export const slow = pipeline('slow', { schedule: '* * * * * *', concurrency: 1, overlap: 'skip' });
    slow.step('wait', task(async () => {
      const { existsSync, writeFileSync } = await import('node:fs');
      writeFileSync('__PROJECT__/waits', '');
      while (!existsSync('__PROJECT__/go')) await new Promise((resolve) => setTimeout(resolve, 20));
    }));`,
};
const SALES = `SELECT 'a' AS shop, 3.0::DOUBLE AS amount, TIMESTAMP '2026-01-05 10:00:00' AS at`;
const SOON = { timeout: 60_000, interval: 50 };

let made: StepProject;
beforeAll(async () => {
  made = await openStepProject({ files: FILES, data: { 'sales.parquet': SALES } });
});
afterAll(() => made.close());

async function runs(pipeline: string): Promise<readonly RunSummary[]> {
  const { app, project } = made;
  const [database, objects] = [await app.database(), await app.objects()];
  const all = await listRuns({ database, objects, clock: app.clock, workDirectory: project.directory });
  return all.filter((run) => run.pipeline === pipeline);
}

/** So many schedulers while the work goes on; gives what they said. */
async function whileScheduled(count: number, work: () => Promise<void>): Promise<readonly string[]> {
  const stop = new AbortController();
  const told: string[] = [];
  const deps = await Promise.all(
    Array.from({ length: count }, () => openScheduler(made.app, (line) => told.push(line))),
  );
  const scheduling = deps.map((one) => runScheduler(one, stop.signal));
  try {
    await work();
  } finally {
    stop.abort();
    await Promise.all(scheduling);
  }
  return told;
}

it('a scheduler makes and drives the runs that schedules and triggers owe, each once though two look, and lets them go on', async () => {
  const told = await whileScheduled(2, async () => {
    const ended = async () => (await runs('after')).map(({ state }) => state);
    await expect.poll(ended, SOON).toContain('succeeded');
    await expect.poll(() => existsSync(made.project.file('waits')), SOON).toBe(true);
  });
  const ticks = (await runs('materialize:totals')).map(({ tickMicros }) => tickMicros);
  expect(ticks.length).toBeGreaterThan(0);
  expect(new Set(ticks).size).toBe(ticks.length);
  const [after] = (await runs('after')).filter(({ state }) => state === 'succeeded');
  expect(after?.trigger).toMatchObject({ kind: 'materialized', of: 'totals' });
  expect(told).toContainEqual(expect.stringMatching(/^run \S+ of after for \S+ starts$/));

  const [slow] = (await runs('slow')).filter(({ state }) => state === 'interrupted');
  expect(told).toContain(`run ${slow?.id} of slow is let go, for others to go on with`);
  made.project.write('go', '');
  await whileScheduled(1, async () => {
    const state = async () => (await runs('slow')).find(({ id }) => id === slow?.id)?.state;
    await expect.poll(state, SOON).toBe('succeeded');
  });
});
