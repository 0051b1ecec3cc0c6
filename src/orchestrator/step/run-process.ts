// Runs one process of a step to its end: output to the log, ended at a timeout, at a cancel and where it takes too much memory,
// and with it all that it started.

import { type ChildProcess, spawn } from 'node:child_process';
import { killTree } from './process-tree.ts';
import { type TaskOutcome, exitOutcome, failure, outOfMemory, timedOut } from './outcome.ts';
import type { LogFile } from './log-file.ts';
import { killMarked, MARK } from './marks.ts';
import type { MemoryLimit, MemoryLimits } from './memory-limits.ts';
import { signalGroup } from './signal-group.ts';
import type { Sweeper } from './sweeper.ts';
import { unlessAborted } from './unless-aborted.ts';

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment, but for the mark. */
  readonly environment: Readonly<Record<string, string>>;
  /** What an exit code means that is not the step's own. */
  readonly explain?: (code: number) => string | undefined;
  /** Ends what the mark does not reach, such as a container. */
  readonly alsoKill?: () => Promise<void>;
}

export interface ProcessLimits {
  readonly timeoutMs: number | null;
  readonly memoryBytes: number | null;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
}

export interface RunProcess extends Command, ProcessLimits {
  readonly directory: string;
  readonly mark: string;
  readonly log: LogFile;
  /** Resolves once there is room for it: until then it is made ready, and nothing of the command runs. */
  readonly turn: Promise<void>;
  /** Called as the command begins, and so its time. */
  readonly onStart: () => void;
  readonly signal: AbortSignal;
  readonly memory: MemoryLimits;
  readonly sweeper: Sweeper;
}

/** `swept`: nothing that it left runs any more, which takes a moment longer. */
export type ProcessOutcome = { readonly kind: 'done'; readonly swept: Promise<void> } | Failed;

type Failed = Exclude<TaskOutcome, { kind: 'succeeded' }>;

// A timer of more than 31 bits of milliseconds (24.8 days) fires at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** What holds a pipe open longer than this after the process ended is another process. */
const DRAIN_MS = 20;

/** Resolves when it has ended and, unless it succeeded, nothing that it started is left. */
export async function runProcess(job: RunProcess): Promise<ProcessOutcome> {
  if (job.signal.aborted) return { kind: 'stopped' };
  const { timeoutMs, memoryBytes } = job;
  const held = job.memory.open(job.mark, memoryBytes);
  const waiting = held.waiting?.(job.command, job.args);
  if (waiting === undefined) await unlessAborted(job.turn, job.signal);
  if (job.signal.aborted) {
    await held.close();
    return { kind: 'stopped' };
  }
  const { command, args } = waiting ?? held.command(job.command, job.args);
  const child = spawn(command, args, {
    cwd: job.directory,
    env: { ...job.environment, [MARK]: job.mark },
    stdio: [waiting === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  // It may end before its turn, which is told by its end.
  child.stdin?.on('error', () => {});
  const { pid } = child;
  if (pid === undefined) {
    const error = await new Promise<Error>((resolve) => child.once('error', resolve));
    await held.close();
    return failure(`could not start ${job.command}: ${error.message}`);
  }
  let hasBegun = false;
  let ending: Failed | undefined;
  let timer: NodeJS.Timeout | undefined;
  let killTimer: NodeJS.Timeout | undefined;
  const end = (why: Failed, graceMs: number): void => {
    if (ending !== undefined) return;
    ending = why;
    if (graceMs === 0) return killTree(pid);
    signalGroup(pid, 'SIGTERM');
    killTimer = setTimeout(() => killTree(pid), graceMs);
  };
  const stop = (): void => end({ kind: 'stopped' }, hasBegun ? job.graceMs : 0);
  job.signal.addEventListener('abort', stop, { once: true });
  const begin = (): void => {
    if (ending !== undefined || child.exitCode !== null || child.signalCode !== null) return;
    hasBegun = true;
    job.onStart();
    if (timeoutMs !== null && timeoutMs <= LONGEST_TIMER_MS)
      timer = setTimeout(() => end(timedOut(timeoutMs), job.graceMs), timeoutMs);
    if (memoryBytes !== null) held.watch(pid, (used) => end(outOfMemory(memoryBytes, used), 0));
    child.stdin?.end(`${job.mark}\n`);
  };
  void job.turn.then(begin);
  const ended = await untilEnd(child, job, pid);
  clearTimeout(timer);
  clearTimeout(killTimer);
  job.signal.removeEventListener('abort', stop);
  const killed = ended !== undefined && memoryBytes !== null && held.hasKilled();
  const outcome = ending ?? (killed ? outOfMemory(memoryBytes) : ended);
  if (outcome === undefined) return { kind: 'done', swept: swept(job, held) };
  await killAll(job, pid);
  await held.close();
  return outcome;
}

/** How it failed; undefined where it did not. */
async function untilEnd(child: ChildProcess, job: RunProcess, pid: number): Promise<Failed | undefined> {
  const [stdout, stderr] = [job.log.stream(), job.log.stream()];
  child.stdout?.on('data', (chunk: Buffer) => stdout.write(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.write(chunk));
  return await new Promise((resolve) => {
    let drain: NodeJS.Timeout | undefined;
    child.on('exit', () => {
      drain = setTimeout(() => {
        void killAll(job, pid).then(() => {
          // Whoever holds it now was handed it by someone else.
          drain = setTimeout(() => {
            child.stdout?.destroy();
            child.stderr?.destroy();
          }, DRAIN_MS);
        });
      }, DRAIN_MS);
    });
    child.on('close', (code, signal) => {
      clearTimeout(drain);
      const told = code === null ? undefined : job.explain?.(code);
      resolve(
        code === 0 ? undefined : told === undefined ? exitOutcome(code, signal, stderr.lastLine()) : failure(told),
      );
    });
  });
}

async function swept({ sweeper, mark }: RunProcess, held: MemoryLimit): Promise<void> {
  await Promise.all([sweeper.add(mark), held.close()]);
}

async function killAll({ mark, alsoKill }: RunProcess, pid: number): Promise<void> {
  await Promise.all([killMarked((found) => found === mark, { roots: [pid] }), alsoKill?.()]);
}
