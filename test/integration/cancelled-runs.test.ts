// Runs that are cancelled whose driver is gone: what it left on this host is ended, and what may run on another is told.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { cancelRun, resumeRun, runPipeline } from '../../src/orchestrator/index.ts';
import { newOwner } from '../../src/orchestrator/lease.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { processesWith, until } from '../support/executor-world.ts';
import {
  openPipelineProject,
  type PipelineProject,
  removeProject,
  writeRepository,
} from '../support/pipeline-project.ts';
import { claimed, newRun, passLeases } from '../support/run-rows.ts';
import { fullIt } from '../support/tier.ts';

const DRIVER = fileURLToPath(new URL('../support/pipeline-project.ts', import.meta.url));
const FAR = 'far-host.pid.4026531836.0badcafe/77/1f2e3d4c';
const LEASE_MS = 15_000;

const projects: PipelineProject[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const project of projects.splice(0)) {
    for (const pid of processesWith(`${project.directory}/`)) kill(pid, 'SIGKILL');
    await project.close();
    removeProject(project.directory);
  }
});

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone
  }
}

async function open(): Promise<PipelineProject> {
  const source = `
    import { pipeline, shell } from 'headrace';
    const p = pipeline('slow');
    p.step('a', shell('test -e __PROJECT__/go || exec sleep 1000'));
    p.step('b', shell('test -e __PROJECT__/go || setsid sleep 1000'));
    export default p;`;
  const project = await openPipelineProject(writeRepository({ 'pipelines.ts': source }));
  projects.push(project);
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
  children.push(child);
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
  // twin: test/integration/cancelled-runs.test.ts > names the host that drove it
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
      const batch = claimed(2);
      await store.flush(id, epoch, 1, {
        ...batch,
        slices: batch.slices.map((slice) => ({ ...slice, executor: `local:${driver}` })),
      });
      await passLeases(database, LEASE_MS + 1);
    };
    await drivenBy('r', FAR);
    expect(await cancelRun(project.deps, 'r')).toMatchObject({
      wasRunning: true,
      state: 'cancelled',
      mayRunAt: ['far-host'],
    });

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

  // twin: test/integration/cancelled-runs.test.ts > names the host that drove it
  fullIt('leaves nothing running beside it where it is resumed later', async () => {
    const project = await open();
    const id = await abandoned(project, 'SIGSTOP');
    // On another host: nothing here is ended by it.
    const store = await openRunStore(project.deps.database, project.deps.clock);
    await store.requestCancel(id);
    expect(left(project).length).toBeGreaterThan(0);
    writeFileSync(join(project.directory, 'go'), '');
    expect((await resumeRun(project.deps, id)).state).toBe('succeeded');
    expect(left(project)).toEqual([]);
  });

  // twin: test/integration/cancelled-runs.test.ts > names the host that drove it
  fullIt('the next driver here ends them, too, whatever it drives', async () => {
    const project = await open();
    await abandoned(project, 'SIGSTOP');
    writeFileSync(join(project.directory, 'go'), '');
    expect((await runPipeline(project.deps, { pipeline: 'slow' })).state).toBe('succeeded');
    await until(() => left(project).length === 0, 'the end of what the other driver left');
    await until(() => readdirSync(join(project.directory, 'work', 'scratch')).length === 0, 'the end of its folder');
  });
});
