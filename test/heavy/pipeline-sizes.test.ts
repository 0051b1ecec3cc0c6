// Pipelines of sizes that nobody meant: a step that prints 600 MB and fails, a foreach over 10,000,000 items.

import { expect, it } from 'vitest';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { getRun, listRuns, runPipeline } from '../../src/orchestrator/index.ts';
import { ownProject } from '../support/opened.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void; // V8's own, there by the flag

const project = (text: string, overrides: Parameters<typeof ownProject>[1] = {}) =>
  ownProject(`import { pipeline, range, shell, task } from 'headrace';\n${text}`, overrides);

function heapMib(): number {
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

it('a step that fails after 600 MB of output fails its run with the end of them, in little memory', async () => {
  const made = await project(`
    const p = pipeline('loud');
    p.step('loud', shell('echo first; head -c 600M /dev/zero | tr "\\\\0" x; echo; echo "out of rows" >&2; exit 3'));
    export default p;`);
  const before = process.memoryUsage().rss;
  await expect(runPipeline(made.deps, { pipeline: 'loud' })).rejects.toThrow(
    /step "loud" failed: exit code 3: out of rows[^]*goes on from here/,
  );
  expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(200);
  expect((await listRuns(made.deps))[0]?.state).toBe('failed');
});

it('a foreach over 10,000,000 items takes a driver no memory by item', async () => {
  const stop = new AbortController();
  const heaps: number[] = [];
  const made = await project(
    `const p = pipeline('wide'); p.step('each', task(() => null), { foreach: range(10_000_000) }); export default p;`,
    {
      signal: stop.signal,
      onProgress([each]) {
        const done = each?.counts.succeeded ?? 0;
        if (done >= 20_000 * (heaps.length + 1)) heaps.push(heapMib());
        if (heaps.length === 6) stop.abort();
      },
    },
  );
  await expect(runPipeline(made.deps, { pipeline: 'wide' })).rejects.toThrow(/was interrupted/);
  expect((heaps.at(-1) ?? NaN) - (heaps[0] ?? NaN)).toBeLessThan(8);
  const [run] = await listRuns(made.deps);
  const { steps } = await getRun(made.deps, run?.id ?? '');
  expect(steps[0]?.children).toBe(10_000_000);
  expect(steps[0]?.counts.succeeded).toBeGreaterThanOrEqual(120_000);
});

it('a result of 10,000,000 items is refused by its size, with what to do', async () => {
  const made = await project(`
    const p = pipeline('much');
    const items = p.step('items', task(() => Array.from({ length: 10_000_000 }, (_, index) => index)));
    p.step('each', task(() => null), { foreach: items });
    export default p;`);
  await expect(runPipeline(made.deps, { pipeline: 'much' })).rejects.toThrow(
    /result has 76 MiB, more than the 64 MiB .* write what is that large as a file/,
  );
});
