// Drivers that are killed at random points of a run: the same artifacts as undisturbed, each task committed once, and never one task too
// many of a pool: each of its tasks holds a lock that the kernel frees with it, of as many locks as the pool has slots.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import type { PipelineSpec, StepSpec } from '../../src/definitions/index.ts';
import { firstRows, graphOf } from '../../src/orchestrator/engine/graph.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { RunStore } from '../../src/orchestrator/rows/run-store.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from './databases.ts';
import { range, stepOf } from './drive-world.ts';
import { type ExecutorWorld, openExecutorWorld, processesWith, until } from './executor-world.ts';
import { commitsOf } from './run-commits.ts';
import { miscounts, rowsOf } from './run-rows.ts';

/** Of all steps together. */
const TASKS = 500;
const SLOTS = 2;
const CHILD = join(import.meta.dirname, 'drive-child.ts');

async function pipelineIn(world: ExecutorWorld): Promise<PipelineSpec> {
  const step = async (name: string, code: string, count = 1, more: Partial<StepSpec> = {}): Promise<StepSpec> => {
    const action = await world.task(`module.exports = async (needs, context) => { ${code} };`);
    return stepOf(name, count, { action, retry: 2, ...more });
  };
  const pause = 'await new Promise((resolve) => setTimeout(resolve, 5));';
  const locks = Array.from({ length: SLOTS }, (_, at) => join(world.directory, `lock${at}`)).join(' ');
  const command = `for lock in ${locks}; do exec 9>$lock; if flock -n 9; then sleep 0.02; exit 0; fi; done; echo . >> ${tooMany(world)}`;
  return {
    name: 'p',
    params: [],
    groups: [{ name: 'country', foreach: range(40), last: 'best' }],
    steps: [
      await step('wide', `${pause} return { value: context.index * 7 };`, 300),
      await step('fit', `${pause} return context.items.country * 10 + context.index;`, 3, { in: 'country' }),
      await step('best', 'return Math.max(...needs.fit);', 1, { in: 'country', needs: { fit: 'fit' } }),
      stepOf('said', 39, { action: { kind: 'shell', command }, retry: 2, resources: { cpu: 0.25 }, pool: 'few' }),
      await step(
        'all',
        'return { wide: needs.wide.reduce((sum, { value }) => sum + value, 0), best: needs.best };',
        1,
        {
          needs: { wide: 'wide', best: 'country', said: 'said' },
        },
      ),
    ],
  };
}
const tooMany = ({ directory }: ExecutorWorld): string => join(directory, 'too-many');

/** What was kept of a run. */
async function kept(store: RunStore, run: string) {
  const outputs: Record<string, unknown> = {};
  for (const { step, scope } of (await store.get(run)).steps)
    for await (const { index, output } of store.outputs(run, step, scope))
      outputs[`${step} ${scope} ${index}`] = output;
  return outputs;
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
      const given = { id, pipeline, params: {}, manifestHash: 'x', keepGoing: false } as const;
      await store.create({ ...given, state: 'running', steps: firstRows(graphOf(pipeline)) });
    };
    const drive = (run: string) =>
      fork(CHILD, [world.directory, url, run, JSON.stringify({ few: SLOTS })], {
        execArgv: ['--conditions=headrace-source'],
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });

    it(
      `whose drivers are killed ${most} times ends in the same artifacts, each task committed once`,
      async () => {
        await create('undisturbed');
        await once(drive('undisturbed'), 'exit');
        expect((await store.get('undisturbed')).run.state).toBe('succeeded');
        const expected = await kept(store, 'undisturbed');
        expect(Object.keys(expected)).toHaveLength(TASKS);

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
          expect((await store.get(id)).run).toMatchObject({ state: 'succeeded', error: null });
          expect(await kept(store, id)).toEqual(expected);
          expect(await commitsOf({ database, clock: systemClock }, id)).toEqual({ tasks: TASKS, twice: [] });
        }
        expect(existsSync(tooMany(world))).toBe(false);
        expect((await rowsOf(database)).pipeline_pools).toEqual([]);
        const left = () => processesWith(`${world.directory}/`).length;
        await until(() => left() === 0, 'the end of what killed drivers had started');
      },
      most * 10_000,
    );
  });
}
