// What drivers write and read of the fleet's rows.

import { sql } from 'kysely';
import { MICROS_PER_DAY, parseJson, stringifyJson } from '../../../core/index.ts';
import { clockText, type Database } from '../../../storage/index.ts';
import type { Resources, Slice, TaskEvent } from '../executor.ts';
import type { FleetSliceState, FleetTables } from './tables.ts';

export interface LiveWorkers {
  readonly cpus: number;
  readonly memoryBytes: number;
  /** The least of them. */
  readonly warmAhead: number;
  readonly processAhead: number;
  /** Of any of them. */
  readonly hasProject: boolean;
}

export interface SliceRow {
  readonly id: string;
  readonly state: FleetSliceState;
  readonly tasks: Slice['tasks'];
  readonly resources: Resources;
}

/** What was told of a slice beyond a number. */
export interface ToldRow {
  readonly slice: string;
  readonly number: number;
  readonly events: readonly TaskEvent[];
}

export interface DriverRows {
  /** Those that are there already stay as they are. */
  insert(slices: readonly (Slice & { readonly resources: Resources })[]): Promise<void>;
  liveWorkers(): Promise<LiveWorkers>;
  statesOf(ids: readonly string[]): Promise<readonly (Pick<SliceRow, 'id' | 'state'> & { readonly isOwn: boolean })[]>;
  /** In the order in which it was told, of each slice. */
  toldAfter(cursors: readonly (readonly [slice: string, number: number])[]): Promise<readonly ToldRow[]>;
  /** Of this driver's those that wait run no more; of those that run their workers are asked to end them. */
  cancel(ids: readonly string[]): Promise<void>;
  /** Rows, which are this driver's from now on; of one that was never submitted it is noted that it never will be. */
  claimAgain(ids: readonly string[]): Promise<readonly SliceRow[]>;
  removeOld(): Promise<void>;
}

/** Parameters of one statement. */
const MOST = 200;
const KEPT_MICROS = MICROS_PER_DAY;

export function createDriverRows(database: Database, driver: string): DriverRows {
  const db = database.tables<FleetTables>();
  const now = sql<number>`${sql.raw(clockText(database.kind))}`;
  const rowOf = ({ id, spec, tasks, resources }: Slice & { readonly resources: Resources }, place: number) => ({
    id,
    submitted: sql<number>`${now} + ${sql.lit(place)}`,
    driver,
    spec,
    tasks: JSON.stringify(tasks.map(({ index, attempt }) => [index, attempt])),
    resources: stringifyJson(resources),
    state: 'waiting' as const,
    worker: null,
    is_cancelled: 0,
    changed: now,
  });
  return {
    async insert(slices) {
      for (const part of partsOf(slices))
        await db
          .insertInto('fleet_slices')
          .values(part.map(rowOf))
          .onConflict((conflict) => conflict.column('id').doNothing())
          .execute();
    },
    async liveWorkers() {
      const rows = await db.selectFrom('fleet_workers').selectAll().where('until', '>', now).execute();
      return {
        cpus: rows.reduce((sum, { slots }) => sum + slots, 0),
        memoryBytes: rows.reduce((sum, { memory_bytes: bytes }) => sum + bytes, 0),
        warmAhead: Math.min(...rows.map(({ warm_ahead: ahead }) => ahead)),
        processAhead: Math.min(...rows.map(({ process_ahead: ahead }) => ahead)),
        hasProject: rows.some(({ slots, has_project: has }) => slots > 0 && has === 1),
      };
    },
    async statesOf(ids) {
      const parts = partsOf(ids).map((part) =>
        db.selectFrom('fleet_slices').select(['id', 'state', 'driver']).where('id', 'in', part).execute(),
      );
      return (await Promise.all(parts))
        .flat()
        .map(({ id, state, driver: whose }) => ({ id, state, isOwn: whose === driver }));
    },
    async toldAfter(cursors) {
      const parts = partsOf(cursors).map((part) =>
        db
          .selectFrom('fleet_ends')
          .selectAll()
          .where(({ and, eb, or }) =>
            or(part.map(([slice, number]) => and([eb('slice', '=', slice), eb('number', '>', number)]))),
          )
          .orderBy('slice')
          .orderBy('number')
          .execute(),
      );
      const rows = (await Promise.all(parts)).flat();
      // Written by a worker from what its own executor told.
      return rows.map((row) => ({ ...row, events: parseJson(row.events) as unknown as TaskEvent[] }));
    },
    async cancel(ids) {
      for (const part of partsOf(ids))
        await database.transaction<FleetTables, void>(async (trx) => {
          const set = { is_cancelled: 1, changed: now };
          // The waiting first: a claim meanwhile is waited for, and then is a running one.
          await trx
            .updateTable('fleet_slices')
            .set({ ...set, state: 'cancelled' })
            .where('id', 'in', part)
            .where('driver', '=', driver)
            .where('state', '=', 'waiting')
            .execute();
          await trx
            .updateTable('fleet_slices')
            .set(set)
            .where('id', 'in', part)
            .where('driver', '=', driver)
            .where('state', '=', 'running')
            .execute();
        });
    },
    async claimAgain(ids) {
      const found: SliceRow[] = [];
      for (const part of partsOf(ids)) {
        const never = part.map((id) => ({
          ...rowOf({ id, spec: '', tasks: [], resources: {} }, 0),
          state: 'cancelled' as const,
        }));
        await db
          .insertInto('fleet_slices')
          .values(never)
          .onConflict((conflict) => conflict.column('id').doNothing())
          .execute();
        await db.updateTable('fleet_slices').set({ driver }).where('id', 'in', part).execute();
        const rows = await db
          .selectFrom('fleet_slices')
          .select(['id', 'state', 'tasks', 'resources'])
          .where('id', 'in', part)
          .execute();
        for (const { id, state, tasks, resources } of rows) found.push({ id, state, ...readSlice(tasks, resources) });
      }
      return found;
    },
    async removeOld() {
      await database.transaction<FleetTables, void>(async (trx) => {
        const old = trx
          .selectFrom('fleet_slices')
          .select('id')
          .where('state', 'in', ['ended', 'cancelled', 'lost'])
          .where('changed', '<', sql<number>`${now} - ${sql.lit(KEPT_MICROS)}`);
        await trx.deleteFrom('fleet_ends').where('slice', 'in', old).execute();
        await trx.deleteFrom('fleet_slices').where('id', 'in', old).execute();
      });
    },
  };
}

/** Tasks and resources as a row holds them. */
export function readSlice(tasks: string, resources: string): Pick<SliceRow, 'tasks' | 'resources'> {
  const pairs = JSON.parse(tasks) as readonly (readonly [number, number])[]; // written above
  return {
    tasks: pairs.map(([index, attempt]) => ({ index, attempt })),
    resources: parseJson(resources) as unknown as Resources,
  };
}

function partsOf<T>(all: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / MOST) }, (_, at) => all.slice(at * MOST, (at + 1) * MOST));
}
