// A warm process from outside: given tasks, told how each ended, replaced once it has failed. The task at work is the first that
// nothing was heard of.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Json, parseJson, stringifyJson } from '../../../core/index.ts';
import { taskDirectory } from '../../run-logs.ts';
import { join } from 'node:path';
import { type LogFile, type LogStream, openLogFile } from '../log-file.ts';
import { killTree } from '../../step/process-tree.ts';
import { killMarked, MARK } from '../marks.ts';
import { signalGroup } from '../signal-group.ts';
import { hidesIndex, itemOf, placeOf } from '../order.ts';
import type { MemoryLimit } from '../memory-limits.ts';
import { exitOutcome, failure, outOfMemory, type TaskOutcome, timedOut } from '../outcome.ts';
import { notJson } from '../plain-data.ts';
import type { PreparedOrder } from '../prepared-order.ts';
import { redactText } from '../redact.ts';
import { MAX_INLINE_BYTES, storeOutput } from '../result.ts';
import type { Attempt } from '../run-script.ts';
import { reasonOf } from '../step-failure.ts';
import type { StepHost } from '../step-host.ts';
import { storeLog } from '../store-log.ts';
import { createFrameReader, FRAME, type FrameKind, type TaskFault } from './frames.ts';
import { FRAMES_FD, ORDERS_FD, type WorkerOrder } from './worker-orders.ts';

export interface WorkerEvents {
  /** A task's end. It may come after the process has gone on to others: its output and log are stored first. */
  onEnd(at: Attempt, outcome: TaskOutcome): void;
  /** It has nothing to do; what it was given took it so long. */
  onIdle(milliseconds: number): void;
  /** It gave these back as it was asked to. */
  onReturned(attempts: readonly Attempt[]): void;
  /** It is gone, with all that it started; these had not started. */
  onGone(attempts: readonly Attempt[]): void;
}

export interface WarmWorker {
  readonly pid: number | undefined;
  /** It takes tasks: it is neither gone nor about to go. */
  readonly isAble: boolean;
  /** Tasks that it has, the one at work first. */
  readonly attempts: readonly Attempt[];
  /** How many it has ended. */
  readonly ended: number;
  /** Tasks of an order whose bundle, environment and memory are those that it was started with. */
  give(prepared: PreparedOrder, attempts: readonly Attempt[]): void;
  recall(): void;
  /** Ends the task at work by SIGTERM and then SIGKILL, and the process with it. */
  stopTask(): void;
  /** Ends what it is held together with: what its tasks have left behind without a mark. */
  endOthers(): void;
  /** Ends it at once. */
  kill(): void;
}

type Ending = Exclude<TaskOutcome, { kind: 'succeeded' }>;

const LONGEST_TIMER_MS = 2 ** 31 - 1;
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const MAIN = fileURLToPath(new URL(`./worker-main.${EXTENSION}`, import.meta.url));

export interface WorkerStart {
  /** It is for orders like this one: of the same bundle, environment and memory. */
  readonly like: PreparedOrder;
  /** Of this process alone; whatever it starts bears it too. */
  readonly mark: string;
  /** Its working directory. */
  readonly directory: string;
  /** The file of the function's bundle. */
  readonly bundle: string;
}

