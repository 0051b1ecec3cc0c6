// A driver that is killed while it goes on with an edited run, at each of its calls to the database and the artifact store: whoever goes on
// with the run after it ends in what a run from scratch gives.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { contentHash, type Json, silentLogger, systemClock } from '../../src/core/index.ts';
import { openResults } from '../../src/orchestrator/driver/step-results.ts';
import { graphOf } from '../../src/orchestrator/engine/graph.ts';
import { type OrchestratorDeps, resumeRun } from '../../src/orchestrator/index.ts';
import { itemOf, placeOf, readOrder } from '../../src/orchestrator/step/order.ts';
import { Crash, type CrashPoints, crashAt } from '../support/crash-points.ts';
import { type DriveWorld, onlyExecutor, openDriveWorld } from '../support/drive-world.ts';
import { edit, type Edit, evaluate, pipelineOf, SOURCE } from '../support/edited-pipeline.ts';
import { createFarExecutor, failed, succeeded, type TaskEnd } from '../support/far-executor.ts';
import { manifestOf } from '../support/offline-world.ts';
import { passLeases } from '../support/run-rows.ts';
import { runs } from '../support/tier.ts';

/** Each task gives what it was made for; of ten, `harm` fail. */
function executorOf({ objects }: DriveWorld, { harm, dice }: Pick<Edit, 'harm' | 'dice'>) {
  const ends = async (spec: string, index: number): Promise<TaskEnd> => {
    const order = await readOrder(objects, spec);
    if (order.step === 'source') return succeeded(JSON.stringify(SOURCE));
    const given = [order.step, order.items, itemOf(order, index) ?? null, order.needs];
    const isBad = Number.parseInt(contentHash([given, dice, placeOf(order, index)]).slice(0, 8), 16) % 10 < harm;
    return isBad ? failed : succeeded(JSON.stringify(given));
  };
  return createFarExecutor({ ends }).executor;
}

/** An edit of ten items, some of which fail: whoever goes on with it has far more than 20 calls to make. */
const ten: Edit = {
  fit: { kind: 'range', start: 0, end: 10 },
  group: { kind: 'items', items: [1, 'a'] },
  inner: null,
  harm: 3,
  dice: 0,
};

const never = (): never => {
  throw new Error('every step runs on this machine');
};

/** Goes on with the run by an edit, as `headrace runs resume` does. */
function resume(world: DriveWorld, by: Edit, { watch }: CrashPoints) {
  const manifest = manifestOf({ pipelines: { p: pipelineOf(by) } });
  const definitions = {
    manifest,
    hash: contentHash(manifest),
    functions: new Map(),
    bundles: new Map(),
    directory: '/',
  };
  const deps: OrchestratorDeps = {
    definitions,
    database: watch(world.database),
    objects: watch(world.objects),
    clock: systemClock,
    logger: silentLogger,
    workDirectory: world.folder,
    openExecutor: () => executorOf(world, by),
    openFleet: never,
    clusters: { check: never, open: never },
    executor: 'local',
  };
  return resumeRun(deps, 'r');
}

async function expectAsFromScratch(world: DriveWorld, now: Edit): Promise<void> {
  const { store, objects } = world;
  const results = openResults({ store, objects }, { id: 'r', graph: graphOf(pipelineOf(now)), rows: new Map() });
  const found: Record<string, Json> = {};
  const expected = evaluate(now);
  for (const name of Object.keys(expected)) found[name] = await results.of(name, '');
  expect(found).toEqual(expected);
  const { steps } = await store.get('r');
  for (const { step, scope, counts, children } of steps)
    expect([step, scope, counts]).toEqual([
      step,
      scope,
      { running: 0, retry: 0, succeeded: children, failed: 0, cancelled: 0 },
    ]);
}

it('whoever goes on after it ends in the results of the items of now, wherever it was killed', async () => {
  let deaths = 0;
  await fc.assert(
    fc.asyncProperty(edit, edit, edit, fc.nat(79), async (first, killed, last, at) => {
      const world = await openDriveWorld();
      await world.begin(pipelineOf(first), true);
      const begun = await world.drive(onlyExecutor(executorOf(world, { ...first, harm: 3 })));
      if (begun.end !== 'failed') return;
      const points = crashAt(at + 1);
      const died = await resume(world, killed, points).then(
        () => 'succeeded',
        (error: unknown) => (error as Error).cause ?? error,
      );
      const { state } = (await world.store.get('r')).run;
      if (died instanceof Crash) deaths += 1;
      // It may die after its last batch, with nothing left to do.
      if (state === 'succeeded') return await expectAsFromScratch(world, killed);
      await passLeases(world.database, 15_001);
      const now = { ...last, harm: 0 };
      expect(await resume(world, now, crashAt(0))).toMatchObject({ state: 'succeeded', error: null });
      await expectAsFromScratch(world, now);
    }),
    { numRuns: runs(50), examples: [[ten, { ...ten, dice: 1 }, ten, 20]] },
  );
  // The example dies, at least.
  expect(deaths).toBeGreaterThan(0);
});
