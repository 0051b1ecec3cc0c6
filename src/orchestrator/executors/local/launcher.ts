// A driver's launcher from the driver's side: started with the first slice, heard, and swept after should it die.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MARK } from '../../step/marks.ts';
import type { EnvironmentBuild } from '../../step/tell-build.ts';
import type { Slice } from '../executor.ts';
import type { FromLauncher, LauncherOptions, ToLauncher } from './messages.ts';
import { sweepDriver } from './sweep.ts';

export interface LauncherEvents {
  onEvents(message: Extract<FromLauncher, { kind: 'events' }>): void;
  onEnvironment(build: EnvironmentBuild): void;
  /** It died, and nothing of what it started runs any more. */
  onDeath(reason: string): void;
}

export interface Launcher {
  /** Undefined while there is none. */
  readonly pid: number | undefined;
  /** Before the first slice does it. */
  start(): void;
  submit(slices: readonly Slice[]): Promise<void>;
  cancel(slices: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const MAIN = fileURLToPath(new URL(`./launcher-main.${EXTENSION}`, import.meta.url));

export function openLauncher(
  options: LauncherOptions,
  variables: Readonly<Record<string, string | undefined>>,
  events: LauncherEvents,
): Launcher {
  let child: ChildProcess | undefined;
  let sweeping: Promise<void> = Promise.resolve();
  let isClosing = false;
  let requests = 0;
  const cancelling = new Map<number, () => void>();

  const start = (): ChildProcess => {
    const started = fork(MAIN, {
      env: { ...variables, ...compileCache(), [MARK]: `${options.driver}:launcher:0:0` },
      // Its own errors are the driver's to show.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
      detached: true,
    });
    started.on('message', (given) => {
      const message = given as FromLauncher; // sent by launcher-main.ts alone
      if (message.kind === 'events') return events.onEvents(message);
      if (message.kind === 'environment') return events.onEnvironment(message.build);
      cancelling.get(message.request)?.();
      cancelling.delete(message.request);
    });
    const died = (reason: string): void => {
      if (child !== started) return;
      child = undefined;
      if (isClosing) return;
      sweeping = sweepDriver(options.workDirectory, options.driver).then(() => {
        events.onDeath(reason);
        for (const tell of cancelling.values()) tell();
        cancelling.clear();
      });
    };
    started.on('exit', (code, signal) => died(`the process that started it ended (${signal ?? `exit code ${code}`})`));
    started.on('error', (error) => started.pid === undefined && died(`no process can be started: ${error.message}`));
    send(started, { kind: 'open', options });
    return started;
  };

  return {
    get pid() {
      return child?.pid;
    },
    start() {
      if (!isClosing) child ??= start();
    },
    async submit(slices) {
      // What a dead one left is not to meet what comes now.
      await sweeping;
      child ??= start();
      send(child, { kind: 'submit', slices });
    },
    async cancel(slices) {
      if (child === undefined) return await sweeping;
      requests += 1;
      const request = requests;
      const done = new Promise<void>((resolve) => cancelling.set(request, resolve));
      send(child, { kind: 'cancel', request, slices });
      await done;
    },
    async close() {
      isClosing = true;
      await sweeping;
      if (child === undefined) return;
      const exit = once(child, 'exit');
      send(child, { kind: 'close' });
      await exit;
      await sweepDriver(options.workDirectory, options.driver);
    },
  };
}

function send(child: ChildProcess, message: ToLauncher): void {
  // Where it is gone already its end is told by itself.
  child.send(message, () => {});
}

/** What this process keeps compiled, the launcher and its warm processes start by, too. Node adds a folder for its own version. */
function compileCache(): Readonly<Record<string, string>> {
  const kept = getCompileCacheDir();
  return kept === undefined ? {} : { NODE_COMPILE_CACHE: dirname(kept) };
}
