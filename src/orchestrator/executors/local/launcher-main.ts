// The launcher: starts every process of a driver's tasks, and ends them all when the driver is gone, by whatever end.

import { mkdirSync } from 'node:fs';
import { openObjectStore } from '../../../storage/index.ts';
import { patientObjects } from '../../patient-objects.ts';
import { openAttemptFolders } from '../../step/attempt-folders.ts';
import { openFileCache } from '../../step/file-cache.ts';
import { openMemoryLimits } from '../../step/memory-limits.ts';
import { openPythonEnvironments } from '../../step/python-environment.ts';
import type { StepHost } from '../../step/step-host.ts';
import { openSweeper } from '../../step/sweeper.ts';
import { createEventBuffer } from './event-buffer.ts';
import type { FromLauncher, LauncherOptions, ToLauncher } from './messages.ts';
import { sweepDeadDrivers, sweepDriver } from './sweep.ts';
import { openTaskRunner, type TaskRunner } from './task-runner.ts';

let options: LauncherOptions | undefined;
let runner: TaskRunner | undefined;
let host: StepHost | undefined;
const closing = new AbortController();

const tell = (message: FromLauncher): void => {
  // The driver may be gone, which is told by the channel's end.
  if (process.connected) process.send?.(message, undefined, {}, () => {});
};
const events = createEventBuffer((those) =>
  tell({ kind: 'events', events: those, pace: runner?.pace ?? { warmMs: null, processMs: null } }),
);

// Nobody would write what still comes of it.
process.on('disconnect', () => endEverything(0));
// The driver hears of it by this process's end; but should it be gone too, nothing may stay.
process.on('uncaughtException', (error) => {
  console.error(error);
  endEverything(1);
});
// Signals of a terminal go to the driver, which decides.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

process.on('message', (given) => {
  const message = given as ToLauncher; // sent by local-executor.ts alone
  switch (message.kind) {
    case 'open':
      options = message.options;
      host = openHost(message.options);
      runner = openTaskRunner(host, message.options, events);
      // It has loaded: from here on its silence means that it stands still, and the first step may see to that.
      tell({ kind: 'pong' });
      void sweepDeadDrivers(message.options.workDirectory);
      break;
    case 'submit':
      runner?.submit(message.slices);
      break;
    case 'cancel':
      void runner?.cancel(message.slices).then(() => {
        events.flush();
        tell({ kind: 'cancelled', request: message.request });
      });
      break;
    case 'ping':
      tell({ kind: 'pong' });
      break;
    case 'close':
      void close();
      break;
  }
});

function endEverything(code: number): void {
  // What is ended here makes room, which is for nobody.
  runner?.halt();
  const swept = options === undefined ? Promise.resolve() : sweepDriver(options.workDirectory, options.driver);
  void swept.finally(() => process.exit(code));
}

function openHost(given: LauncherOptions): StepHost {
  const objects = patientObjects(openObjectStore(given.artifactsUrl), closing.signal);
  const cache = openFileCache(objects, given.cacheDirectory);
  mkdirSync(given.scratch, { recursive: true });
  return {
    driver: given.driver,
    objects,
    cache,
    environments: openPythonEnvironments(given.environmentsDirectory, given.python, {
      onBuild: (build) => tell({ kind: 'environment', build }),
    }),
    folders: openAttemptFolders(given.scratch, cache),
    memory: openMemoryLimits(given.driver, given.scratch),
    sweeper: openSweeper(),
    scratch: given.scratch,
    workDirectory: given.workDirectory,
    repository: given.repository,
    variables: process.env,
    graceMs: given.graceMs,
  };
}

async function close(): Promise<void> {
  closing.abort();
  await runner?.close();
  await host?.sweeper.close();
  events.flush();
  if (options !== undefined) await sweepDriver(options.workDirectory, options.driver);
  // The driver may have gone meanwhile.
  if (process.connected) process.disconnect();
  process.exit(0);
}
