// Hands slices to workers on other machines, by rows of the registry's database, and hears of them by rows.

import { type Logger, toHeadraceError } from '../../../core/index.ts';
import type { Database, ObjectStore } from '../../../storage/index.ts';
import { createStorageWait } from '../../await-storage.ts';
import { createWaker } from '../../rows/wake.ts';
import { readOrder, type StepOrder } from '../../step/order.ts';
import type { Executor, Resources, Slice, TaskEvent } from '../executor.ts';
import { roomFor } from '../local/room.ts';
import { ENDS_CHANNEL, SLICES_CHANNEL } from './channels.ts';
import { createDriverRows, type LiveWorkers } from './driver-rows.ts';
import { giveBackLost } from './give-back.ts';
import { createListeners } from '../listeners.ts';
import { tellWaits } from '../tell-waits.ts';
import { migrateFleet } from './tables.ts';

export interface FleetExecutorOptions {
  /** The driver's id: slices that another has taken over are that one's to cancel. */
  readonly driver: string;
  /** The run whose slices it is given. */
  readonly run: string;
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly logger: Logger;
}

/** A slice that this driver waits for. */
interface Open {
  readonly resources: Resources;
  /** Undefined of what another driver handed over, and of orders that cannot be read. */
  readonly step: string | undefined;
  /** Attempts that have not ended, as `index:attempt`. */
  readonly tasks: Set<string>;
  /** The number of what was told of it last. */
  told: number;
  /** Of what did not end by itself nothing is told. */
  isCancelled: boolean;
}

const takesProject = ({ resources }: Open): boolean => resources.action === 'predict';

/** Slices are known by their own ids, whoever drives them. */
const AT = 'fleet';
/** Looks without being woken: for leases that run out, and workers that come. */
const LOOK_MS = 1000;
/** What a driver claims ahead, by `roomFor`. */
const AHEAD_MS = 100;
const NOBODY = 'no worker serves the fleet; start one by `headrace worker`';
const NO_PROJECT =
  'no worker of the fleet has the project, which a batch prediction takes; start one by `headrace worker` where headrace.config.ts is';

