// Slots of pools for one run, beside its driver's loop: how many it could use is told to the reducer, and what that asks for is asked
// of the database.

import { setTimeout as delay } from 'node:timers/promises';
import { HeadraceError, type Logger, toHeadraceError } from '../../core/index.ts';
import type { Command, EngineEvent } from '../engine/events.ts';
import type { RunInHand } from '../engine/run-in-hand.ts';
import type { PoolHolder, RunStore } from '../rows/run-store.ts';
import { lostRun } from './lost-run.ts';
import { wantedSlots } from './wanted-slots.ts';

/** By name; of one that no setting has, no run gets any. */
export type PoolSizes = Readonly<Record<string, number>>;

type Ask = Extract<Command, { kind: 'ask' }>;

export interface SlotAsks {
  /** Tells of pools of which the run could use another number of slots by now. */
  want(at: number, roomFor: Parameters<typeof wantedSlots>[2], tell: (event: EngineEvent) => void): void;
  /** `slots` for each. Throws HR_CONFLICT where the run was lost. */
  ask(asks: readonly Ask[]): Promise<readonly EngineEvent[]>;
  /** Begins to tell when others took slots or gave some back. */
  listen(): Promise<void>;
  close(): Promise<void>;
}

/** While the run waits for slots it looks so often, whether or not it was woken. */
const LOOK_MS = 1000;
/** While the database is away. */
const AGAIN_MS = 200;

export function createSlotAsks(
  {
    store,
    sizes,
    logger,
    post,
    onHolders,
  }: {
    readonly store: Pick<RunStore, 'askSlots' | 'listenToPools' | 'poolHolders'>;
    readonly sizes: PoolSizes;
    readonly logger: Logger;
    readonly post: (event: EngineEvent) => void;
    /** While the run waits, at each look: who has slots of the pools that it waits for; none once it does not wait any more. */
    readonly onHolders?: ((holders: readonly PoolHolder[]) => void) | undefined;
  },
  run: RunInHand,
  epoch: number,
): SlotAsks {
  let stopListening = async (): Promise<void> => {};
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const look = (): void => post({ kind: 'pools changed' });
  const waitedFor = (): readonly string[] =>
    Array.from(run.pools.values()).flatMap(({ name, held, wanted }) => (wanted > held ? [name] : []));
  let hasTold = false;
  const tellHolders = async (): Promise<void> => {
    const pools = waitedFor();
    if (onHolders === undefined || isClosed || (pools.length === 0 && !hasTold)) return;
    hasTold = pools.length > 0;
    try {
      onHolders((await store.poolHolders(pools)).filter((one) => one.run !== run.id && one.slots > 0));
    } catch {
      // While the database is away nobody is told: the asks say so.
    }
  };
  return {
    want(at, roomFor, tell) {
      if (run.pools.size === 0) return;
      for (const [pool, slots] of wantedSlots(run, at, roomFor)) tell({ kind: 'wanted', pool, slots });
    },
    async ask(asks) {
      const asked = asks.map(({ pool, slots }) => ({ pool, size: sizeOf(sizes, pool), wanted: slots }));
      while (!isClosed) {
        try {
          const given = await store.askSlots(run.id, epoch, asked);
          if (given === 'lost') throw lostRun(run.id);
          return given.map((slots) => ({ kind: 'slots', ...slots }));
        } catch (error) {
          if (toHeadraceError(error).code !== 'HR_STORAGE_UNAVAILABLE') throw error;
          logger.warn({ run: run.id, error: String(error) }, 'slots of pools could not be asked for; tried again');
          await delay(AGAIN_MS);
        }
      }
      return [];
    },
    async listen() {
      if (run.pools.size === 0) return;
      stopListening = await store.listenToPools(look);
      timer = setInterval(() => {
        if (waitedFor().length > 0) look();
        void tellHolders();
      }, LOOK_MS).unref();
    },
    async close() {
      isClosed = true;
      clearInterval(timer);
      await stopListening();
    },
  };
}

/** Pools without a setting are refused before a run begins; one that another machine began comes to nothing here. */
function sizeOf(sizes: PoolSizes, pool: string): number {
  const size = Object.hasOwn(sizes, pool) ? sizes[pool] : undefined;
  if (size !== undefined) return size;
  throw new HeadraceError('HR_INTERNAL', `the pool "${pool}" has no size here`);
}
