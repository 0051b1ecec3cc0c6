// A pool over runs whose tasks are on workers of the fleet, as processes: who waits is told who holds it, a cancel and an end give slots
// back, and never is there one task too many, whoever dies. Each task holds a lock that the kernel frees with it, of as many locks as the
// pool has slots: one too many finds none.
// twin: test/contract/run-pools.test.ts > are never more than there are
// twin: test/property/pipeline-engine.test.ts > never has more at work in a pool than its slots

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { rowsOf } from '../support/run-rows.ts';
import { killed, listRuns, untilSo } from '../support/scheduler-process.ts';
import { createProject, headrace, headraceJson, MAIN, type Project } from '../support/serving-project.ts';

const SLOTS = 2;

interface Started {
  readonly process: ChildProcess;
  readonly log: () => string;
}

let project: Project;
let children: ChildProcess[] = [];
beforeEach(() => {
  project = createProject({
    'headrace.config.ts': `export default { project: 'p', orchestrator: { executor: 'fleet', pools: { warehouse: ${SLOTS} } } };`,
  });
  const at = (name: string): string => join(project.directory, name);
  const locks = Array.from({ length: SLOTS }, (_, number) => at(`lock${number}`)).join(' ');
  const command = `for lock in ${locks}; do exec 9>$lock; if flock -n 9; then echo . >> ${at('busy')}; while test ! -e ${at('go')}; do sleep 0.05; done; sleep 0.2; exit 0; fi; done; echo . >> ${at('too-many')}`;
  project.write(
    'feature_repo/p.ts',
    `import { pipeline, range, shell } from 'headrace';
      const p = pipeline('p');
      p.step('fan', shell(${JSON.stringify(command)}), { foreach: range(10), pool: 'warehouse', resources: { cpu: 0.25 } });
      export default p;`,
  );
  expect(headrace(project, ['apply']).code).toBe(0);
});
afterEach(async () => {
  for (const child of children) await killed(child);
  children = [];
  project.remove();
});

function start(...args: readonly string[]): Started {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: project.directory,
    env: { ...process.env, npm_lifecycle_event: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (log += text));
  return { process: child, log: () => log };
}

async function startWorker(): Promise<Started> {
  const worker = start('worker', '--slots', '2');
  await untilSo('a worker', () => worker.log().includes('Serving the fleet'), [worker]);
  return worker;
}

async function startRun(...words: readonly string[]): Promise<Started & { readonly id: string }> {
  const driver = start(...(words.length === 0 ? ['run', 'p'] : words));
  if (words.length > 0) return { ...driver, id: words.at(-1) ?? '' };
  await untilSo('a run', () => /^run (\S+)$/m.test(driver.log()), [driver]);
  return { ...driver, id: /^run (\S+)$/m.exec(driver.log())?.[1] ?? '' };
}

const linesOf = (name: string): number =>
  existsSync(project.file(name)) ? readFileSync(project.file(name), 'utf8').split('\n').length - 1 : 0;
const stateOf = (id: string): string | undefined => listRuns(project).find((run) => run.id === id)?.state;
const endOf = async (driver: Started): Promise<number | null> => {
  if (driver.process.exitCode !== null) return driver.process.exitCode;
  const [code] = (await once(driver.process, 'exit')) as [number | null];
  return code;
};

/** Whatever runs still have. */
async function slotsLeft(): Promise<number> {
  const database = await openDatabase(`sqlite:${project.file('.headrace/registry.db')}`);
  try {
    await openRunStore(database, systemClock);
    return (await rowsOf(database)).pipeline_pools.length;
  } finally {
    await database.close();
  }
}

it('is waited for by name, and a cancel gives its slots to who waits', { timeout: 180_000 }, async () => {
  await startWorker();
  const first = await startRun();
  await untilSo('both slots in use', () => linesOf('busy') === SLOTS, [first]);
  const second = await startRun();
  await untilSo('the second to say that it waits', () => second.log().includes('waits for pool'), [second]);
  expect(second.log()).toContain(`fan waits for pool warehouse (held by run ${first.id}: 2)`);
  expect(headrace(project, ['runs', 'show', second.id]).stdout).toContain(
    `waits for pool warehouse (held by run ${first.id}: 2), has 0 of 2 slots`,
  );
  expect(headrace(project, ['runs', 'cancel', first.id]).code).toBe(0);
  expect(await endOf(first)).not.toBe(0);
  await untilSo('the second to have them', () => linesOf('busy') === 2 * SLOTS, [second]);
  expect(stateOf(first.id)).toBe('cancelled');
  const again = await startRun('runs', 'resume', first.id);
  project.write('go', '');
  expect(await endOf(second), second.log()).toBe(0);
  expect(await endOf(again), again.log()).toBe(0);
  expect(linesOf('too-many')).toBe(0);
  expect(await slotsLeft()).toBe(0);
});

it('has no task too many while drivers and workers are killed, and all of its slots after them', {
  timeout: 300_000,
}, async () => {
  const workers = [await startWorker(), await startWorker()];
  const [one, other] = [await startRun(), await startRun()];
  await untilSo('both slots in use', () => linesOf('busy') >= SLOTS, [one, other]);
  one.process.kill('SIGKILL');
  project.write('go', '');
  // What runs goes on at the workers, and holds its slots; the others wait for whoever takes it over.
  const resumed = await startRun('runs', 'resume', one.id);
  await untilSo('some tasks', () => linesOf('busy') >= 5, [resumed, other]);
  workers[0]?.process.kill('SIGKILL');
  await startWorker();
  expect(await endOf(other), other.log()).toBe(0);
  expect(await endOf(resumed), resumed.log()).toBe(0);
  for (const { id } of [one, other])
    expect(headraceJson(project, ['runs', 'show', id])).toMatchObject({
      state: 'succeeded',
      steps: [{ counts: { succeeded: 10 } }],
    });
  expect(linesOf('too-many')).toBe(0);
  expect(await slotsLeft()).toBe(0);
});
