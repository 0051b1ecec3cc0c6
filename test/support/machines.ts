// Machines as processes of their own: servers and runs of materialize on one registry, one online store and one object
// store, each machine with folders of its own. Made to be killed, stopped and woken at any step.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Fault } from './fault-points.ts';
import type { Order } from './machine-process.ts';

export interface MachineProcess {
  /** Where it serves; undefined until it does, and once it is gone. */
  readonly url: string | undefined;
  /** The faults that it met, as `when point`. */
  readonly met: readonly string[];
  /** All that it said: warnings, and how a run ended. */
  readonly said: readonly string[];
  readonly isGone: boolean;
  /** Resolves with the first line that begins so; undefined when it ends without. */
  saidLine(start: string): Promise<string | undefined>;
  /** Resolves with the signal or exit code that ended it. */
  readonly ended: Promise<string>;
  signal(signal: NodeJS.Signals): void;
  setClock(aheadMs: number): void;
  /** Ends it, stopped or not, by SIGKILL or as asked. */
  end(signal?: NodeJS.Signals): Promise<string>;
}

export interface StartOptions {
  readonly faults?: readonly Fault[];
  readonly clockAheadMs?: number;
  /** How long a run waits for silent writers, where it is not to be as long as for the others. */
  readonly askTimeoutMs?: number;
  /** Another machine's folders: then it is a second process there. */
  readonly machine?: string;
  /** More settings, over the machine's. */
  readonly variables?: Readonly<Record<string, string>>;
}

export interface Machines {
  /** A server on the machine; resolves at once, `saidLine('serving')` once it serves. */
  serve(machine: string, options?: StartOptions): MachineProcess;
  materialize(machine: string, request?: Partial<Order['request']>, options?: StartOptions): MachineProcess;
  readonly running: ReadonlySet<MachineProcess>;
  /** A path of a machine's own. */
  place(machine: string, name: string): string;
  close(): Promise<void>;
}

export interface MachinesOptions {
  /** The project. */
  readonly directory: string;
  /** Settings that all machines share: registry, online store, object store. */
  readonly variables: Readonly<Record<string, string>>;
  readonly askTimeoutMs: number;
  /** Processes that are started before they are needed. */
  readonly spares?: number;
}

/** What was compiled once need not be again: the cache goes by content. */
const COMPILED = fileURLToPath(new URL('../../node_modules/.cache/headrace/compiled', import.meta.url));
const SCRIPT = fileURLToPath(new URL('machine-process.ts', import.meta.url));

export function openMachines({ directory, variables, askTimeoutMs, spares = 2 }: MachinesOptions): Machines {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-machines-'));
  const running = new Set<MachineProcess>();
  const warm: Spare[] = [];
  let isClosed = false;

  const warmUp = (): void => {
    while (!isClosed && warm.length < spares) warm.push(startProcess());
  };
  const start = (machine: string, order: Pick<Order, 'role' | 'request'>, options: StartOptions): MachineProcess => {
    const { child, process: own } = warm.shift() ?? startProcess();
    warmUp();
    const place = (name: string): string => join(folder, options.machine ?? machine, name);
    const whole: Order = {
      ...order,
      directory,
      variables: {
        HEADRACE_PUSH_LOG_PATH: place('push-log'),
        HEADRACE_OFFLINE_PATH: place('offline'),
        HEADRACE_PREDICTION_LOG_PATH: place('predictions'),
        HEADRACE_OFFLINE_THREADS: '1',
        ...variables,
        ...options.variables,
      },
      clockAheadMs: options.clockAheadMs ?? 0,
      faults: options.faults ?? [],
      askTimeoutMs: options.askTimeoutMs ?? askTimeoutMs,
    };
    child.stdin?.write(`${JSON.stringify(whole)}\n`);
    running.add(own);
    void own.ended.then(() => running.delete(own));
    return own;
  };
  warmUp();

  return {
    serve: (machine, options = {}) =>
      start(machine, { role: 'serve', request: { incremental: true, dryRun: false } }, options),
    materialize: (machine, request = {}, options = {}) =>
      start(machine, { role: 'materialize', request: { incremental: true, dryRun: false, ...request } }, options),
    running,
    place: (machine, name) => join(folder, machine, name),
    async close() {
      isClosed = true;
      await Promise.all([...warm.map(({ process }) => process), ...running].map((process) => process.end()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Spare {
  readonly child: ChildProcess;
  readonly process: MachineProcess;
}

function startProcess(): Spare {
  const child = spawn(process.execPath, ['--conditions=headrace-source', SCRIPT], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: COMPILED },
  });
  const said: string[] = [];
  const met: string[] = [];
  const listeners = new Set<() => void>();
  let isGone = false;
  const ended = new Promise<string>((resolve) => {
    // After its last line.
    child.once('close', (code, signal) => {
      isGone = true;
      for (const listener of listeners) listener();
      resolve(signal ?? String(code));
    });
  });
  // Whoever writes to one that was killed is told by its end.
  child.stdin?.on('error', () => {});
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    said.push(line);
    if (line.startsWith('fault ')) met.push(line.slice('fault '.length));
    for (const listener of listeners) listener();
  });
  // A store's library writes there too: shown with the rest, when something is wrong.
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => said.push(`stderr ${line}`));
  const lineOf = (start: string): string | undefined => said.find((line) => line.startsWith(start));
  const own: MachineProcess = {
    get url() {
      return isGone ? undefined : lineOf('serving ')?.slice('serving '.length);
    },
    met,
    said,
    get isGone() {
      return isGone;
    },
    saidLine: (start) =>
      new Promise((resolve) => {
        const look = (): void => {
          const line = lineOf(start);
          if (line === undefined && !isGone) return;
          listeners.delete(look);
          resolve(line);
        };
        listeners.add(look);
        look();
      }),
    ended,
    signal: (signal) => void child.kill(signal),
    setClock: (aheadMs) => void child.stdin?.write(`clock ${aheadMs}\n`),
    end(signal = 'SIGKILL') {
      child.kill(signal);
      if (signal !== 'SIGKILL') child.kill('SIGCONT');
      return ended;
    },
  };
  return { child, process: own };
}
