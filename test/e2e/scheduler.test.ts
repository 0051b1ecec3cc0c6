// Schedules and triggers over a whole project, in one process: a view is materialized by its schedule, and a pipeline runs after that.

import { expect, it } from 'vitest';
import { openScheduler } from '../../src/app/index.ts';
import { listRuns, runScheduler } from '../../src/orchestrator/index.ts';
import { openStepProject } from '../support/step-project.ts';

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
    export default p;`,
};
const SALES = `SELECT 'a' AS shop, 3.0::DOUBLE AS amount, TIMESTAMP '2026-01-05 10:00:00' AS at`;

it('a scheduler makes and drives the runs that schedules and triggers owe, each once though two look', async () => {
  const { app, project, close } = await openStepProject({ files: FILES, data: { 'sales.parquet': SALES } });
  const stop = new AbortController();
  const told: string[] = [];
  const schedulers = await Promise.all([1, 2].map(() => openScheduler(app, (line) => told.push(line))));
  const scheduling = schedulers.map((deps) => runScheduler(deps, stop.signal));
  const deps = {
    database: await app.database(),
    objects: await app.objects(),
    clock: app.clock,
    workDirectory: project.directory,
  };
  try {
    await expect
      .poll(
        async () => (await listRuns(deps)).filter(({ state }) => state === 'succeeded').map(({ pipeline }) => pipeline),
        { timeout: 60_000, interval: 50 },
      )
      .toContain('after');
  } finally {
    stop.abort();
    await Promise.all(scheduling);
  }
  const runs = await listRuns(deps);
  const ticks = runs.flatMap(({ pipeline, tickMicros }) => (pipeline === 'materialize:totals' ? [tickMicros] : []));
  expect(ticks.length).toBeGreaterThan(0);
  expect(new Set(ticks).size).toBe(ticks.length);
  expect(runs.find(({ pipeline }) => pipeline === 'after')?.trigger).toMatchObject({
    kind: 'materialized',
    of: 'totals',
  });
  expect(told).toContainEqual(expect.stringMatching(/^run \S+ of after for \S+ starts$/));
  await close();
});
