// A process around one attempt at a step: runs a script as its child, or a TypeScript function in a worker thread, so
// that its own thread stays free to notice that the engine died and to end everything it started.

import { spawn } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { messageOf } from '../../core/index.ts';
import { killTree } from './process-tree.ts';

/** What the engine sends once. */
export type HostOrder =
  | {
      readonly kind: 'task';
      readonly functionId: string;
      readonly file: string;
      readonly inputFile: string;
      readonly outputDirectory: string;
    }
  | {
      readonly kind: 'command';
      readonly command: string;
      readonly args: readonly string[];
      readonly environment: Readonly<Record<string, string>>;
    };

/** What the host answers once. */
export type HostReport =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string; readonly isFinal?: boolean };

// The engine is gone, by whatever end: nobody would ever commit this attempt.
process.on('disconnect', () => {
  killTree(process.pid);
  process.exit(1);
});
// A terminal's Ctrl-C goes to the engine, which decides.
process.on('SIGINT', () => {});
process.once('message', (message) => {
  const order = message as HostOrder; // sent by local-executor.ts alone
  const done = order.kind === 'command' ? runCommand(order) : runTask(order);
  // Stays until the engine ends it together with whatever the step left running.
  void done.then((report) => process.send?.(report));
});

function runCommand(order: Extract<HostOrder, { kind: 'command' }>): Promise<HostReport> {
  return new Promise((resolve) => {
    const child = spawn(order.command, order.args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...order.environment },
    });
    child.on('error', (error) => resolve({ ok: false, reason: `could not start ${order.command}: ${error.message}` }));
    child.on('exit', (code, signal) => {
      if (code === 0) resolve({ ok: true });
      else resolve({ ok: false, reason: signal === null ? `exit code ${code}` : `ended by ${signal}` });
    });
  });
}

function runTask(order: Extract<HostOrder, { kind: 'task' }>): Promise<HostReport> {
  return new Promise((resolve) => {
    const file = import.meta.url.endsWith('.ts') ? './task-worker.ts' : './task-worker.js';
    const worker = new Worker(new URL(file, import.meta.url), { workerData: order });
    let report: HostReport = { ok: false, reason: 'the function ended its thread without a result' };
    worker.on('message', (message) => {
      report = message as HostReport; // sent by task-worker.ts alone
    });
    worker.on('error', (error) => {
      report = { ok: false, reason: messageOf(error) };
    });
    // After its last output has come through.
    worker.on('exit', () => resolve(report));
  });
}
