// Machines as processes, each with folders of its own, on shared stores. Made to be killed, stopped and woken at any step.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Fault } from './fault-points.ts';
import type { Order } from './machine-process.ts';

export type MachineProcess = Spare['process'];

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

export type Machines = ReturnType<typeof openMachines>;

/** What was compiled once need not be again: the cache goes by content. */
const COMPILED = fileURLToPath(new URL('../../node_modules/.cache/headrace/compiled', import.meta.url));
const SCRIPT = fileURLToPath(new URL('machine-process.ts', import.meta.url));

/** Processes that are started before they are needed: a start takes longer than most of what is done then. */
const SPARES = 2;
let warm: Spare[] = [];
/** Those that did a run well: the next one is spared a start. */
let idle: Spare[] = [];

/** To be called when the last machines are closed: processes that wait for work are left for the next ones. */
export async function endSpares(): Promise<void> {
  const all = [...warm, ...idle];
  warm = idle = [];
  await Promise.all(all.map(({ process }) => process.end()));
}

function takeSpare(): Spare {
  while (warm.length <= SPARES) warm.push(startProcess());
  // Just filled.
  return warm.shift() as Spare;
}

/** `directory` is the project's; `variables` are the settings that all machines share: registry, online store, object store. */
export type MachinesOptions = Pick<Order, 'directory' | 'variables' | 'askTimeoutMs'>;

export function openMachines({ directory, variables, askTimeoutMs }: MachinesOptions) {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-machines-'));
  const running = new Set<MachineProcess>();

  const begin = (spare: Spare, machine: string, order: Work, options: StartOptions): MachineProcess => {
    const { child, process: own } = spare;
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
    child.stdin.write(`${JSON.stringify(whole)}\n`);
    running.add(own);
    void own.ended.then(() => running.delete(own));
    return own;
  };
  const request = { incremental: true, dryRun: false };

  return {
    /** A server on the machine; resolves at once, `saidLine('serving')` once it serves. */
    serve: (machine: string, options: StartOptions = {}) =>
      begin(takeSpare(), machine, { role: 'serve', request, goesOn: false }, options),
    materialize: (machine: string, asked: Partial<Order['request']> = {}, options: StartOptions = {}) =>
      begin(takeSpare(), machine, { role: 'materialize', request: { ...request, ...asked }, goesOn: false }, options),
    /** A run without a fault, in a process that may have had others, of any machine; gives all that it said. */
    async run(machine: string, options: Omit<StartOptions, 'faults'> = {}): Promise<readonly string[]> {
      idle = idle.filter((one) => !one.process.isGone);
      const spare = idle.pop() ?? takeSpare();
      const { process } = spare;
      const from = process.said.length;
      begin(spare, machine, { role: 'materialize', request, goesOn: true }, options);
      const isOver = (await process.saidLine('over', from)) !== undefined;
      const said = process.said.slice(from);
      running.delete(process);
      if (isOver) idle.push(spare);
      return said;
    },
    running: running as ReadonlySet<MachineProcess>,
    place: (machine: string, name: string): string => join(folder, machine, name),
    async close() {
      await Promise.all([...running].map((process) => process.end()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type Work = Pick<Order, 'role' | 'request' | 'goesOn'>;

type Spare = ReturnType<typeof startProcess>;

function startProcess() {
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
  child.stdin.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (line) => {
    said.push(line);
    if (line.startsWith('fault ')) met.push(line.slice('fault '.length));
    for (const listener of listeners) listener();
  });
  // A store's library writes there too: shown with the rest, when something is wrong.
  createInterface({ input: child.stderr }).on('line', (line) => said.push(`stderr ${line}`));
  const lineOf = (start: string, from = 0): string | undefined =>
    said.find((line, at) => at >= from && line.startsWith(start));
  const own = {
    /** Where it serves; undefined until it does, and once it is gone. */
    get url(): string | undefined {
      return isGone ? undefined : lineOf('serving ')?.slice('serving '.length);
    },
    /** The faults that it met, as `when point`. */
    met: met as readonly string[],
    said: said as readonly string[],
    get isGone(): boolean {
      return isGone;
    },
    /** Resolves with the first line that begins so, of those from `from` on; undefined when it ends without. */
    saidLine: (start: string, from?: number) =>
      new Promise<string | undefined>((resolve) => {
        const look = (): void => {
          const line = lineOf(start, from);
          if (line === undefined && !isGone) return;
          listeners.delete(look);
          resolve(line);
        };
        listeners.add(look);
        look();
      }),
    ended,
    signal: (signal: NodeJS.Signals) => void child.kill(signal),
    setClock: (aheadMs: number) => void child.stdin.write(`clock ${aheadMs}\n`),
    /** Ends it, stopped or not, by SIGKILL or as asked. */
    end(signal: NodeJS.Signals = 'SIGKILL'): Promise<string> {
      child.kill(signal);
      if (signal !== 'SIGKILL') child.kill('SIGCONT');
      return ended;
    },
  };
  return { child, process: own };
}