export function startWarmWorker(
  host: StepHost,
  { like, mark, directory, bundle }: WorkerStart,
  events: WorkerEvents,
): WarmWorker {
  const queue: Attempt[] = [];
  let prepared = like;
  let given: PreparedOrder | undefined;
  let ended = 0;
  let isReady = false;
  let busySince = 0;
  let ending: Ending | undefined;
  let isKilled = false;
  let timer: NodeJS.Timeout | undefined;
  let killTimer: NodeJS.Timeout | undefined;
  let log: LogFile | undefined;
  let streams: Record<'stdout' | 'stderr', LogStream> | undefined;
  const limit = like.memoryBytes;
  const held = host.memory.open(mark, limit);
  const child = start(host, like, { mark, directory, held });
  const pipe = child.stdio[ORDERS_FD] as Writable; // a pipe, as all above 2 are
  pipe.on('error', () => {}); // its end is told by the process's

  const at = (attempt: Attempt) => ({
    runId: prepared.order.run,
    step: prepared.order.step,
    scope: prepared.order.scope,
    index: attempt.index,
    attempt: attempt.attempt,
  });

  const print = (stream: 'stdout' | 'stderr', bytes: Buffer): void => {
    const attempt = queue[0];
    if (attempt === undefined) return; // what a task left running prints is nobody's
    if (log === undefined || streams === undefined) {
      log = openLogFile(join(taskDirectory(host.workDirectory, at(attempt)), 'log.txt'), prepared.secretValues);
      streams = { stdout: log.stream(), stderr: log.stream() };
    }
    streams[stream].write(bytes);
  };

  /** Closes the log of the task at work, and gives how it is stored; undefined where nothing was printed. */
  const closeLog = (attempt: Attempt): (() => Promise<void>) | undefined => {
    const closed = log;
    log = undefined;
    streams = undefined;
    if (closed === undefined || !closed.end()) return undefined;
    const place = at(attempt);
    return () => storeLog(host.objects, place, join(taskDirectory(host.workDirectory, place), 'log.txt'));
  };

  const succeed = (json: string): void => {
    const attempt = queue.shift();
    if (attempt === undefined) return;
    ended += 1;
    const store = closeLog(attempt);
    if (store === undefined && json.length * 3 <= MAX_INLINE_BYTES) {
      events.onEnd(attempt, { kind: 'succeeded', output: { json }, files: {} });
      return;
    }
    const secrets = prepared.secretValues;
    void Promise.all([storeOutput(host.objects, json), store?.()])
      .then(([output]): TaskOutcome => ({ kind: 'succeeded', output, files: {} }))
      .catch((error: unknown) => failure(redactText(reasonOf(error), secrets)))
      .then((outcome) => events.onEnd(attempt, outcome));
  };

  const killNow = (): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) killTree(child.pid);
  };

  const end = (why: Ending, graceMs: number): void => {
    if (ending !== undefined) return;
    ending = why;
    clearTimeout(timer);
    if (graceMs === 0) return killNow();
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGTERM');
    killTimer = setTimeout(killNow, graceMs);
  };

  const startTimer = (): void => {
    clearTimeout(timer);
    const { timeoutMs } = prepared.order;
    const attempt = queue[0];
    // Its own start is none of a task's time.
    if (!isReady || attempt === undefined || timeoutMs === null || timeoutMs > LONGEST_TIMER_MS) return;
    // What it said meanwhile is heard first.
    timer = setTimeout(
      () => setImmediate(() => queue[0] === attempt && end(timedOut(timeoutMs), host.graceMs)),
      timeoutMs,
    );
  };

  const onFrame = (kind: FrameKind, payload: Buffer): void => {
    if (kind === FRAME.stdout || kind === FRAME.stderr)
      return print(kind === FRAME.stdout ? 'stdout' : 'stderr', payload);
    if (ending !== undefined) return;
    if (kind === FRAME.ready) {
      isReady = true;
      busySince = performance.now();
      return startTimer();
    }
    const text = payload.toString();
    // Made in the process that runs the task, which may have done anything there.
    const said = parseFrame(text);
    if (said === undefined) return onBroken();
    if (kind === FRAME.result) return succeed(text);
    if (kind === FRAME.returned) {
      const count = Number(said.value);
      if (count > 0) events.onReturned(queue.splice(-count));
      return;
    }
    const { reason, isFinal } = (said.value ?? {}) as Partial<TaskFault>;
    end(failure(String(reason), { isFinal: isFinal === true }), 0);
  };

  const onBroken = (): void => {
    const why = 'what came from its process was no result: it changed JSON, or wrote into a descriptor above 2';
    if (ending === undefined) end(failure(`${why}, which are the process's own`), 0);
  };
  const read = createFrameReader(onFrame, onBroken);
  const hear = (chunk: Buffer): void => {
    const before = queue[0];
    read(chunk);
    if (queue[0] !== before) startTimer();
    if (queue.length === 0 && before !== undefined && ending === undefined)
      events.onIdle(performance.now() - busySince);
  };
  // What a task's own children printed came by other pipes, before its result: those are read first, in the same turn.
  (child.stdio[FRAMES_FD] as Readable).on('data', (chunk: Buffer) => setImmediate(hear, chunk));
  child.stdout?.on('data', (chunk: Buffer) => print('stdout', chunk));
  child.stderr?.on('data', (chunk: Buffer) => print('stderr', chunk));

  if (child.pid !== undefined && limit !== null) {
    held.watch(child.pid, (used) => end(outOfMemory(limit, used), 0));
  }

  const gone = (code: number | null, signal: NodeJS.Signals | null, cause?: Error): void => {
    clearTimeout(timer);
    clearTimeout(killTimer);
    const attempt = queue[0];
    const store = attempt === undefined ? undefined : closeLog(attempt);
    const secrets = prepared.secretValues;
    const why = ending ?? (limit !== null && held.hasKilled() ? outOfMemory(limit) : endOf(code, signal, limit, cause));
    void held.close();
    void Promise.resolve(store?.())
      .catch(() => {}) // the log is lost; the task's end is not
      .then(() => {
        const rest = queue.splice(0);
        if (attempt !== undefined && rest[0] === attempt && !isKilled) {
          rest.shift();
          events.onEnd(attempt, 'reason' in why ? { ...why, reason: redactText(why.reason, secrets) } : why);
        }
        events.onGone(rest);
      });
  };
  child.on('error', (error) => {
    if (child.pid === undefined) gone(null, null, error);
  });
  child.on('exit', (code, signal) => {
    // What it said last is still on its way; but what it started may hold the pipes for ever.
    const closed = new Promise((resolve) => child.once('close', resolve));
    void killMarked((found) => found === mark)
      .then(() => Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 200))]))
      .then(() => setImmediate(gone, code, signal));
  });

  return {
    get pid() {
      return child.pid;
    },
    get isAble() {
      return ending === undefined && child.pid !== undefined && child.exitCode === null && child.signalCode === null;
    },
    get attempts() {
      return queue;
    },
    get ended() {
      return ended;
    },
    give(next, attempts) {
      prepared = next;
      if (given !== next) {
        given = next;
        const { action } = next.order;
        const functionId = action.kind === 'task' ? action.function.id : '';
        const { shared } = next.input;
        send(pipe, { kind: 'order', functionId, file: bundle, shared, hidesIndex: hidesIndex(next.order) });
      }
      const wasIdle = queue.length === 0;
      queue.push(...attempts);
      send(pipe, {
        kind: 'tasks',
        tasks: attempts.map(({ index, attempt }) => [
          placeOf(next.order, index),
          attempt,
          itemOf(next.order, index) ?? null,
        ]),
      });
      if (wasIdle) {
        busySince = performance.now();
        startTimer();
      }
    },
    recall: () => send(pipe, { kind: 'recall' }),
    stopTask: () => end({ kind: 'stopped' }, host.graceMs),
    endOthers: () => child.pid !== undefined && held.endOthers(child.pid),
    kill() {
      isKilled = ending === undefined;
      end({ kind: 'stopped' }, 0);
      killNow();
    },
  };
}

