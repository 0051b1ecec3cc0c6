// What a worker writes and reads of the fleet's rows. Whatever it writes begins with its own row: where that is gone its slices
// were given back, and it is told so.

import { type Kysely, sql } from 'kysely';
import { stringifyJson } from '../../../core/index.ts';
import { clockText, type Database } from '../../../storage/index.ts';
import type { Resources, Slice, TaskEvent } from '../executor.ts';
import type { Capacity } from './choose-slices.ts';
import { readSlice } from './driver-rows.ts';
import type { FleetTables } from './tables.ts';

export interface WorkerState {
  readonly id: string;
  readonly slots: number;
  readonly memoryBytes: number;
  /** It can do what takes the project's stores. */
  readonly hasProject: boolean;
  readonly leaseMs: number;
}

export interface Ahead {
  readonly warmAhead: number;
  readonly processAhead: number;
}

export interface WaitingSlice extends Slice {
  readonly resources: Resources;
}

export interface WrittenTurn {
  /** What was told of slices since the last turn, numbered. */
  readonly told: readonly { readonly slice: string; readonly number: number; readonly events: readonly TaskEvent[] }[];
  readonly ended: readonly string[];
  readonly cancelled: readonly string[];
  /** Which of the slices that wait it takes. */
  /** It takes nothing more: drivers count on it no longer. */
  readonly isDraining: boolean;
  readonly choose: ((waiting: readonly WaitingSlice[]) => readonly WaitingSlice[]) | undefined;
}

export interface WorkerLook {
  readonly waiting: readonly WaitingSlice[];
  /** All that this worker has, by the rows. */
  readonly own: readonly WaitingSlice[];
  /** Those of them that are to be ended. */
  readonly cancelled: readonly string[];
}

export interface WorkerRows {
  register(worker: WorkerState, ahead: Ahead): Promise<void>;
  leave(id: string): Promise<void>;
  /** The slices that wait for such a worker, first come first, and what the rows say of this one's. Writes nothing. */
  look(worker: WorkerState): Promise<WorkerLook>;
  /**
   * Renews the lease and writes a turn; gives the slices that were taken. Undefined where the lease was lost, and nothing is written.
   * A turn that had no answer may be written: it is asked for again as it was, and what it took is in the next look.
   */
  turn(worker: WorkerState, ahead: Ahead, turn: WrittenTurn): Promise<readonly WaitingSlice[] | undefined>;
  /** What each live worker but this has. */
  others(id: string): Promise<readonly Capacity[]>;
}

/** In the JSON of resources, of what takes the project's stores and may be sent to another machine. */
const OF_PROJECT = '"action":"predict"';

/** How many of those that wait are looked at. */
const MOST_LOOKED_AT = 64;

export function createWorkerRows(database: Database): WorkerRows {
  const { kind } = database;
  const db = database.tables<FleetTables>();
  const now = sql<number>`${sql.raw(clockText(kind))}`;
  const until = (leaseMs: number) => sql<number>`${now} + ${sql.lit(leaseMs * 1000)}`;

  const waitingOf = async (
    from: Kysely<FleetTables>,
    { hasProject }: WorkerState,
    isToClaim: boolean,
  ): Promise<readonly WaitingSlice[]> => {
    const all = from
      .selectFrom('fleet_slices')
      .select(['id', 'spec', 'tasks', 'resources'])
      .where('state', '=', 'waiting');
    // What it can't do must not stand before what it can.
    const own = hasProject ? all : all.where('resources', 'not like', `%${OF_PROJECT}%`);
    const query = own.orderBy('submitted').limit(MOST_LOOKED_AT);
    // Each worker takes what no other is just taking. SQLite's writers come one after another.
    const rows = await (isToClaim && kind === 'postgres' ? query.forUpdate().skipLocked() : query).execute();
    return rows.map(({ id, spec, tasks, resources }) => ({ id, spec, ...readSlice(tasks, resources) }));
  };

  return {
    async register({ id, slots, memoryBytes, hasProject, leaseMs }, { warmAhead, processAhead }) {
      await db
        .insertInto('fleet_workers')
        .values({
          id,
          slots,
          memory_bytes: memoryBytes,
          warm_ahead: warmAhead,
          process_ahead: processAhead,
          has_project: hasProject ? 1 : 0,
          until: until(leaseMs),
        })
        .execute();
    },
    async leave(id) {
      await db.deleteFrom('fleet_workers').where('id', '=', id).execute();
    },
    async look(worker) {
      const waiting = await waitingOf(db, worker, false);
      const rows = await db
        .selectFrom('fleet_slices')
        .select(['id', 'spec', 'tasks', 'resources', 'is_cancelled'])
        .where('state', '=', 'running')
        .where('worker', '=', worker.id)
        .execute();
      return {
        waiting,
        own: rows.map((row) => ({ id: row.id, spec: row.spec, ...readSlice(row.tasks, row.resources) })),
        cancelled: rows.filter((row) => row.is_cancelled === 1).map((row) => row.id),
      };
    },
    async turn(worker, { warmAhead, processAhead }, { told, ended, cancelled, isDraining, choose }) {
      const { id, slots, leaseMs } = worker;
      return await database.transaction<FleetTables, readonly WaitingSlice[] | undefined>(async (trx) => {
        const { numUpdatedRows } = await trx
          .updateTable('fleet_workers')
          .set({
            slots: isDraining ? 0 : slots,
            until: until(leaseMs),
            warm_ahead: warmAhead,
            process_ahead: processAhead,
          })
          .where('id', '=', id)
          .executeTakeFirst();
        if (numUpdatedRows === 0n) return undefined;
        for (let from = 0; from < told.length; from += MOST_LOOKED_AT)
          await trx
            .insertInto('fleet_ends')
            .values(
              told
                .slice(from, from + MOST_LOOKED_AT)
                .map(({ slice, number, events }) => ({ slice, number, events: stringifyJson(events) })),
            )
            // Written by a turn that had no answer: they are the same.
            .onConflict((conflict) => conflict.columns(['slice', 'number']).doNothing())
            .execute();
        for (const [state, ids] of [
          ['ended', ended],
          ['cancelled', cancelled],
        ] as const)
          for (let from = 0; from < ids.length; from += MOST_LOOKED_AT)
            await trx
              .updateTable('fleet_slices')
              .set({ state, changed: now })
              .where('id', 'in', ids.slice(from, from + MOST_LOOKED_AT))
              .execute();
        const taken = choose?.(await waitingOf(trx, worker, true)) ?? [];
        if (taken.length > 0)
          await trx
            .updateTable('fleet_slices')
            .set({ state: 'running', worker: id, changed: now })
            .where(
              'id',
              'in',
              taken.map((slice) => slice.id),
            )
            .execute();
        return taken;
      });
    },
    async others(id) {
      const rows = await db
        .selectFrom('fleet_workers')
        .select(['slots', 'memory_bytes', 'has_project'])
        .where('id', '<>', id)
        .where('until', '>', now)
        .execute();
      return rows.map((row) => ({
        slots: row.slots,
        memoryBytes: row.memory_bytes,
        hasProject: row.has_project === 1,
      }));
    },
  };
}
