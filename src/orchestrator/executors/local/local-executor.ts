// Runs tasks as processes of this machine, all of them started by one launcher, which ends them when the driver is gone.

import { availableParallelism, totalmem } from 'node:os';
import { HeadraceError } from '../../../core/index.ts';
import type { ObjectStore } from '../../../storage/index.ts';
import { patientObjects } from '../../patient-objects.ts';
import { readOrder, type StepOrder } from '../../step/order.ts';
import { type TaskOutcome, timedOut } from '../../step/outcome.ts';
import type { EnvironmentBuild } from '../../step/tell-build.ts';
import type { Executor, Resources, Slice, TaskEvent } from '../executor.ts';
import { type BuiltInTasks, isBuiltIn, runBuiltIn } from './built-in-tasks.ts';
import { openLauncher } from './launcher.ts';
import type { Pace } from './messages.ts';
import { type Load, roomFor } from './room.ts';
import { scratchDirectory, sweepDriver } from './sweep.ts';

export interface LocalExecutorOptions {
  /** The driver's id, without a colon: in the mark of every process, so that whoever takes over finds them. */
  readonly driver: string;
  readonly objects: ObjectStore;
  /** The same store, as the launcher opens it. */
  readonly artifactsUrl: string;
  /** Logs of this machine's tasks, and their folders while they run. */
  readonly workDirectory: string;
  /** Where files of the artifact store are kept for steps to read. */
  readonly cacheDirectory: string;
  /** Where Python environments are kept. */
  readonly environmentsDirectory: string;
  /** The Python 3 that makes them: a command or a path. */
  readonly python: string;
  /** The feature repository. */
  readonly repository: string;
  /** Kinds of steps that run in this process. */
  readonly builtIns: BuiltInTasks;
  /** How many CPUs tasks may use at once. Default: this machine's. */
  readonly cpus?: number;
  /** How many bytes of memory they may ask for at once. Default: this machine's. */
  readonly memoryBytes?: number;
  /** Between SIGTERM and SIGKILL. Default: 10 s. */
  readonly graceMs?: number;
  /** How long the launcher may give no sign of life before it is ended, where nothing is waited for. Default: 15 s. */
  readonly stillMs?: number;
  /** Where secrets are looked up, and of which steps inherit a few. Default: this process's. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** Told while a Python environment is built. */
  readonly onEnvironment?: (build: EnvironmentBuild) => void;
}

export interface LocalExecutor extends Executor {
  /** Undefined until something is submitted. */
  readonly launcherPid: number | undefined;
}

interface Submitted {
  readonly resources: Resources;
  readonly isBuiltIn: boolean;
  readonly timeoutMs: number | null;
  /** When attempts began, by `performance.now()`: of those with a timeout, as far as it was told. */
  readonly began: Map<string, number>;
  /** Attempts that have not ended, as `index:attempt`. */
  readonly open: Set<string>;
}

const GRACE_MS = 10_000;
/** As long as a lease. */
const STILL_MS = 15_000;
/** Slices that have ended and are still known, so that to submit one again is no second run: a driver does so within moments. */
const MOST_ENDED = 10_000;

