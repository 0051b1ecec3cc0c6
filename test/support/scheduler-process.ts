// `headrace scheduler` as processes, and what they make: runs as `runs list` shows them.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { RunTrigger } from '../../src/orchestrator/index.ts';
import { processesWith } from './executor-world.ts';
import { headraceJson, MAIN, type Project } from './serving-project.ts';

export interface ListedRun extends Readonly<Record<'id' | 'pipeline' | 'state', string>> {
  readonly tick: string | null;
  readonly error: string | null;
  readonly trigger?: RunTrigger;
}

export interface Scheduler {
  readonly process: ChildProcess;
  readonly log: () => string;
}

export function startScheduler(
  project: Project,
  variables: NodeJS.ProcessEnv = {},
  args: readonly string[] = [],
): Scheduler {
  const child = spawn(process.execPath, [MAIN, 'scheduler', ...args], {
    cwd: project.directory,
    env: { ...process.env, ...variables, npm_lifecycle_event: '' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  return { process: child, log: () => log };
}

/** Whatever state it is in. */
export async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Once what processes of it that were killed had started, and that writes into it, has ended. */
export async function removeOnceStill(project: Project): Promise<void> {
  await untilSo('an end of its processes', () => processesWith(`${project.directory}/`).length === 0);
  project.remove();
}

export function listRuns(project: Project, env: Readonly<Record<string, string>> = {}): readonly ListedRun[] {
  return (headraceJson(project, ['runs', 'list'], env) as { runs: readonly ListedRun[] }).runs;
}

/** Looks ten times a second, for a minute. */
export async function untilSo(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  logs: readonly Pick<Scheduler, 'log'>[] = [],
): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await isSo())) {
    if (Date.now() > deadline)
      throw new Error(`not within a minute: ${what}\n${logs.map(({ log }) => log()).join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
