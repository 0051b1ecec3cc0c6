// A foreach of 25,000 tasks on AWS Batch, by a driver whose jobs are cheap ones: how long it takes, what it asks of Batch, and that
// its memory does not grow by task.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, it, vi } from 'vitest';
import { listRuns, runPipeline } from '../../src/orchestrator/index.ts';
import { type CheapBatchProject, openCheapBatchProject } from '../support/cheap-batch-project.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void; // V8's own, there by the flag
const heapMib = (): number => {
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

const TASKS = 25_000;

let project: CheapBatchProject | undefined;
afterEach(async () => {
  await project?.close();
  project = undefined;
  vi.unstubAllEnvs();
});

it.each([
  { pack: 1, mostSubmits: 200 },
  { pack: 20, mostSubmits: 200 },
])('25,000 tasks, $pack a container', async ({ pack, mostSubmits }) => {
  const heaps: number[] = [];
  project = await openCheapBatchProject(
    `const p = pipeline('wide');
p.step('each', task(() => null), { foreach: range(${TASKS}), executor: on('runs', ${pack}) });
export default p;`,
    {
      overrides: {
        onProgress([each]) {
          const done = each?.counts.succeeded ?? 0;
          if (done >= 4000 * (heaps.length + 1)) heaps.push(heapMib());
        },
      },
    },
  );
  const since = performance.now();
  await runPipeline(project.deps, { pipeline: 'wide' });
  const seconds = (performance.now() - since) / 1000;
  const counts = await project.batch.tell({ kind: 'count' });
  console.log(JSON.stringify({ pack, seconds, heaps, ...counts }));
  const [run] = await listRuns(project.deps);
  expect(run).toMatchObject({ state: 'succeeded' });
  expect(counts).toMatchObject({ jobsOfOneName: 1, throttled: 0 });
  expect(counts.calls['submitjob']).toBeLessThan(mostSubmits);
  expect((heaps.at(-1) ?? NaN) - (heaps[0] ?? NaN)).toBeLessThan(10);
});
