// Runs slices as jobs of a cluster: a slice is a job, its tasks are packed into the job's parts, and what became of them lies in the
// artifact store. The cluster tells which parts have ended; nothing else is heard from a container.

import { fewAtOnce, type Logger, toHeadraceError } from '../../../core/index.ts';
import type { ObjectStore } from '../../../storage/index.ts';
import {
  readSlice,
  replaceSlice,
  sliceKey,
  type SliceDocument,
  storeSlice,
  tasksOfPart,
  partsOf,
} from '../../committed/slice-document.ts';
import { readOrder, type StepOrder } from '../../step/order.ts';
import type { Executor, Slice, TaskEvent } from '../executor.ts';
import type { ClusterJob, ClusterJobs, PartEnd } from './cluster-jobs.ts';
import { jobName, jobOf, type JobSettings } from './job-of-slice.ts';
import { createListeners } from '../listeners.ts';
import { patiently } from './patient.ts';
import { type ContainerEnd, endByContainer, storedEnd } from './task-end.ts';
import { tellWaits } from '../tell-waits.ts';

export interface ClusterExecutorOptions extends JobSettings {
  readonly jobs: ClusterJobs;
  readonly objects: ObjectStore;
  /** The run whose slices it is given: their documents lie under it. */
  readonly run: string;
  /** The driver's id: slices that another has taken over are that one's to cancel. */
  readonly driver: string;
  /** How many tasks one container runs. */
  readonly pack: number;
  readonly logger: Logger;
}

/** A slice that this driver waits for. */
interface Open {
  readonly document: SliceDocument;
  readonly place: Pick<StepOrder, 'run' | 'step' | 'scope'>;
  readonly job: { readonly name: string; readonly id: string };
  /** Attempts that have not ended, as `index:attempt`. */
  readonly left: Set<string>;
  /** Parts whose end was told, looked into or not. */
  readonly ended: Set<number>;
  /** Of what did not end by itself nothing is told. */
  isCancelled: boolean;
  unwatch?: () => void;
}

/** Parts of all jobs that are not over: past it a cluster's scheduler only keeps lists. */
const MOST_OPEN_PARTS = 5000;
/** Reads and writes of the artifact store. */
const MOST_ASKED = 64;
/** How long a cancel waits for a store that is away, to tell of what ended first. */
const CANCEL_PATIENCE_MS = 30_000;

