// The jobs' own table, in the registry's database: it is what all workers of a server, and all servers, have in common, and it
// decides between two that take a place at once, which files in a folder would only do by locks of their own. Of a job's owner
// it is known that it lives by a number that grows; clocks of two machines are never compared.

import type { Micros } from '../../core/index.ts';
import type { Database, Migration } from '../../storage/index.ts';
import { isFinished, type Job, type JobError, type JobProgress, type JobRequest, type JobState } from './job.ts';

/** `arriving`: its spine still comes, and nobody knows of it yet. */
export type RowState = JobState | 'arriving';

interface JobRow {
  readonly id: string;
  readonly state: RowState;
  /** Which process has its spine, and runs it. */
  readonly owner: string;
  /** Who asked for it. */
  readonly actor: string;
  readonly idempotency_key: string | null;
  /** Of its first request's body; null where no key came with it. */
  readonly body_hash: string | null;
  readonly request: string;
  /** Grows while its owner lives. */
  readonly beats: number;
  /** Grows while somebody asks about it. */
  readonly asks: number;
  readonly is_cancel_asked: number;
  readonly progress: string | null;
  readonly training_set: string | null;
  readonly error: string | null;
  readonly created_at: number;
  readonly finished_at: number | null;
  /** JSON; null for no such writer. */
  readonly unshipped: string | null;
}

interface Tables {
  training_set_jobs: JobRow;
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '001-training-set-jobs',
    async up(db) {
      await db.schema
        .createTable('training_set_jobs')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('owner', 'text', (column) => column.notNull())
        .addColumn('actor', 'text', (column) => column.notNull())
        .addColumn('idempotency_key', 'text')
        .addColumn('body_hash', 'text')
        .addColumn('request', 'text', (column) => column.notNull())
        .addColumn('beats', 'bigint', (column) => column.notNull())
        .addColumn('asks', 'bigint', (column) => column.notNull())
        .addColumn('is_cancel_asked', 'integer', (column) => column.notNull())
        .addColumn('progress', 'text')
        .addColumn('training_set', 'text')
        .addColumn('error', 'text')
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .addColumn('finished_at', 'bigint')
        .execute();
      await db.schema.createIndex('training_set_jobs_state').on('training_set_jobs').column('state').execute();
      await db.schema
        .createIndex('training_set_jobs_key')
        .on('training_set_jobs')
        .columns(['actor', 'idempotency_key'])
        .execute();
    },
  },
  {
    name: '002-unshipped',
    async up(db) {
      await db.schema.alterTable('training_set_jobs').addColumn('unshipped', 'text').execute();
    },
  },
];

/** Gives the database that has the table. */
export function migrateJobs(database: Database): Promise<Database> {
  return database.migrate('offline-jobs', MIGRATIONS);
}

export interface NewJob {
  readonly id: string;
  readonly owner: string;
  readonly actor: string;
  readonly idempotencyKey: string | null;
  readonly request: JobRequest;
  readonly createdAtMicros: Micros;
}

export type Admission =
  | { readonly kind: 'admitted' }
  /** A job has the same key. */
  | { readonly kind: 'repeat'; readonly job: Job; readonly isArriving: boolean; readonly first: FirstRequest }
  | { readonly kind: 'full'; readonly jobs: number };

export interface FirstRequest {
  readonly request: JobRequest;
  readonly bodyHash: string | null;
}

/** A job that is not finished, as whoever watches over it sees it. */
export interface LiveJob {
  readonly id: string;
  readonly state: RowState;
  readonly owner: string;
  readonly beats: number;
  readonly asks: number;
  readonly isCancelAsked: boolean;
  readonly request: JobRequest;
}

export interface Ending {
  readonly state: 'done' | 'failed' | 'cancelled';
  readonly trainingSet: string | null;
  readonly error: JobError | null;
  /** As in the set's record; left out for none. */
  readonly unshipped?: Job['unshipped'];
  readonly atMicros: Micros;
}

export interface JobTable {
  /** Takes a place for a job, unless `most` are unfinished, or its key is known. */
  admit(job: NewJob, most: number): Promise<Admission>;
  /** Its spine is there: from now on it waits. False where it is none any more. */
  arrived(id: string, bodyHash: string | null): Promise<boolean>;
  /** Its spine did not come. */
  forget(id: string): Promise<void>;
  /** The job that waited longest is `running` now, if it is the owner's and fewer than `most` run. */
  startNext(owner: string, most: number): Promise<LiveJob | undefined>;
  read(id: string): Promise<Job | undefined>;
  live(): Promise<readonly LiveJob[]>;
  beat(owner: string): Promise<void>;
  ask(id: string): Promise<void>;
  askToCancel(id: string): Promise<void>;
  progress(id: string, owner: string, progress: JobProgress): Promise<void>;
  /** False where it had ended, or its owner did not beat since it was seen: then it is that of somebody who lives. */
  finish(id: string, ending: Ending, seen: { readonly owner: string; readonly beats?: number }): Promise<boolean>;
  /** Removes those that ended before `before`, and of the others all but the newest `most`. */
  prune(before: Micros, most: number): Promise<void>;
}

const LIVE: readonly RowState[] = ['arriving', 'queued', 'running'];
const SERIALIZED = { serializedBy: 'training_set_jobs' };

