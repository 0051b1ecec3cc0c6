// A warm process: runs a user's function for one task after another, and tells each result before it starts the next.

import { readFileSync, writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { Socket } from 'node:net';
import { parseJson, stringifyJson } from '../../../core/index.ts';
import { forgetPaths } from '../files.ts';
import { FINAL_EXIT_CODE } from '../outcome.ts';
import { notJson } from '../plain-data.ts';
import { tooLarge } from '../result-size.ts';
import { evaluateTask, type Task } from './evaluate-task.ts';
import { encodeFrame, FRAME, type FrameKind, type TaskFault } from './frames.ts';
import { FRAMES_FD, ORDERS_FD, type WorkerOrder } from './worker-orders.ts';

type Waiting = readonly [index: number, attempt: number, item: unknown];

/** Of one frame. */
const MAX_PRINTED_BYTES = 2 ** 20;

const waiting: Waiting[] = [];
const functions = new Map<string, Task>();
const home = process.cwd();
let order: Extract<WorkerOrder, { kind: 'order' }> | undefined;
let isWorking = false;
/** Of the task at work: aborted when it is to end. Made only where the task asks for it. */
let stopping: AbortController | undefined;

// For this process's own start alone.
delete process.env['NODE_COMPILE_CACHE'];
takeOutput(process.stdout, FRAME.stdout);
takeOutput(process.stderr, FRAME.stderr);
process.on('uncaughtException', (error) => {
  console.error(error);
  if (isWorking) tellFault({ reason: sentenceOf(error) });
  process.exit(1);
});
process.on('SIGTERM', () => {
  // A task that never looked at its signal has nothing to tidy up.
  if (stopping === undefined) process.exit(143);
  stopping.abort();
});
// A terminal's Ctrl-C goes to the driver, which decides.
process.on('SIGINT', () => {});
readOrders();
tell(FRAME.ready, '');
// It is ended by a kill, before which Node would keep nothing.
flushCompileCache();

function readOrders(): void {
  let rest: string[] = [];
  const orders = new Socket({ fd: ORDERS_FD, readable: true, writable: false });
  orders.setEncoding('utf8');
  orders.on('data', (chunk: string) => {
    const lines = chunk.split('\n');
    const last = lines.pop() ?? '';
    for (const line of lines) {
      take(parseJson(rest.length === 0 ? line : [...rest, line].join('')) as unknown as WorkerOrder); // sent by warm-worker.ts alone
      rest = [];
    }
    if (last !== '') rest.push(last);
  });
  // Whoever gave the tasks is gone: nobody would hear of them.
  orders.on('close', () => process.exit(1));
}

function take(given: WorkerOrder): void {
  if (given.kind === 'order') {
    order = given;
  } else if (given.kind === 'recall') {
    tell(FRAME.returned, String(waiting.splice(0).length));
  } else {
    waiting.push(...given.tasks);
    if (!isWorking) void work();
  }
}

async function work(): Promise<void> {
  isWorking = true;
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (order === undefined) throw new Error('tasks came before their order');
    const fault = await run(order, next);
    if (fault === undefined) continue;
    waiting.length = 0;
    tellFault(fault);
    break;
  }
  isWorking = false;
}

/** Runs one task and tells its result; what went wrong otherwise. */
async function run(
  { functionId, file, shared, hidesIndex }: Extract<WorkerOrder, { kind: 'order' }>,
  next: Waiting,
): Promise<TaskFault | undefined> {
  const [index, attempt, item] = next;
  stopping = undefined;
  let json: string;
  try {
    const task = functions.get(file) ?? (await load(functionId, file));
    // Each task gets values of its own: what one changes in them the next does not see.
    const { needs, params, items } = parseJson(`{${shared}}`) as Record<string, unknown>; // made by prepareInput
    if (process.cwd() !== home) process.chdir(home);
    const context = {
      params,
      item,
      ...(hidesIndex ? {} : { index }),
      items,
      attempt,
      get signal() {
        stopping ??= new AbortController();
        return stopping.signal;
      },
    };
    const given = task(needs, context);
    const result = isThenable(given) ? await given : given;
    const fault = notJson(result, 'result');
    if (fault !== undefined) return { reason: `a task's result must be plain JSON data, but ${fault}` };
    // Paths of files that are passed on mean nothing elsewhere.
    json = stringifyJson((shared.includes('"path":') ? forgetPaths(result) : result) ?? null);
  } catch (error) {
    console.error(error);
    return { reason: sentenceOf(error), ...(process.exitCode === FINAL_EXIT_CODE ? { isFinal: true } : {}) };
  }
  const fault = tooLarge(json.length);
  if (fault !== undefined) return { reason: fault };
  tell(FRAME.result, json);
  return undefined;
}

async function load(id: string, file: string): Promise<Task> {
  const task = await evaluateTask(id, readFileSync(file, 'utf8'));
  functions.set(file, task);
  return task;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function tellFault(fault: TaskFault): void {
  tell(FRAME.fault, JSON.stringify(fault));
}

function tell(kind: FrameKind, payload: Buffer | string): void {
  const frame = encodeFrame(kind, payload);
  try {
    for (let at = 0; at < frame.length; ) at += writeSync(FRAMES_FD, frame, at);
  } catch {
    // Whoever gave the tasks is gone: nobody would hear of them.
    process.exit(1);
  }
}

/** What the task prints goes along with its result, so that it is known whose it is. */
function takeOutput(stream: NodeJS.WriteStream, kind: FrameKind): void {
  stream.write = (chunk: string | Uint8Array, encoding?: unknown, written?: unknown) => {
    const bytes =
      typeof chunk === 'string'
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : Buffer.from(chunk);
    for (let at = 0; at < bytes.length; at += MAX_PRINTED_BYTES) tell(kind, bytes.subarray(at, at + MAX_PRINTED_BYTES));
    const done = typeof encoding === 'function' ? encoding : written;
    if (typeof done === 'function') process.nextTick(done as () => void);
    return true;
  };
}
