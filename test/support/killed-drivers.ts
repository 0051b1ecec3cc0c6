// Drivers that are killed at random points of a run: the same artifacts as undisturbed, each task committed once.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import type { PipelineSpec, StepSpec } from '../../src/definitions/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { RunStore } from '../../src/orchestrator/rows/run-store.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from './databases.ts';
import { type ExecutorWorld, openExecutorWorld, processesWith, until } from './executor-world.ts';
import { miscounts } from './run-rows.ts';

/** Of all steps together. */
const TASKS = 500;

const CHILD = join(import.meta.dirname, 'drive-child.ts');

async function pipelineIn(world: ExecutorWorld): Promise<PipelineSpec> {
  const base = { needs: {}, retry: 2, timeoutMicros: null, resources: {} };
  const step = async (name: string, code: string, more: Partial<StepSpec> = {}): Promise<StepSpec> => ({
    ...base,
    name,
    action: await world.task(`module.exports = async (needs, context) => { ${code} };`),
    ...more,
  });
  const pause = 'await new Promise((resolve) => setTimeout(resolve, 5));';
  return {
    name: 'p',
    params: [],
    groups: [{ name: 'country', foreach: { kind: 'range', start: 0, end: 40 }, last: 'best' }],
    steps: [
      await step('wide', `${pause} return { value: context.index * 7 };`, {
        foreach: { kind: 'range', start: 0, end: 300 },
      }),
      await step('fit', `${pause} return context.items.country * 10 + context.index;`, {
        in: 'country',
        foreach: { kind: 'range', start: 0, end: 3 },
      }),
      await step('best', 'return Math.max(...needs.fit);', { in: 'country', needs: { fit: 'fit' } }),
      {
        ...base,
        name: 'said',
        action: { kind: 'shell', command: 'sleep 0.02' },
        foreach: { kind: 'range', start: 0, end: 39 },
      },
      await step('all', 'return { wide: needs.wide.reduce((sum, { value }) => sum + value, 0), best: needs.best };', {
        needs: { wide: 'wide', best: 'country', said: 'said' },
      }),
    ],
  };
}

/** What was kept of a run, and how often each task was committed. */
async function kept(store: RunStore, run: string) {
  const { steps } = await store.get(run);
  const outputs: Record<string, unknown> = {};
  for (const { step, scope } of steps)
    for await (const { index, output } of store.outputs(run, step, scope))
      outputs[`${step} ${scope} ${index}`] = output;
  const commits = new Map<string, number>();
  for (let after = 0; ; ) {
    const events = await store.events(run, after);
    for (const { kind, step, scope, index, count } of events) {
      if (kind !== 'succeeded' || step === null || index === null) continue;
      for (let at = index; at < index + (count ?? 1); at++)
        commits.set(`${step} ${scope ?? ''} ${at}`, (commits.get(`${step} ${scope ?? ''} ${at}`) ?? 0) + 1);
    }
    if (events.length === 0) return { outputs, commits };
    after = events.at(-1)?.number ?? after;
  }
}

/** The tests, on both databases: a run of `most` kills goes on over as many runs as they take. */
export function testKilledDrivers(most: number): void {
  describe.each(testDatabases('killed drivers'))('a run on $name', (databases) => {
    let world: ExecutorWorld;
    let database: Database;
    let store: RunStore;
    let url = '';
    beforeAll(async () => {
      await databases.start();
      url = await databases.newUrl();
      world = openExecutorWorld();
      database = await openDatabase(url);
      store = await openRunStore(database, systemClock);
    }, 60_000);
    afterAll(async () => {
      await world?.close();
      await database?.close();
      await databases.stop();
    });

    const create = async (id: string): Promise<void> => {
      const pipeline = await pipelineIn(world);
      const steps = [...pipeline.steps.filter((step) => step.in === undefined), ...(pipeline.groups ?? [])];
      await store.create({
        id,
        pipeline,
        params: {},
        manifestHash: 'x',
        keepGoing: false,
        state: 'running',
        steps: steps.map(({ name }) => ({ step: name, scope: '' })),
      });
    };

    const drive = (run: string) =>
      fork(CHILD, [world.directory, url, run], {
        execArgv: ['--conditions=headrace-source'],
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });

    it(`whose drivers are killed ${most} times ends in the same artifacts, each task committed once`, {
      timeout: most * 10_000,
    }, async () => {
      await create('undisturbed');
      const whole = drive('undisturbed');
      await once(whole, 'exit');
      expect((await store.get('undisturbed')).run.state).toBe('succeeded');

      let kills = 0;
      for (let run = 0; kills < most; run++) {
        const id = `disturbed${run}`;
        await create(id);
        while ((await store.get(id)).run.state === 'running') {
          const child = drive(id);
          await Promise.race([once(child, 'message'), once(child, 'exit')]);
          // From its first rows to its last.
          await Promise.race([delay(Math.random() * 600), once(child, 'exit')]);
          if (child.exitCode === null && kills < most) {
            kills += 1;
            child.kill('SIGKILL');
          }
          if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        }
        // A group counts its items, of which there are no rows of tasks.
        expect((await miscounts(database)).filter((one) => !one.startsWith('country '))).toEqual([]);
        const expected = await kept(store, 'undisturbed');
        const found = await kept(store, id);
        expect((await store.get(id)).run).toMatchObject({ state: 'succeeded', error: null });
        expect(Object.keys(found.outputs)).toHaveLength(TASKS);
        expect(found.outputs).toEqual(expected.outputs);
        expect([...found.commits.values()].filter((count) => count !== 1)).toEqual([]);
        expect(found.commits.size).toBe(TASKS);
      }
      await until(
        () => processesWith(`${world.directory}/`).length === 0,
        'the end of what killed drivers had started',
      );
    });
  });
}
