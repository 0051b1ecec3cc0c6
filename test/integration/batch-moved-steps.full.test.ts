// A step that is sent elsewhere between a driver's death and the next: what it had on AWS Batch is ended there, and what had a result
// keeps it.
// twin: test/integration/cluster-executor.test.ts > goes on with what another driver began

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it, vi } from 'vitest';
import { loadDefinitions } from '../../src/definitions/index.ts';
import { getRun, listRuns, resumeRun } from '../../src/orchestrator/index.ts';
import { type CheapBatchProject, onCheapBatch, openCheapBatchProject } from '../support/cheap-batch-project.ts';

const DRIVER = fileURLToPath(new URL('../support/cheap-batch-clusters.ts', import.meta.url));

let project: CheapBatchProject | undefined;
afterEach(async () => {
  await project?.close();
  project = undefined;
  vi.unstubAllEnvs();
});

it.each([
  { what: 'this machine', executor: `'local'`, ranHere: 4 },
  { what: 'another job definition', executor: `on('runs')`, ranHere: 0 },
])(
  'tasks go on elsewhere and none of their jobs does, where their step is sent to $what',
  async ({ executor, ranHere }) => {
    const text = (on: string, place: string): string =>
      onCheapBatch(`const p = pipeline('p');
p.step('each', shell('echo x >> ${place}; echo \\'"here"\\' > $HEADRACE_STEP_OUTPUT/result.json'), { foreach: range(8), executor: ${on} });
export default p;`);
    project = await openCheapBatchProject(`const p = pipeline('p');
p.step('each', shell('true'), { foreach: range(8), executor: on('half') });
export default p;`);
    const { directory, deps, batch } = project;
    const place = join(directory, 'ran');
    const write = (on: string): void => writeFileSync(join(directory, 'repo', 'p.ts'), text(on, place));
    write(`on('half')`);
    const driver = spawn(process.execPath, ['--conditions=headrace-source', DRIVER, directory, 'p'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await vi.waitFor(
      async () => expect(await batch.tell({ kind: 'count' })).toMatchObject({ children: 8, running: 4 }),
      { timeout: 20_000, interval: 50 },
    );
    driver.kill('SIGKILL');
    await once(driver, 'exit');

    write(executor);
    const definitions = await loadDefinitions(join(directory, 'repo'), 'test');
    const [run] = await listRuns(deps);
    const id = run?.id ?? '';
    await resumeRun({ ...deps, definitions }, id);
    const { state, steps } = await getRun(deps, id);
    expect({ state, counts: steps[0]?.counts }).toMatchObject({ state: 'succeeded', counts: { succeeded: 8 } });
    expect(await batch.tell({ kind: 'count' })).toMatchObject({ running: 0, jobsOfOneName: 1 });
    const lines = existsSync(place) ? readFileSync(place, 'utf8').trim().split('\n') : [];
    expect(lines).toHaveLength(ranHere);
    // What Batch had made is the result; of the rest whoever ran it last.
    const results = steps[0]?.result as unknown[];
    expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((index) => (ranHere > 0 && index % 2 === 1 ? 'here' : index)));
  },
  90_000,
);