export async function openJobTable(opened: Database): Promise<JobTable> {
  const database = await migrateJobs(opened);
  const db = database.tables<Tables>();
  return {
    admit: (job, most) =>
      database.transaction<Tables, Admission>(async (trx) => {
        const { idempotencyKey } = job;
        const known =
          idempotencyKey === null
            ? undefined
            : await trx
                .selectFrom('training_set_jobs')
                .selectAll()
                .where('actor', '=', job.actor)
                .where('idempotency_key', '=', idempotencyKey)
                .executeTakeFirst();
        if (known !== undefined) {
          const first = { request: requestOf(known), bodyHash: known.body_hash };
          return { kind: 'repeat', job: toJob(known), isArriving: known.state === 'arriving', first };
        }
        const { jobs } = await trx
          .selectFrom('training_set_jobs')
          .select((eb) => eb.fn.countAll<number>().as('jobs'))
          .where('state', 'in', LIVE)
          .executeTakeFirstOrThrow();
        if (jobs >= most) return { kind: 'full', jobs };
        await trx.insertInto('training_set_jobs').values(toRow(job)).execute();
        return { kind: 'admitted' };
      }, SERIALIZED),
    async arrived(id, bodyHash) {
      const { numUpdatedRows } = await db
        .updateTable('training_set_jobs')
        .set({ state: 'queued', body_hash: bodyHash })
        .where('id', '=', id)
        .where('state', '=', 'arriving')
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async forget(id) {
      await db.deleteFrom('training_set_jobs').where('id', '=', id).where('state', '=', 'arriving').execute();
    },
    startNext: (owner, most) =>
      database.transaction<Tables, LiveJob | undefined>(async (trx) => {
        const rows = await trx
          .selectFrom('training_set_jobs')
          .selectAll()
          .where('state', 'in', ['queued', 'running'])
          .orderBy('created_at')
          .orderBy('id')
          .execute();
        if (rows.filter(({ state }) => state === 'running').length >= most) return undefined;
        const next = rows.find(({ state, is_cancel_asked }) => state === 'queued' && is_cancel_asked === 0);
        if (next?.owner !== owner) return undefined;
        await trx.updateTable('training_set_jobs').set({ state: 'running' }).where('id', '=', next.id).execute();
        return toLive({ ...next, state: 'running' });
      }, SERIALIZED),
    async read(id) {
      const row = await db.selectFrom('training_set_jobs').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined || row.state === 'arriving' ? undefined : toJob(row);
    },
    async live() {
      const rows = await db.selectFrom('training_set_jobs').selectAll().where('state', 'in', LIVE).execute();
      return rows.map(toLive);
    },
    async beat(owner) {
      await db
        .updateTable('training_set_jobs')
        .set((eb) => ({ beats: eb('beats', '+', 1) }))
        .where('owner', '=', owner)
        .where('state', 'in', LIVE)
        .execute();
    },
    async ask(id) {
      await db
        .updateTable('training_set_jobs')
        .set((eb) => ({ asks: eb('asks', '+', 1) }))
        .where('id', '=', id)
        .where('state', 'in', LIVE)
        .execute();
    },
    async askToCancel(id) {
      await db.updateTable('training_set_jobs').set({ is_cancel_asked: 1 }).where('id', '=', id).execute();
    },
    async progress(id, owner, progress) {
      await db
        .updateTable('training_set_jobs')
        .set({ progress: JSON.stringify(progress) })
        .where('id', '=', id)
        .where('owner', '=', owner)
        .where('state', '=', 'running')
        .execute();
    },
    async finish(id, { state, trainingSet, error, unshipped = [], atMicros }, { owner, beats }) {
      let update = db
        .updateTable('training_set_jobs')
        .set({
          state,
          training_set: trainingSet,
          error: error === null ? null : JSON.stringify(error),
          unshipped: unshipped.length === 0 ? null : JSON.stringify(unshipped),
          finished_at: atMicros,
        })
        .where('id', '=', id)
        .where('owner', '=', owner)
        .where('state', 'in', LIVE);
      if (beats !== undefined) update = update.where('beats', '=', beats);
      return (await update.executeTakeFirst()).numUpdatedRows > 0n;
    },
    async prune(before, most) {
      const finished = await db
        .selectFrom('training_set_jobs')
        .select(['id', 'finished_at'])
        .where('finished_at', 'is not', null)
        .orderBy('finished_at', 'desc')
        .orderBy('id')
        .execute();
      const old = finished.filter(({ finished_at }, at) => at >= most || (finished_at ?? 0) < before);
      for (const { id } of old) await db.deleteFrom('training_set_jobs').where('id', '=', id).execute();
    },
  };
}

function toRow({ id, owner, actor, idempotencyKey, request, createdAtMicros }: NewJob): JobRow {
  return {
    id,
    state: 'arriving',
    owner,
    actor,
    idempotency_key: idempotencyKey,
    body_hash: null,
    request: JSON.stringify(request),
    beats: 0,
    asks: 0,
    is_cancel_asked: 0,
    progress: null,
    training_set: null,
    error: null,
    created_at: createdAtMicros,
    finished_at: null,
    unshipped: null,
  };
}

function toJob(row: JobRow): Job {
  return {
    id: row.id,
    // One that arrives waits: whoever sent it first is told so.
    state: row.state === 'arriving' ? 'queued' : row.state,
    // Written by this table: plain JSON.
    progress: row.progress === null ? null : (JSON.parse(row.progress) as JobProgress),
    trainingSet: row.training_set,
    error: row.error === null ? null : (JSON.parse(row.error) as JobError),
    unshipped: row.unshipped === null ? [] : (JSON.parse(row.unshipped) as Job['unshipped']),
    createdAtMicros: row.created_at,
    finishedAtMicros: isFinished(row.state) ? row.finished_at : null,
  };
}

function toLive(row: JobRow): LiveJob {
  const { id, state, owner, beats, asks } = row;
  return { id, state, owner, beats, asks, isCancelAsked: row.is_cancel_asked === 1, request: requestOf(row) };
}

/** Written by `toRow`. */
const requestOf = ({ request }: JobRow): JobRequest => JSON.parse(request) as JobRequest;
