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
import { type SignsOfLife, watchForLife } from './signs-of-life.ts';
import { sweepDriver } from './sweep.ts';

export interface LauncherEvents {
  onEvents(message: Extract<FromLauncher, { kind: 'events' }>): void;
  onEnvironment(build: EnvironmentBuild): void;
  /** It died, and nothing of what it started runs any more. `stoodStill`: it had to be ended, and has ended nothing itself before. */
  onDeath(reason: string, stoodStill: boolean): void;
  /** Whether a task should be over by now that runs since `heardMs`, by `performance.now()`, or longer. */
  isOverdue(heardMs: number): boolean;
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

/** What it takes to end tasks, after the time that they are given to end by themselves. */
const ENDING_MS = 3_000;

const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const MAIN = fileURLToPath(new URL(`./launcher-main.${EXTENSION}`, import.meta.url));

export function openLauncher(
  options: LauncherOptions,
  variables: Readonly<Record<string, string | undefined>>,
  events: LauncherEvents,
  stillMs: number,
): Launcher {
  let child: ChildProcess | undefined;
  let life: SignsOfLife | undefined;
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
    let stillMsOf: number | undefined;
    const signs = watchForLife({
      ask: () => send(started, { kind: 'ping' }),
      isOverdue: (heardMs) => events.isOverdue(heardMs),
      onStill(silentMs) {
        stillMsOf = silentMs;
        started.kill('SIGKILL');
      },
      stillMs,
    });
    life = signs;
    started.on('message', (given) => {
      const message = given as FromLauncher; // sent by launcher-main.ts alone
      signs.heard();
      if (message.kind === 'events') return events.onEvents(message);
      if (message.kind === 'environment') return events.onEnvironment(message.build);
      if (message.kind === 'pong') return;
      cancelling.get(message.request)?.();
      cancelling.delete(message.request);
    });
    const died = (how: string): void => {
      signs.close();
      if (child !== started) return;
      child = undefined;
      const stood =
        stillMsOf === undefined
          ? undefined
          : `the process that started it stood still for ${Math.round(stillMsOf / 1000)} s, and was ended`;
      sweeping = sweepDriver(options.workDirectory, options.driver).then(() => {
        if (!isClosing) events.onDeath(stood ?? how, stood !== undefined);
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
      const cameIn = life?.expect(options.graceMs + ENDING_MS);
      send(child, { kind: 'cancel', request, slices });
      await done;
      cameIn?.();
    },
    async close() {
      isClosing = true;
      await sweeping;
      if (child === undefined) return;
      const exit = once(child, 'exit');
      life?.expect(options.graceMs + ENDING_MS);
      send(child, { kind: 'close' });
      await exit;
      // It is swept after, as after any end.
      await sweeping;
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
