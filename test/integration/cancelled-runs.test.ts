// Runs that are cancelled whose driver is gone: what it left on this host is ended, and what may run on another is told.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cancelRun, resumeRun, runPipeline } from '../../src/orchestrator/index.ts';
import { newOwner } from '../../src/orchestrator/lease.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { processesWith, until } from '../support/executor-world.ts';
import { ownProject } from '../support/opened.ts';
import type { PipelineProject } from '../support/pipeline-project.ts';
import { claimed, newRun, passLeases } from '../support/run-rows.ts';
import { fullIt } from '../support/tier.ts';

const DRIVER = fileURLToPath(new URL('../support/pipeline-project.ts', import.meta.url));
const FAR = 'far-host.pid.4026531836.0badcafe/77/1f2e3d4c';
const LEASE_MS = 15_000;

async function open(): Promise<PipelineProject> {
  const project = await ownProject(`
    import { pipeline, shell } from 'headrace';
    const p = pipeline('slow');
    p.step('a', shell('test -e __PROJECT__/go || exec sleep 1000'));
    p.step('b', shell('test -e __PROJECT__/go || setsid sleep 1000'));
    export default p;`);
  onTestFinished(() => void spawnSync('kill', ['-9', ...processesWith(`${project.directory}/`).map(String)]));
  return project;
}

/** Processes of steps and of the launcher, by what the driver's marks and folders have in them. */
const left = ({ directory }: PipelineProject): readonly number[] =>
  processesWith(`${directory}/`).filter((pid) => processesWith('HEADRACE_ATTEMPT=').includes(pid));

/** A run whose driver dies by SIGKILL while its launcher can do nothing. */
async function abandoned(project: PipelineProject, becomesOfLauncher: 'SIGKILL' | 'SIGSTOP'): Promise<string> {
  const child = spawn(process.execPath, ['--conditions=headrace-source', DRIVER, project.directory, 'run', 'slow'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let id = '';
  child.stdout?.on('data', (chunk: Buffer) => (id += chunk.toString()));
  const sleeping = (): number => processesWith('sleep\u00001000').filter((pid) => left(project).includes(pid)).length;
  await until(() => id.endsWith('\n') && sleeping() >= 2, 'the processes of both steps');
  const [launcher] = processesWith(`/${child.pid}/`).filter((pid) => processesWith(':launcher:0:0').includes(pid));
  process.kill(launcher ?? 0, 'SIGSTOP');
  child.kill('SIGKILL');
  await once(child, 'exit');
  if (becomesOfLauncher === 'SIGKILL') process.kill(launcher ?? 0, 'SIGKILL');
  expect(sleeping()).toBeGreaterThanOrEqual(2);
  return id.trim();
}

describe('cancel of a run whose driver is gone', () => {
  // twin: test/integration/cancelled-runs.test.ts > names the host that drove it, where that is another; a cancel or resume there ends what runs
  fullIt.each(['SIGKILL', 'SIGSTOP'] as const)('ends its processes here, its launcher under %s', async (signal) => {
    const project = await open();
    const id = await abandoned(project, signal);
    const cancelled = await cancelRun(project.deps, id);
    expect(cancelled).toMatchObject({ wasRunning: true, state: 'cancelled', driver: null, mayRunAt: [] });
    expect(cancelled.endedProcesses).toBeGreaterThanOrEqual(2);
    expect(left(project)).toEqual([]);
    expect(await cancelRun(project.deps, id)).toMatchObject({ wasRunning: false, endedProcesses: 0 });
  });

  it('names the host that drove it, where that is another; a cancel or resume there ends what runs', async () => {
    const project = await open();
    const { database, clock } = project.deps;
    const store = await openRunStore(database, clock);
    const drivenBy = async (id: string, driver: string): Promise<void> => {
      await store.create(newRun(id));
      const { epoch } = await store.take(id, driver);
      const { slices, ...batch } = claimed(2);
      const there = slices.map((slice) => ({ ...slice, executor: `local:${driver}` }));
      await store.flush(id, epoch, 1, { ...batch, slices: there });
      await passLeases(database, LEASE_MS + 1);
    };
    await drivenBy('r', FAR);
    const far = { wasRunning: true, state: 'cancelled', mayRunAt: ['far-host'] };
    expect(await cancelRun(project.deps, 'r')).toMatchObject(far);

    // As it is there: the run was cancelled on another host, and its driver died on this one.
    const driver = newOwner();
    await drivenBy('s', driver);
    await store.requestCancel('s');
    const env = { ...process.env, HEADRACE_ATTEMPT: `${driver}:x:0:1`, OF: `${project.directory}/` };
    const orphan = spawn('sleep', ['1000'], { env, detached: true, stdio: 'ignore' });
    await until(() => left(project).length > 0, 'the orphan');
    expect(await cancelRun(project.deps, 's')).toMatchObject({ wasRunning: false, endedProcesses: 1, mayRunAt: [] });
    expect(orphan.signalCode ?? (await once(orphan, 'exit'))[1]).toBe('SIGKILL');
  });

  // twin: test/integration/cancelled-runs.test.ts > names the host that drove it, where that is another; a cancel or resume there ends what runs
  fullIt.each(['resumed', 'beside another'])('leaves nothing running where it is %s later', async (how) => {
    const project = await open();
    const id = await abandoned(project, 'SIGSTOP');
    // On another host: nothing here is ended by it.
    const store = await openRunStore(project.deps.database, project.deps.clock);
    if (how === 'resumed') await store.requestCancel(id);
    expect(left(project).length).toBeGreaterThan(0);
    writeFileSync(join(project.directory, 'go'), '');
    const run = how === 'resumed' ? resumeRun(project.deps, id) : runPipeline(project.deps, { pipeline: 'slow' });
    expect((await run).state).toBe('succeeded');
    if (how === 'resumed') expect(left(project)).toEqual([]);
    await until(() => left(project).length === 0, 'the end of what the other driver left');
    const isGone = () => how === 'resumed' || readdirSync(join(project.directory, 'work', 'scratch')).length === 0;
    await until(isGone, 'the end of its folder');
  });
});
