// A worker of the fleet: claims slices, runs them as any machine does, and writes how they ended, until it is told to stop.

import { type Logger, toHeadraceError } from '../../../core/index.ts';
import type { Database } from '../../../storage/index.ts';
import { LEASE_MICROS, newOwner } from '../../lease.ts';
import { createWaker } from '../../rows/wake.ts';
import type { Executor } from '../executor.ts';
import { ENDS_CHANNEL, SLICES_CHANNEL } from './channels.ts';
import { chooseSlices } from './choose-slices.ts';
import { giveBackLost } from './give-back.ts';
import { migrateFleet } from './tables.ts';
import { createToldSlices, type ToldSlices } from './told-slices.ts';
import { type Ahead, createWorkerRows, type WorkerRows, type WorkerState } from './worker-rows.ts';

export interface ServeFleetOptions {
  readonly database: Database;
  /** An executor of this machine; its processes are marked by the name. */
  readonly openExecutor: (name: string) => Promise<Executor>;
  /** CPUs that tasks may use at once. */
  readonly slots: number;
  readonly memoryBytes: number;
  /** Whether this machine has the project: what takes its stores is left to those that have. */
  readonly hasProject: boolean;
  readonly logger: Logger;
  /** Claims nothing more; resolves once what runs has ended. */
  readonly drain: AbortSignal;
  /** Ends what runs, and gives it back as lost. */
  readonly hurry?: AbortSignal;
  /** How long its slices stay its own without a word of it. Default: 15 s. */
  readonly leaseMs?: number;
  /** Told of the name under which it serves; of another once it has lost its lease. */
  readonly onServe?: (name: string) => void;
}

const LEASE_MS = LEASE_MICROS / 1000;
/** Looks without being woken. */
const LOOK_MS = 1000;
/** What ended waits so long for more of it. */
const GATHER_MS = 10;

/** Throws what the database throws before it serves; from then on a database that is away is waited for. */
export async function serveFleet(options: ServeFleetOptions): Promise<void> {
  const database = await migrateFleet(options.database);
  const rows = createWorkerRows(database);
  let hasServed = false;
  const onServe = (name: string): void => {
    hasServed = true;
    options.onServe?.(name);
  };
  while (!isStopped(options)) {
    try {
      if ((await serveOnce({ ...options, onServe }, database, rows)) === 'stopped') return;
    } catch (error) {
      if (!hasServed || toHeadraceError(error).code !== 'HR_STORAGE_UNAVAILABLE') throw error;
      options.logger.warn({ error: String(error) }, 'the registry could not be reached for a new lease; tried again');
      await sleep(LOOK_MS);
    }
  }
}

