// A run of a monitor in a process of its own: the same program in another role, with the server's configuration.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { MONITORS } from '../monitoring/index.ts';
import type { App } from './open-app.ts';
import { roleFile } from './role-file.ts';

/** What the process is told: its one argument, as JSON. */
export interface MonitorStart {
  readonly config: string;
  readonly monitor: MonitorName;
}

/** What runs so: the monitors, and bandits, of which no heartbeat is watched. */
export type MonitorName = (typeof MONITORS)[number] | 'bandits';

/** Resolves when it has done its work, or was told to stop. Rejects where it has not; the log says why. */
export async function runMonitor(
  { config, environment }: Pick<App, 'config' | 'environment'>,
  monitor: MonitorName,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const start: MonitorStart = { config: config.file, monitor };
  // What it logs is the server's log; a signal to the server's group is for the server to pass on.
  const child = fork(roleFile('monitor-main'), [JSON.stringify(start)], {
    stdio: ['ignore', 2, 2, 'ipc'],
    detached: true,
    env: { ...process.env, ...environment.variables },
  });
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop);
  try {
    const [code, killedBy] = (await once(child, 'close')) as [number | null, string | null];
    if (code === 0 || signal.aborted) return;
    throw new Error(`the monitor "${monitor}" ended with ${killedBy ?? `code ${code}`}`);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
