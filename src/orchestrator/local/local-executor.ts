// Runs steps as processes of this machine: a host process each, in a group of its own, ended with all it started.

import { fork } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { toHeadraceError } from '../../core/index.ts';
import type { Executor, StepJob, StepOutcome } from '../executor.ts';
import { killGroup, killTree } from './process-tree.ts';
import { openPythonEnvironments, type PythonEnvironments } from '../step/python-environment.ts';
import type { HostOrder, HostReport } from './step-host.ts';

export interface LocalExecutorOptions {
  /** Where Python environments are kept. */
  readonly environmentsDirectory: string;
  /** The Python 3 that makes them: a command or a path. */
  readonly python: string;
}

export function createLocalExecutor(options: LocalExecutorOptions): Executor {
  const environments = openPythonEnvironments(options.environmentsDirectory, options.python);
  return {
    async run(job, signal) {
      let order: HostOrder;
      try {
        order = await orderFor(job, environments);
      } catch (error) {
        const { code, message } = toHeadraceError(error);
        return { ok: false, reason: code === 'HR_INTERNAL' ? message : `${code}: ${message}` };
      }
      return signal.aborted ? { ok: false, reason: 'stopped before it started' } : await runHost(order, job, signal);
    },
  };
}

async function orderFor(job: StepJob, environments: PythonEnvironments): Promise<HostOrder> {
  const { code, inputFile, outputDirectory } = job;
  if (code.kind === 'task') {
    const { functionId, file } = code;
    return { kind: 'task', functionId, file, inputFile, outputDirectory };
  }
  return {
    kind: 'command',
    command: await environments.interpreter(code.requirements),
    args: [code.script],
    environment: {
      HEADRACE_STEP_INPUT: inputFile,
      HEADRACE_STEP_OUTPUT: outputDirectory,
      HEADRACE_RUN_ID: job.runId,
      HEADRACE_STEP: job.step,
      // Lines come to the log as they are printed.
      PYTHONUNBUFFERED: '1',
      // Numeric libraries take every core otherwise, and steps side by side would fight over them.
      ...(job.cpus === undefined ? {} : { OMP_NUM_THREADS: String(Math.max(1, Math.floor(job.cpus))) }),
    },
  };
}

function runHost(order: HostOrder, { directory, logFile }: StepJob, signal: AbortSignal): Promise<StepOutcome> {
  const file = fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? './step-host.ts' : './step-host.js', import.meta.url),
  );
  const log = openSync(logFile, 'a');
  const host = fork(file, { cwd: directory, detached: true, stdio: ['ignore', log, log, 'ipc'], execArgv: [] });
  closeSync(log);
  return new Promise((resolve) => {
    let outcome: StepOutcome = { ok: false, reason: 'its process ended without a word' };
    const end = (): void => {
      if (host.pid !== undefined && host.exitCode === null && host.signalCode === null) killTree(host.pid);
    };
    signal.addEventListener('abort', end, { once: true });
    host.on('message', (message) => {
      outcome = message as HostReport; // sent by step-host.ts alone
      end();
    });
    host.on('error', (error) => {
      outcome = { ok: false, reason: `could not start a process: ${error.message}` };
      if (host.pid === undefined) resolve(outcome);
    });
    host.on('exit', () => {
      signal.removeEventListener('abort', end);
      // A host that was killed from elsewhere (out of memory) leaves its step running in the group.
      if (host.pid !== undefined) killGroup(host.pid);
      resolve(outcome);
    });
    host.send(order);
    if (signal.aborted) end();
  });
}