/** Throws HR_INVALID for a driver's id that no mark can hold. */
export function openLocalExecutor(options: LocalExecutorOptions): LocalExecutor {
  const { driver, workDirectory, graceMs = GRACE_MS } = options;
  const closing = new AbortController();
  const objects = patientObjects(options.objects, closing.signal);
  if (driver === '' || driver.includes(':')) {
    throw new HeadraceError('HR_INVALID', `a driver's id has no colon and is not empty, got ${JSON.stringify(driver)}`);
  }
  const machine = {
    cpus: options.cpus ?? availableParallelism(),
    memoryBytes: options.memoryBytes ?? totalmem(),
  };
  /** Those of which something has not ended. */
  const slices = new Map<string, Submitted>();
  const ended = new Set<string>();
  const orders = new Map<string, Promise<StepOrder>>();
  const listeners = new Set<(events: readonly TaskEvent[]) => void>();
  const unheard: TaskEvent[] = [];
  const stoppers = new Map<string, AbortController>();
  const builtIns = new Map<string, Promise<unknown>>();
  let pace: Pace = { warmMs: null, processMs: null };

  const tell = (events: readonly TaskEvent[]): void => {
    for (const { kind, slice, index, attempt } of events) {
      if (kind !== 'started') settle(slice, index, attempt);
      else if (slices.get(slice)?.timeoutMs != null)
        slices.get(slice)?.began.set(`${index}:${attempt}`, performance.now());
    }
    if (listeners.size === 0) unheard.push(...events);
    for (const listen of listeners) listen(events);
  };

  const settle = (slice: string, index: number, attempt: number): void => {
    const submitted = slices.get(slice);
    submitted?.open.delete(`${index}:${attempt}`);
    submitted?.began.delete(`${index}:${attempt}`);
    if (submitted?.open.size === 0) end(slice);
  };

  const end = (slice: string): void => {
    slices.delete(slice);
    ended.add(slice);
    const [oldest] = ended;
    if (ended.size > MOST_ENDED && oldest !== undefined) ended.delete(oldest);
  };

  const launcher = openLauncher(
    {
      driver,
      artifactsUrl: options.artifactsUrl,
      cacheDirectory: options.cacheDirectory,
      environmentsDirectory: options.environmentsDirectory,
      python: options.python,
      scratch: scratchDirectory(workDirectory, driver),
      workDirectory,
      repository: options.repository,
      graceMs,
      ...machine,
    },
    options.variables ?? process.env,
    {
      onEvents(message) {
        pace = message.pace;
        tell(message.events);
      },
      onEnvironment: (build) => options.onEnvironment?.(build),
      isOverdue: (heardMs) =>
        [...slices.values()].some((one) =>
          [...one.open].some((at) => isPast(one, one.began.get(at) ?? heardMs, graceMs)),
        ),
      onDeath(reason, stoodStill) {
        const lost: TaskEvent[] = [];
        for (const [slice, submitted] of slices) {
          if (submitted.isBuiltIn) continue;
          const { timeoutMs, began } = submitted;
          for (const at of submitted.open) {
            const [index = 0, attempt = 0] = at.split(':').map(Number);
            const beganMs = began.get(at);
            const isLate = stoodStill && timeoutMs !== null && beganMs !== undefined && isPast(submitted, beganMs);
            lost.push({ slice, index, attempt, ...(isLate ? timedOut(timeoutMs) : { kind: 'lost', reason }) });
          }
        }
        if (lost.length > 0) tell(lost);
      },
    },
    options.stillMs ?? STILL_MS,
  );

  const orderOf = (spec: string): Promise<StepOrder> => {
    const known = orders.get(spec);
    if (known !== undefined) return known;
    const read = readOrder(objects, spec);
    read.catch(() => orders.delete(spec));
    orders.set(spec, read);
    // A run opens its steps one after another: those of before are seldom needed again.
    const [oldest] = orders.keys();
    if (orders.size > 64 && oldest !== undefined) orders.delete(oldest);
    return read;
  };

  const startBuiltIns = (slice: Slice, order: StepOrder): void => {
    const stopper = new AbortController();
    stoppers.set(slice.id, stopper);
    const all = slice.tasks.map(async ({ index, attempt }) => {
      const at = { slice: slice.id, index, attempt };
      tell([{ ...at, kind: 'started' }]);
      const outcome = await runBuiltIn(
        { objects, workDirectory, repository: options.repository },
        options.builtIns,
        order,
        at,
        stopper.signal,
      );
      if (outcome.kind === 'stopped') settle(slice.id, index, attempt);
      else tell([eventOf(at, outcome)]);
    });
    const done = Promise.all(all);
    builtIns.set(slice.id, done);
    void done.finally(() => {
      stoppers.delete(slice.id);
      builtIns.delete(slice.id);
    });
  };

  const submitOne = async (slice: Slice): Promise<Slice | undefined> => {
    if (slices.has(slice.id) || ended.has(slice.id) || slice.tasks.length === 0) return undefined;
    // Before anything is waited for: a second call meanwhile is no second run.
    const openTasks = new Set(slice.tasks.map(({ index, attempt }) => `${index}:${attempt}`));
    const began = new Map<string, number>();
    slices.set(slice.id, { resources: {}, isBuiltIn: false, timeoutMs: null, began, open: openTasks });
    // What cannot be read is told by the launcher, task by task.
    const order = await orderOf(slice.spec).catch(() => undefined);
    // It was cancelled meanwhile.
    if (ended.has(slice.id)) return undefined;
    const isOwn = order !== undefined && isBuiltIn(order.action);
    const resources = order === undefined ? {} : resourcesOf(order);
    slices.set(slice.id, { resources, isBuiltIn: isOwn, timeoutMs: order?.timeoutMs ?? null, began, open: openTasks });
    if (!isOwn || order === undefined) return slice;
    startBuiltIns(slice, order);
    return undefined;
  };

  return {
    get launcherPid() {
      return launcher.pid;
    },
    start: () => launcher.start(),
    room(resources) {
      const loads: Load[] = [...slices.values()].map((one) => ({ resources: one.resources, tasks: one.open.size }));
      return roomFor(resources, loads, machine, pace);
    },
    async submit(given) {
      const fresh = await Promise.all(given.map(submitOne));
      const toLaunch = fresh.filter((slice) => slice !== undefined);
      if (toLaunch.length > 0) await launcher.submit(toLaunch);
      return given.map(({ id }) => ({ slice: id, at: driver }));
    },
    watch(listen) {
      listeners.add(listen);
      const before = unheard.splice(0);
      if (before.length > 0) listen(before);
      return () => listeners.delete(listen);
    },
    async cancel(handles) {
      const own = handles.filter(({ at, slice }) => at === driver && slices.has(slice)).map(({ slice }) => slice);
      for (const slice of own) stoppers.get(slice)?.abort();
      await Promise.all(own.flatMap((slice) => builtIns.get(slice) ?? []));
      const elsewhere = own.filter((slice) => slices.get(slice)?.isBuiltIn === false);
      if (elsewhere.length > 0) await launcher.cancel(elsewhere);
      for (const slice of elsewhere) end(slice);
    },
    async adopt(handles) {
      const others = new Set(handles.map(({ at }) => at).filter((at) => at !== driver));
      for (const other of others) await sweepDriver(workDirectory, other);
      return handles.map(({ at, slice }) => {
        return at === driver && slices.has(slice) ? 'running' : 'gone';
      });
    },
    async close() {
      closing.abort();
      for (const stopper of stoppers.values()) stopper.abort();
      await Promise.all(builtIns.values());
      await launcher.close();
    },
  };
}

/** Whether its timeout is over, and so much more, of an attempt that began then. */
function isPast({ isBuiltIn, timeoutMs }: Submitted, beganMs: number, moreMs = 0): boolean {
  return !isBuiltIn && timeoutMs !== null && beganMs + timeoutMs + moreMs <= performance.now();
}

function eventOf(
  at: { slice: string; index: number; attempt: number },
  outcome: Exclude<TaskOutcome, { kind: 'stopped' }>,
): TaskEvent {
  return { ...at, ...outcome };
}

function resourcesOf({ action, resources, isolate }: StepOrder): Resources {
  return { ...resources, action: action.kind, ...(isolate === undefined ? {} : { isolate }) };
}