/** Undefined where it is no JSON, or nested deeper than a result may be. */
function parseFrame(text: string): { readonly value: Json } | undefined {
  try {
    const value = parseJson(text);
    return notJson(value, 'result') === undefined ? { value } : undefined;
  } catch {
    return undefined;
  }
}

function endOf(code: number | null, signal: NodeJS.Signals | null, limit: number | null, cause?: Error): Ending {
  if (cause !== undefined) return failure(`could not start a process: ${cause.message}`);
  // V8 gives up where its heap, which is held to the limit, is full.
  if (limit !== null && (signal === 'SIGABRT' || code === 134)) return outOfMemory(limit);
  if (code === 0) return failure('the function ended its process without a result');
  return exitOutcome(code, signal);
}

interface ProcessStart extends Pick<WorkerStart, 'mark' | 'directory'> {
  readonly held: MemoryLimit;
}

function start(host: StepHost, like: PreparedOrder, { mark, directory, held }: ProcessStart): ChildProcess {
  const { memoryBytes } = like;
  const cache = host.variables['NODE_COMPILE_CACHE'];
  const heap =
    memoryBytes === null ? [] : [`--max-old-space-size=${Math.max(16, Math.floor((memoryBytes * 0.9) / 2 ** 20))}`];
  const own = { command: process.execPath, args: [...heap, MAIN] };
  const { command, args } = held.command(own.command, own.args);
  return spawn(command, args, {
    cwd: directory,
    env: {
      ...like.variables,
      ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }),
      [MARK]: mark,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
}

function send(pipe: Writable, order: WorkerOrder): void {
  pipe.write(`${stringifyJson(order)}\n`);
}