/** By one lease: until it is told to stop, or the lease is lost. */
async function serveOnce(
  options: ServeFleetOptions,
  database: Database,
  rows: WorkerRows,
): Promise<'stopped' | 'lost'> {
  const { logger, slots, memoryBytes, hasProject, drain, hurry } = options;
  const leaseMs = options.leaseMs ?? LEASE_MS;
  const worker: WorkerState = { id: newOwner(), slots, memoryBytes, hasProject, leaseMs };
  const executor = await options.openExecutor(worker.id);
  const told = createToldSlices();
  const ends = createWaker(database, ENDS_CHANNEL);
  let wake: (() => void) | undefined;
  let isWoken = true;
  const onWake = (): void => {
    isWoken = true;
    wake?.();
  };
  const unwatch = executor.watch((events) => {
    told.hear(events);
    wake?.();
  });
  let stopListening: (() => Promise<void>) | undefined;
  drain.addEventListener('abort', onWake);
  hurry?.addEventListener('abort', onWake);
  const cancelling = new Set<string>();
  const cancel = (slice: string): void => {
    if (cancelling.has(slice) || !told.has(slice)) return;
    cancelling.add(slice);
    void executor.cancel([{ slice, at: worker.id }]).then(() => {
      told.cancelled(slice);
      wake?.();
    });
  };
  const lookMs = Math.min(LOOK_MS, leaseMs / 3);
  let toldDraining = false;
  let renewedMs = performance.now();
  let lookedMs = -Infinity;
  try {
    stopListening = await createWaker(database, SLICES_CHANNEL).listen(onWake);
    await ends.tell(rows.register(worker, aheadOf(executor)));
    options.onServe?.(worker.id);
    for (;;) {
      const isDraining = drain.aborted;
      if (hurry?.aborted === true || (isDraining && told.size === 0)) return 'stopped';
      try {
        const nowMs = performance.now();
        let isToClaim = false;
        const isToLook = isWoken || nowMs - lookedMs >= lookMs;
        if (isToLook) {
          isWoken = false;
          lookedMs = nowMs;
          const look = await rows.look(worker);
          // Taken by a turn whose answer did not come.
          const unknown = look.own.filter(({ id }) => !told.has(id));
          for (const slice of unknown) told.begin(slice);
          if (unknown.length > 0) await executor.submit(unknown);
          for (const slice of look.cancelled) cancel(slice);
          const others = look.waiting.length > 0 && !isDraining ? await rows.others(worker.id) : [];
          isToClaim = !isDraining && chooseSlices(look.waiting, executor.room, worker, others).length > 0;
        }
        const isToRenew = nowMs - renewedMs >= leaseMs / 3 || isDraining !== toldDraining;
        if (isToClaim || told.hasNews || isToRenew) {
          if (!isToClaim && told.hasNews) await sleep(GATHER_MS);
          const isNews = told.hasNews;
          const taken = await turn(executor, rows, worker, told, isDraining);
          if (taken === 'lost') {
            logger.warn(
              { worker: worker.id },
              'the lease of this worker ran out and its slices were given back; it begins anew',
            );
            return 'lost';
          }
          renewedMs = performance.now();
          toldDraining = isDraining;
          const isGivenBack = isToRenew && (await giveBackLost(database));
          if (isNews || isGivenBack) await ends.tell(Promise.resolve());
          if (isToClaim && taken === 0) {
            // Another was just taking them, or others hide behind those.
            await sleep(GATHER_MS);
            isWoken = true;
          }
          continue;
        }
      } catch (error) {
        if (toHeadraceError(error).code !== 'HR_STORAGE_UNAVAILABLE') throw error;
        logger.warn({ error: String(error) }, 'the registry could not be reached; tried again');
        await sleep(LOOK_MS);
        continue;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, lookMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (isWoken || told.hasNews) wake();
      });
      wake = undefined;
    }
  } finally {
    drain.removeEventListener('abort', onWake);
    hurry?.removeEventListener('abort', onWake);
    unwatch();
    await stopListening?.().catch(() => {});
    await executor.close();
    await rows.leave(worker.id).catch(() => {});
    // What it left is given back by whoever looks next.
    await ends.tell(Promise.resolve());
  }
}

/** Writes what there is to be told, and claims what there is room for; gives how many slices that was. */
export async function turn(
  executor: Pick<Executor, 'room' | 'submit'>,
  rows: Pick<WorkerRows, 'others' | 'turn'>,
  worker: WorkerState,
  told: ToldSlices,
  isDraining: boolean,
): Promise<number | 'lost'> {
  const others = isDraining ? [] : await rows.others(worker.id);
  const taken = await rows.turn(worker, aheadOf(executor), {
    ...told.news(),
    isDraining,
    choose: isDraining ? undefined : (waiting) => chooseSlices(waiting, executor.room, worker, others),
  });
  if (taken === undefined) return 'lost';
  told.written();
  for (const slice of taken) told.begin(slice);
  if (taken.length > 0) await executor.submit(taken);
  return taken.length;
}

/** How many tasks one slot takes at a time: what the machine's own executor says of its pace. */
function aheadOf(executor: Pick<Executor, 'room'>): Ahead {
  return {
    warmAhead: executor.room({ action: 'task' }).perSlice,
    processAhead: executor.room({ action: 'shell' }).perSlice,
  };
}

function isStopped({ drain, hurry }: ServeFleetOptions): boolean {
  return drain.aborted || hurry?.aborted === true;
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