/** Makes the tables where they are not there. Throws HR_STORAGE_UNAVAILABLE. */
export async function openFleetExecutor({
  driver,
  run,
  database: opened,
  objects,
  logger,
}: FleetExecutorOptions): Promise<Executor> {
  const database = await migrateFleet(opened);
  const rows = createDriverRows(database, driver);
  const slicesWaker = createWaker(database, SLICES_CHANNEL);
  const patiently = createStorageWait({ logger, what: 'the fleet' });
  const listeners = createListeners();
  const open = new Map<string, Open>();
  const orders = new Map<string, Promise<StepOrder>>();
  let workers: LiveWorkers = await rows.liveWorkers();
  let looking: Promise<void> | undefined;
  let isToLook = false;
  let isClosed = false;
  let isAlone = false;
  let isWithoutProject = false;

  await rows.removeOld();

  const resourcesOf = async (spec: string): Promise<Pick<Open, 'resources' | 'step'>> => {
    let read = orders.get(spec);
    if (read === undefined) {
      read = readOrder(objects, spec);
      read.catch(() => orders.delete(spec));
      orders.set(spec, read);
      const [oldest] = orders.keys();
      if (orders.size > 64 && oldest !== undefined) orders.delete(oldest);
    }
    // What cannot be read is told by the worker, task by task.
    const order = await read.catch(() => undefined);
    if (order === undefined) return { resources: {}, step: undefined };
    const { step, resources, action, isolate } = order;
    return { step, resources: { ...resources, action: action.kind, ...(isolate === undefined ? {} : { isolate }) } };
  };

  const begin = ({ id, tasks }: Pick<Slice, 'id' | 'tasks'>, resources: Resources, step?: string): void => {
    if (tasks.length === 0) return;
    const names = new Set(tasks.map(({ index, attempt }) => `${index}:${attempt}`));
    open.set(id, { resources, step, tasks: names, told: 0, isCancelled: false });
  };

  const lookOnce = async (): Promise<void> => {
    if (await giveBackLost(database)) await wakeDrivers();
    workers = await rows.liveWorkers();
    if (open.size === 0) return;
    if (workers.cpus === 0 && !isAlone) logger.warn({ run }, NOBODY);
    isAlone = workers.cpus === 0;
    const lacksProject = !isAlone && !workers.hasProject && [...open.values()].some(takesProject);
    if (lacksProject && !isWithoutProject) logger.warn({ run }, NO_PROJECT);
    isWithoutProject = lacksProject;
    // States before what was told: of one that is over by then, all is there to be read.
    const states = await rows.statesOf([...open.keys()]);
    const told = await rows.toldAfter([...open].map(([slice, one]) => [slice, one.told]));
    const events: TaskEvent[] = [];
    for (const row of told) {
      const one = open.get(row.slice);
      if (one === undefined || row.number <= one.told) continue;
      one.told = row.number;
      for (const event of row.events) {
        const name = `${event.index}:${event.attempt}`;
        if (event.kind === 'started' ? one.tasks.has(name) : one.tasks.delete(name)) events.push(event);
      }
    }
    for (const { id, state } of states) {
      const one = open.get(id);
      if (one === undefined || state === 'waiting' || state === 'running') continue;
      open.delete(id);
      if (one.isCancelled) continue;
      for (const name of one.tasks) {
        const [index = 0, attempt = 0] = name.split(':').map(Number);
        const reason =
          state === 'cancelled'
            ? 'it was cancelled by another driver'
            : 'the worker that ran it is gone: it no longer renews its lease';
        events.push({ slice: id, index, attempt, kind: 'lost', reason });
      }
    }
    for (const [id, one] of open) if (one.tasks.size === 0) open.delete(id);
    if (events.length > 0) listeners.tell(events);
  };

  /** One after the other; who asks during one has the next. */
  const look = async (): Promise<void> => {
    isToLook = true;
    looking ??= (async () => {
      while (isToLook) {
        isToLook = false;
        await lookOnce();
      }
    })().finally(() => {
      looking = undefined;
    });
    await looking;
  };

  const wakeDrivers = async (): Promise<void> => await createWaker(database, ENDS_CHANNEL).tell(Promise.resolve());

  const lookAside = (): void => {
    if (isClosed) return;
    look().catch((error: unknown) => {
      // Asked again in a moment.
      const { code } = toHeadraceError(error);
      logger.warn({ error: String(error) }, `the fleet's rows could not be read (${code}); tried again`);
    });
  };
  const stopListening = await createWaker(database, ENDS_CHANNEL).listen(lookAside);
  const timer = setInterval(lookAside, LOOK_MS);

  const stepWaits = (): Readonly<Record<string, string>> => {
    const waiting = [...open.values()].filter((one) => isAlone || (isWithoutProject && takesProject(one)));
    const why = isAlone ? NOBODY : NO_PROJECT;
    return Object.fromEntries(waiting.flatMap(({ step }) => (step === undefined ? [] : [[step, why]])));
  };
  const stopTelling = tellWaits({ objects, run, driver, logger, waits: stepWaits });

  const cancel = async (ids: readonly string[]): Promise<void> => {
    if (ids.length === 0) return;
    for (const id of ids) {
      const one = open.get(id);
      if (one !== undefined) one.isCancelled = true;
    }
    await slicesWaker.tell(rows.cancel(ids));
    for (;;) {
      await look();
      const states = await rows.statesOf(ids);
      if (!states.some(({ state, isOwn }) => isOwn && state === 'running')) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // What ended first is told before this resolves.
    await look();
    for (const id of ids) open.delete(id);
  };

  return {
    room(resources) {
      const loads = [...open.values()].map((one) => ({ resources: one.resources, tasks: one.tasks.size }));
      const hasWorkers = workers.cpus > 0;
      const pace = hasWorkers
        ? { warmMs: AHEAD_MS / workers.warmAhead, processMs: AHEAD_MS / workers.processAhead }
        : { warmMs: null, processMs: null };
      return roomFor(resources, loads, workers, pace);
    },
    async submit(slices) {
      const fresh = slices.filter(({ id }) => !open.has(id));
      const withResources = await Promise.all(
        fresh.map(async (slice) => ({ ...slice, ...(await resourcesOf(slice.spec)) })),
      );
      const known = await patiently(() => rows.statesOf(fresh.map(({ id }) => id)));
      const before = new Set(known.map(({ id }) => id));
      for (const slice of withResources)
        if (!before.has(slice.id) && !open.has(slice.id)) begin(slice, slice.resources, slice.step);
      // Its rows are the driver's word for it already: it is submitted once the database is back.
      if (withResources.length > 0) await patiently(() => slicesWaker.tell(rows.insert(withResources)));
      return slices.map(({ id }) => ({ slice: id, at: AT }));
    },
    watch: (listen) => listeners.add(listen),
    cancel: (handles) => cancel(handles.map(({ slice }) => slice)),
    async adopt(handles) {
      const found = new Map((await rows.claimAgain(handles.map(({ slice }) => slice))).map((row) => [row.id, row]));
      const answers = handles.map(({ slice }): 'running' | 'gone' => {
        const row = found.get(slice);
        if (row === undefined || row.state === 'cancelled') return 'gone';
        if (!open.has(slice)) begin({ id: slice, tasks: row.tasks }, row.resources);
        return 'running';
      });
      // The ends of before come once the caller has taken this in.
      setImmediate(lookAside);
      return answers;
    },
    async close() {
      await cancel([...open.keys()]);
      isClosed = true;
      clearInterval(timer);
      await stopTelling();
      await stopListening();
      await looking?.catch(() => {});
    },
  };
}