export function openClusterExecutor(options: ClusterExecutorOptions): Executor {
  const { jobs, objects, run, driver, pack, logger } = options;
  const listeners = createListeners();
  const open = new Map<string, Open>();
  const sliceOfJob = new Map<string, string>();
  /** Settled once the cluster has it. */
  const submitted = new Map<string, Promise<void>>();
  const orders = new Map<string, Promise<StepOrder>>();
  const few = fewAtOnce(MOST_ASKED);
  const closed = new AbortController();
  const ask = <T>(work: () => Promise<T>, signal: AbortSignal = closed.signal): Promise<T> =>
    patiently({ logger, signal }, () => few(work));

  const orderOf = (spec: string): Promise<StepOrder> => {
    const known = orders.get(spec);
    if (known !== undefined) return known;
    const read = ask(() => readOrder(objects, spec));
    read.catch(() => orders.delete(spec));
    orders.set(spec, read);
    const [oldest] = orders.keys();
    if (orders.size > 64 && oldest !== undefined) orders.delete(oldest);
    return read;
  };

  const stepWaits = (): Readonly<Record<string, string>> => {
    const steps: Record<string, string> = {};
    for (const [job, why] of jobs.waits?.() ?? []) {
      const one = open.get(sliceOfJob.get(job) ?? '');
      if (one !== undefined) steps[one.place.step] ??= why;
    }
    return steps;
  };
  const stopTelling = tellWaits({ objects, run, driver, logger, waits: stepWaits });

  const begin = (slice: string, document: SliceDocument, order: StepOrder, id: string): Open => {
    const name = jobName(slice);
    const one: Open = {
      document,
      place: { run: order.run, step: order.step, scope: order.scope },
      job: { name, id },
      left: new Set(document.tasks.map(({ index, attempt }) => `${index}:${attempt}`)),
      ended: new Set(),
      isCancelled: false,
    };
    open.set(slice, one);
    sliceOfJob.set(name, slice);
    return one;
  };

  const forget = (slice: string): void => {
    const one = open.get(slice);
    if (one === undefined) return;
    open.delete(slice);
    sliceOfJob.delete(one.job.name);
    one.unwatch?.();
  };

  /** Tells of tasks what the store has; of the others what `otherwise` gives, or nothing yet. */
  const tellEnds = async (
    slice: string,
    one: Open,
    tasks: SliceDocument['tasks'],
    otherwise: ContainerEnd | undefined,
    signal?: AbortSignal,
  ): Promise<void> => {
    const events: TaskEvent[] = [];
    const look = async ({ index, attempt }: SliceDocument['tasks'][number]): Promise<void> => {
      const stored = await ask(() => storedEnd(objects, { ...one.place, index }, attempt), signal);
      const end = stored ?? (otherwise === undefined ? undefined : endByContainer(otherwise));
      // Of what a cancel has ended nothing is told, whatever the container made of it.
      const isTold = one.isCancelled ? stored !== undefined && stored.kind !== 'lost' : end !== undefined;
      if (end !== undefined && isTold && one.left.delete(`${index}:${attempt}`))
        events.push({ slice, index, attempt, ...end });
    };
    await Promise.all(tasks.map(look));
    if (one.left.size === 0) forget(slice);
    if (events.length > 0) listeners.tell(events);
  };

  const lookAside = (work: Promise<void>, slice: string): void => {
    work.catch((error: unknown) => {
      if (!closed.signal.aborted)
        logger.error({ slice, error: String(error) }, 'what became of tasks could not be told');
    });
  };

  const hear = (ends: readonly PartEnd[]): void => {
    for (const { job, part, ...end } of ends) {
      const slice = sliceOfJob.get(job);
      const one = slice === undefined ? undefined : open.get(slice);
      if (slice === undefined || one === undefined || one.isCancelled || one.ended.has(part)) continue;
      one.ended.add(part);
      lookAside(tellEnds(slice, one, tasksOfPart(one.document, part), end), slice);
    }
  };

  /** All of them by one call; it is over once all of them are. */
  const watchJobs = (ones: readonly Open[]): void => {
    if (ones.length === 0) return;
    const names = new Set(ones.map(({ job }) => job.name));
    let stop: (() => void) | undefined;
    for (const one of ones)
      one.unwatch = () => {
        names.delete(one.job.name);
        if (names.size === 0) stop?.();
      };
    stop = jobs.watch(
      ones.map(({ job, document }) => ({ ...job, parts: partsOf(document) })),
      hear,
    );
    if (names.size === 0) stop();
  };

  const refuse = ({ id, tasks }: Slice, reason: string): void =>
    listeners.tell(tasks.map((task) => ({ slice: id, ...task, kind: 'failed', cause: 'exit', reason, isFinal: true })));

  /** The document stored and the job described; undefined where no job is to be made. */
  const prepare = async (
    slice: Slice,
  ): Promise<{ job: ClusterJob; document: SliceDocument; order: StepOrder } | undefined> => {
    if (slice.tasks.length === 0) return undefined;
    try {
      const order = await orderOf(slice.spec);
      const key = sliceKey(run, slice.id);
      const wanted = { order: slice.spec, tasks: slice.tasks, pack, driver, isWithdrawn: false };
      const document = await ask(() => storeSlice(objects, key, wanted));
      if (!document.isWithdrawn) return { job: jobOf(options, slice.id, key, order, document), document, order };
      const reason = 'it was withdrawn before its job was made';
      listeners.tell(slice.tasks.map((task) => ({ slice: slice.id, ...task, kind: 'lost', reason })));
    } catch (error) {
      const { code, message } = toHeadraceError(error);
      if (code === 'HR_STORAGE_UNAVAILABLE') throw error;
      refuse(slice, message);
    }
    return undefined;
  };

  const submitFresh = async (slices: readonly Slice[]): Promise<void> => {
    const prepared = await Promise.all(slices.map(async (slice) => ({ slice, made: await prepare(slice) })));
    const ready = prepared.flatMap(({ slice, made }) => (made === undefined ? [] : [{ id: slice.id, ...made }]));
    if (ready.length === 0) return;
    const ids = await jobs.submit(ready.map(({ job }) => job));
    watchJobs(ready.map(({ id, document, order }, at) => begin(id, document, order, ids[at] ?? '')));
  };

  const cancelAll = async (slices: readonly string[]): Promise<void> => {
    for (const slice of slices) await submitted.get(slice)?.catch(() => {});
    const signal = AbortSignal.any([closed.signal, AbortSignal.timeout(CANCEL_PATIENCE_MS)]);
    const own: { readonly slice: string; readonly one: Open }[] = [];
    const withdraw = async (slice: string): Promise<void> => {
      const one = open.get(slice);
      if (one === undefined) return;
      one.isCancelled = true;
      const key = sliceKey(run, slice);
      const isOwn = await ask(async () => {
        const found = await readSlice(objects, key);
        if (found !== undefined && found.driver !== driver) return false;
        // Containers that start from now on have nothing to do.
        await replaceSlice(objects, key, { ...one.document, driver, isWithdrawn: true });
        return true;
      }, signal).catch(() => true);
      if (isOwn) own.push({ slice, one });
      else forget(slice);
    };
    await Promise.all(slices.map(withdraw));
    await jobs.cancel(own.map(({ one }) => one.job));
    const tellRest = async ({ slice, one }: { slice: string; one: Open }): Promise<void> => {
      const left = one.document.tasks.filter(({ index, attempt }) => one.left.has(`${index}:${attempt}`));
      await tellEnds(slice, one, left, undefined, signal).catch(() => {});
      forget(slice);
    };
    await Promise.all(own.map(tellRest));
  };

  /** Of another driver's slice, which is this one's from now on. */
  const takeOver = async (slice: string, id: string | undefined): Promise<'running' | 'gone'> => {
    if (open.has(slice)) return 'running';
    const key = sliceKey(run, slice);
    const found = await ask(() => readSlice(objects, key));
    const document = found ?? { order: '', tasks: [], pack: 1, driver, isWithdrawn: true };
    const isToRun = id !== undefined && !document.isWithdrawn;
    // Whoever was about to make its job finds this first.
    await ask(() => replaceSlice(objects, key, { ...document, driver, isWithdrawn: !isToRun }));
    if (id !== undefined && document.isWithdrawn) await jobs.cancel([{ name: jobName(slice), id }]);
    if (document.isWithdrawn) return 'gone';
    const one = begin(slice, document, await orderOf(document.order), id ?? '');
    if (isToRun) {
      setImmediate(() => watchJobs([one]));
      return 'running';
    }
    const known = await Promise.all(
      document.tasks.map(({ index, attempt }) => ask(() => storedEnd(objects, { ...one.place, index }, attempt))),
    );
    if (known.every((end) => end === undefined)) {
      forget(slice);
      return 'gone';
    }
    const end = { kind: 'lost', reason: 'the cluster has its job no more, and it left no result' } as const;
    setImmediate(() => lookAside(tellEnds(slice, one, document.tasks, end), slice));
    return 'running';
  };

  return {
    room() {
      let parts = 0;
      for (const { document, ended } of open.values()) parts += partsOf(document) - ended.size;
      const room = Math.max(0, MOST_OPEN_PARTS - parts) * pack;
      return { tasks: room, perSlice: Math.min(jobs.mostParts, MOST_OPEN_PARTS) * pack };
    },
    async submit(slices) {
      const fresh = slices.filter(({ id }) => !submitted.has(id) && !open.has(id));
      const done = submitFresh(fresh);
      for (const { id } of fresh) submitted.set(id, done);
      for (const { id } of slices) await submitted.get(id);
      return slices.map(({ id }) => ({ slice: id, at: run }));
    },
    watch: (listen) => listeners.add(listen),
    cancel: (handles) => cancelAll(handles.map(({ slice }) => slice)),
    async adopt(handles) {
      const ids = await jobs.find(handles.map(({ slice }) => jobName(slice)));
      return await Promise.all(handles.map(({ slice }, at) => takeOver(slice, ids[at])));
    },
    async close() {
      await cancelAll([...open.keys()]);
      await stopTelling();
      closed.abort();
      await jobs.close();
    },
  };
}
