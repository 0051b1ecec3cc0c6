// What test files share by running in one process: a file that changes it would change the tests of the next one.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What stands under each name of `SHARED`. */
  readonly shared: ReadonlyMap<string, unknown>;
  /** The listeners that the process has for each event. */
  readonly listeners: ReadonlyMap<string, readonly unknown[]>;
  /** How many of each kind keep the process alive. */
  readonly resources: ReadonlyMap<string, number>;
  /** The folder for temporary files, and the names in it. */
  readonly folder: string;
  readonly files: ReadonlySet<string>;
  /** The CPU time of each thread of a `Worker`, in ticks of 10 ms, by its number. */
  readonly threads: ReadonlyMap<string, number>;
}

/** How long closing may go on after the last test; what is open after it counts as left. */
const PATIENCE_MS = 12_000;
/** The threads of this process, by Linux. */
const TASKS = '/proc/self/task';
/** A thread that is at work for more than this part of a while is still computing. */
const [WHILE_MS, BUSY_TICKS] = [200, 5];
/** Resources that come and go by themselves: requests in flight of the process itself, and what Vitest talks through. */
const PASSING = /^(FSReqCallback|FSReqPromise|Immediate|MessagePort|TTYWrap|CloseReq)$/;
/** Temporary files that libraries keep for the next process: the ONNX runtime's, and Node's of compiled modules. */
const OF_LIBRARIES = /^(\.ses|mat-debug-\d+\.log|node-compile-cache)$/;
/** Where Node keeps the connections of `fetch`. */
const FETCH = Symbol.for('undici.globalDispatcher.1');
/** What a file may replace or set in its process, for all files after it. */
const SHARED: Readonly<Record<string, () => unknown>> = {
  fetch: () => globalThis.fetch,
  Date: () => globalThis.Date,
  setTimeout: () => globalThis.setTimeout,
  setInterval: () => globalThis.setInterval,
  WebSocket: () => globalThis.WebSocket,
  crypto: () => globalThis.crypto,
  'Math.random': () => Math.random,
  'performance.now': () => performance.now,
  'process.cwd()': () => process.cwd(),
  'process.exitCode': () => process.exitCode,
};
/** A clock that no file replaces. */
const nowMs = performance.now.bind(performance);
/** Set by Vitest while a file runs. What `begin-file.ts` sets for each file anew, it sets before it looks. */
const OWN_VARIABLES = /^VITEST/;

/** `folder` is where temporary files are looked for: after a file, where they were before, whatever became of TMPDIR. */
export function surroundings(folder: string = tmpdir()): Surroundings {
  return {
    environment: Object.fromEntries(Object.entries(process.env).filter(([name]) => !OWN_VARIABLES.test(name))),
    shared: new Map(Object.entries(SHARED).map(([name, read]) => [name, read()])),
    listeners: new Map(process.eventNames().map((event) => [String(event), process.rawListeners(event)])),
    resources: countResources(),
    folder,
    files: new Set(readdirSync(folder).filter((name) => !OF_LIBRARIES.test(name))),
    threads: threads(),
  };
}

/** What is there now and was not before, in words; waits a while for what is still closing. */
export async function whatIsLeft(before: Surroundings, patienceMs = PATIENCE_MS): Promise<string[]> {
  closeFetch();
  const limit = nowMs() + patienceMs;
  for (;;) {
    const left = differences(before);
    // What computes is looked for last, since that takes a while.
    const all = left.length === 0 ? await computing(before.threads) : left;
    if (all.length === 0 || nowMs() >= limit) return all;
    await sleep(20);
  }
}

/** `fetch` keeps connections open for seconds, in case that they are used again. */
function closeFetch(): void {
  const shared = globalThis as { [FETCH]?: { destroy(): Promise<void>; constructor: new () => never } };
  const used = shared[FETCH];
  if (used === undefined) return;
  shared[FETCH] = new used.constructor();
  void used.destroy();
}

function differences(before: Surroundings): string[] {
  const now = surroundings(before.folder);
  const names = new Set([...Object.keys(before.environment), ...Object.keys(now.environment)]);
  const variables = [...names].filter((name) => before.environment[name] !== now.environment[name]);
  const replaced = [...now.shared].filter(([name, value]) => before.shared.get(name) !== value);
  return [
    ...variables.map((name) => `variable ${name} of the environment`),
    ...replaced.map(([name]) => `another ${name}`),
    ...lacking(now.listeners, before.listeners).map(([event, n]) => `${n} listeners for the process's "${event}"`),
    ...lacking(before.listeners, now.listeners).map(
      ([event, n]) => `without ${n} listeners for the process's "${event}"`,
    ),
    ...more(before.resources, now.resources, (kind) => `open ${kind}`),
    ...[...now.files].filter((name) => !before.files.has(name)).map((name) => `${name} among the temporary files`),
    ...inherited().map((name) => `a property ${name} of every array or object`),
  ];
}

type Counts = ReadonlyMap<string, number>;
const more = (before: Counts, now: Counts, words: (key: string) => string): string[] =>
  [...now].flatMap(([key, count]) => {
    const added = count - (before.get(key) ?? 0);
    return added > 0 ? [`${added} ${words(key)}`] : [];
  });

/** Of each event, how many of `these` listeners are not among `others`, where there are some. */
function lacking(
  these: Surroundings['listeners'],
  others: Surroundings['listeners'],
): [event: string, count: number][] {
  return [...these].flatMap(([event, all]) => {
    const rest = [...(others.get(event) ?? [])];
    const count = all.filter((one) => {
      const index = rest.indexOf(one);
      if (index >= 0) rest.splice(index, 1);
      return index < 0;
    }).length;
    return count > 0 ? [[event, count]] : [];
  });
}

function countResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo())
    if (!PASSING.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** What was added to the prototypes of arrays and of objects, so that a loop over any would meet it. */
function inherited(): string[] {
  return [...Object.keys(Array.prototype), ...Object.keys(Object.prototype)];
}

/** The threads that came since `before` and still compute; one that ends, or waits, is no harm. */
async function computing(before: Surroundings['threads']): Promise<string[]> {
  const come = [...threads()].filter(([id]) => !before.has(id));
  if (come.length === 0) return [];
  await sleep(WHILE_MS);
  const later = threads();
  const busy = come.filter(([id, ticks]) => (later.get(id) ?? 0) - ticks >= BUSY_TICKS);
  return busy.length === 0 ? [] : [`${busy.length} threads that still compute`];
}

/** None where there is no /proc. */
function threads(): Map<string, number> {
  const found = new Map<string, number>();
  for (const id of existsSync(TASKS) ? readdirSync(TASKS) : [])
    try {
      // The name stands in brackets; after it, the fields from the third on, of which the twelfth and thirteenth are CPU times.
      const [, name, rest = ''] = /\((.*)\) (.*)/s.exec(readFileSync(join(TASKS, id, 'stat'), 'utf8')) ?? [];
      const fields = rest.split(' ');
      if (name === 'WorkerThread') found.set(id, Number(fields[11]) + Number(fields[12]));
    } catch {
      // It ended.
    }
  return found;
}
