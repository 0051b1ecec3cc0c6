// The runs' own tables in the registry's database: rows, writers' answers to runs that ask. Every change of state is one
// conditional update, so of two processes that try the same only one succeeds.

import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Micros } from '../../core/index.ts';
import { type Database, type Migration, registryId } from '../../storage/index.ts';
import type { VersionId } from '../online-store.ts';
import type { SeenNumber } from '../store-notes.ts';
import { coverageFromJson, coverageToJson, type Coverage } from './coverage.ts';
import type { RunCounts, RunIdentity, RunRow, RunState, SnapshotFile } from './run-row.ts';
import { dropSnapshots, keepSnapshotsFrom, readSnapshots, recordSnapshot, snapshotsMigration } from './snapshots.ts';

export interface NewRun {
  readonly view: string;
  readonly version: VersionId;
  readonly proposed: Micros;
  readonly asOf: Micros;
  readonly carriesWaiting: boolean;
  readonly fingerprint: string;
  readonly askedMicros: Micros;
}

export interface Opening {
  readonly snapshot: readonly SnapshotFile[];
  readonly boundary: Micros;
  readonly coverage: Coverage;
  readonly isFull: boolean;
  readonly since: number;
}

export interface Look {
  readonly at: Micros;
  /** The version's last run that had come to its end by then, or its own: times of other machines order nothing. */
  readonly lastRun: number;
}

export interface Runs {
  /** The registry that they are of. */
  registry(): Promise<string>;
  /**
   * One transaction: abandons the version's last run where it is unfinished, and adds a row that asks. Its number
   * is greater than each number in the registry, and greater than `seen.number`, which the online store keeps.
   */
  ask(run: NewRun, seen?: SeenNumber): Promise<RunRow>;
  /** Durable before the first base. Undefined when the run is no longer the version's last, or the registry has lost its row. */
  open(run: RunIdentity, opening: Opening): Promise<RunRow | undefined>;
  isOpen(run: RunIdentity): Promise<boolean>;
  /** False when the run was abandoned meanwhile, or the registry has lost its row. */
  finish(run: RunIdentity, counts: RunCounts, at: Micros): Promise<boolean>;
  /** Abandons the run itself, with why. */
  abandon(run: RunIdentity, error: string): Promise<void>;
  /** The runs that ask, of all versions, and that the writer has not answered: one look, however many ask. */
  unanswered(writer: number): Promise<readonly RunIdentity[]>;
  /** A writer says that the cut that was open when each of these asked has been shipped. Those whose row is lost get no answer. */
  answer(asked: readonly RunIdentity[], writer: number): Promise<void>;
  answers(run: number): Promise<ReadonlySet<number>>;
  /** The rows of a view that ask, of all its versions, oldest first. */
  asking(view: string): Promise<readonly RunRow[]>;
  /** The rows of a version from run `since` on, oldest first; left out: all. */
  ofVersion(version: VersionId, since?: number): Promise<readonly RunRow[]>;
  /** By run, the files of each that was opened, sorted by path; those whose list is no longer kept are left out. */
  snapshots(version: VersionId, runs: readonly number[]): Promise<ReadonlyMap<number, readonly SnapshotFile[]>>;
  /** No list of a run before it is needed any more. */
  keepSnapshotsFrom(version: VersionId, run: number): Promise<void>;
  /** No list of the version is needed any more. */
  dropSnapshots(version: VersionId): Promise<void>;
  /** The version's last finished row and every later one, oldest first: those whose boundaries are in force. */
  inForce(version: VersionId): Promise<readonly RunRow[]>;
  /** The last finished row of each version. */
  lastFinished(): Promise<readonly RunRow[]>;
  /** Their numbers alone, which costs little. */
  lastFinishedNumbers(): Promise<readonly number[]>;
  /** Versions that a run has filled: their marks are expected in the store. */
  filledVersions(): Promise<ReadonlySet<VersionId>>;
  row(number: number): Promise<RunRow | undefined>;
  /** Notes that a run of the version found nothing to do, for whoever asks how long ago one looked. */
  noteLook(version: VersionId, look: Look): Promise<void>;
  /** The last of them. */
  lastLook(version: VersionId): Promise<Look | undefined>;
  /** Rows that no base can name any more. Their numbers are never given again. */
  forget(gone: readonly RunIdentity[]): Promise<void>;
}

interface Tables {
  online_runs: {
    number: number;
    view: string;
    version: string;
    state: RunState;
    /** JSON: all that is only read back with the row. */
    details: string;
  };
  online_run_answers: { run: number; writer: number };
  /** One row: the last number given. */
  online_run_sequence: { last: number };
  online_run_looks: { version: string; at_micros: number; last_run: number };
}

/** Of a row's JSON; infinite times are null, which only a boundary can be. */
interface Details {
  readonly token?: string;
  readonly proposed: Micros | null;
  readonly boundary?: Micros | null;
  readonly coverage?: unknown;
  readonly asOf: Micros;
  readonly carriesWaiting: boolean;
  readonly fingerprint: string;
  readonly isFull?: boolean;
  readonly since?: number;
  readonly askedMicros: Micros;
  readonly finishedMicros?: Micros;
  readonly counts?: RunCounts;
  readonly error?: string;
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: '001-runs',
    async up(db) {
      await db.schema
        .createTable('online_runs')
        .addColumn('number', 'bigint', (column) => column.primaryKey())
        .addColumn('view', 'text', (column) => column.notNull())
        .addColumn('version', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('details', 'text', (column) => column.notNull())
        .execute();
      await db.schema.createIndex('online_runs_version').on('online_runs').columns(['version', 'number']).execute();
      await db.schema.createIndex('online_runs_state').on('online_runs').column('state').execute();
      await db.schema
        .createTable('online_run_sequence')
        .addColumn('last', 'bigint', (column) => column.notNull())
        .execute();
      await db.schema
        .createTable('online_run_answers')
        .addColumn('run', 'bigint', (column) => column.notNull())
        .addColumn('writer', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('online_run_answers_key', ['run', 'writer'])
        .execute();
    },
  },
  {
    name: '002-looks',
    async up(db) {
      await db.schema
        .createTable('online_run_looks')
        .addColumn('version', 'text', (column) => column.primaryKey())
        .addColumn('at_micros', 'bigint', (column) => column.notNull())
        .addColumn('last_run', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
  snapshotsMigration,
];

const SERIALIZED = { serializedBy: 'online_runs' } as const;

export async function openRuns(opened: Database): Promise<Runs> {
  const database = await opened.migrate('online', MIGRATIONS);
  const rows = () => database.tables<Tables>().selectFrom('online_runs').selectAll();

  const lastFinishedNumbers = async (): Promise<number[]> => {
    const found = await database
      .tables<Tables>()
      .selectFrom('online_runs')
      .select(({ fn }) => fn.max('number').as('number'))
      .where('state', '=', 'finished')
      .groupBy('version')
      .execute();
    return found.map(({ number }) => number);
  };

  /** Changes a run's own row where it is in state `from`; gives the new row. */
  const change = (
    { number, token }: RunIdentity,
    from: readonly RunState[],
    state: RunState,
    more: Partial<Details>,
    also?: (trx: Kysely<Tables>, row: RunRow) => Promise<void>,
  ): Promise<RunRow | undefined> =>
    database.transaction<Tables, RunRow | undefined>(async (trx) => {
      const found = await trx.selectFrom('online_runs').selectAll().where('number', '=', number).executeTakeFirst();
      if (found === undefined || !from.includes(found.state) || tokenOf(found) !== token) return undefined;
      const next = { ...found, state, details: JSON.stringify({ ...readDetails(found.details), ...more }) };
      await trx.updateTable('online_runs').set(next).where('number', '=', number).execute();
      const row = toRow(next);
      await also?.(trx, row);
      return row;
    }, SERIALIZED);

  return {
    registry: () => registryId(database),
    ask: (run, seen) => database.transaction<Tables, RunRow>((trx) => addRow(trx, run, seen), SERIALIZED),
    open: (run, { snapshot, boundary, coverage, isFull, since }) =>
      change(
        run,
        ['asked'],
        'open',
        { boundary: finite(boundary), coverage: coverageToJson(coverage), isFull, since },
        // Its tables are in the same database.
        (trx, { version }) => recordSnapshot(trx as unknown as Kysely<unknown>, version, run.number, snapshot),
      ),
    async isOpen({ number, token }) {
      const found = await rows().where('number', '=', number).executeTakeFirst();
      return found?.state === 'open' && tokenOf(found) === token;
    },
    finish: async (run, counts, finishedMicros) =>
      (await change(run, ['open'], 'finished', { counts, finishedMicros })) !== undefined,
    async abandon(run, error) {
      await change(run, ['asked', 'open', 'abandoned'], 'abandoned', { error });
    },
    async unanswered(writer) {
      const found = await rows()
        .where('state', '=', 'asked')
        .where('number', 'not in', (query) =>
          query.selectFrom('online_run_answers').select('run').where('writer', '=', writer),
        )
        .orderBy('number')
        .execute();
      return found.map((row) => ({ number: row.number, token: tokenOf(row) }));
    },
    async answer(asked, writer) {
      if (asked.length === 0) return;
      await database.transaction<Tables, void>(async (trx) => {
        const numbers = await ownNumbers(trx, asked);
        if (numbers.length === 0) return;
        await trx
          .insertInto('online_run_answers')
          .values(numbers.map((run) => ({ run, writer })))
          .onConflict((conflict) => conflict.columns(['run', 'writer']).doNothing())
          .execute();
      }, SERIALIZED);
    },
    async answers(run) {
      const found = await database
        .tables<Tables>()
        .selectFrom('online_run_answers')
        .select('writer')
        .where('run', '=', run)
        .execute();
      return new Set(found.map(({ writer }) => writer));
    },
    asking: async (view) =>
      (await rows().where('state', '=', 'asked').where('view', '=', view).orderBy('number').execute()).map(toRow),
    async ofVersion(version, since = 0) {
      const own = rows().where('version', '=', version).where('number', '>=', since);
      return (await own.orderBy('number').execute()).map(toRow);
    },
    snapshots: (version, numbers) => readSnapshots(database.tables(), version, numbers),
    keepSnapshotsFrom: (version, run) =>
      database.transaction((trx) => keepSnapshotsFrom(trx, version, run), SERIALIZED),
    dropSnapshots: (version) => database.transaction((trx) => dropSnapshots(trx, version), SERIALIZED),
    async inForce(version) {
      const found = await rows()
        .where('version', '=', version)
        .where('number', '>=', (query) =>
          query
            .selectFrom('online_runs')
            .select(({ fn, val }) => fn.coalesce(fn.max('number'), val(0)).as('number'))
            .where('version', '=', version)
            .where('state', '=', 'finished'),
        )
        .orderBy('number')
        .execute();
      return found.map(toRow);
    },
    async lastFinished() {
      const numbers = await lastFinishedNumbers();
      return numbers.length === 0 ? [] : (await rows().where('number', 'in', numbers).execute()).map(toRow);
    },
    async filledVersions() {
      const finished = database.tables<Tables>().selectFrom('online_runs').where('state', '=', 'finished');
      const found = await finished.select('version').distinct().execute();
      return new Set(found.map(({ version }) => version));
    },
    lastFinishedNumbers,
    async row(number) {
      const found = await rows().where('number', '=', number).executeTakeFirst();
      return found === undefined ? undefined : toRow(found);
    },
    async noteLook(version, { at, lastRun }) {
      const look = { at_micros: at, last_run: lastRun };
      await database
        .tables<Tables>()
        .insertInto('online_run_looks')
        .values({ version, ...look })
        .onConflict((conflict) => conflict.column('version').doUpdateSet(look))
        .execute();
    },
    async lastLook(version) {
      const looks = database.tables<Tables>().selectFrom('online_run_looks').selectAll();
      const found = await looks.where('version', '=', version).executeTakeFirst();
      return found && { at: found.at_micros, lastRun: found.last_run };
    },
    async forget(gone) {
      if (gone.length === 0) return;
      await database.transaction<Tables, void>(async (trx) => {
        const numbers = await ownNumbers(trx, gone);
        if (numbers.length === 0) return;
        await trx.deleteFrom('online_run_answers').where('run', 'in', numbers).execute();
        await trx.deleteFrom('online_runs').where('number', 'in', numbers).execute();
      }, SERIALIZED);
    },
  };
}

async function addRow(
  trx: Kysely<Tables>,
  { view, version, ...details }: NewRun,
  seen: SeenNumber | undefined,
): Promise<RunRow> {
  await trx
    .updateTable('online_runs')
    .set({ state: 'abandoned' })
    .where('version', '=', version)
    .where('state', 'in', ['asked', 'open'])
    .execute();
  const row = {
    number: await nextNumber(trx, seen),
    view,
    version,
    state: 'asked' as const,
    details: JSON.stringify({ token: randomUUID(), ...details, proposed: finite(details.proposed) } satisfies Details),
  };
  await trx.insertInto('online_runs').values(row).execute();
  return toRow(row);
}

/** Of the runs whose rows are still their own. */
async function ownNumbers(trx: Kysely<Tables>, runs: readonly RunIdentity[]): Promise<number[]> {
  const asked = runs.map(({ number }) => number);
  const found = await trx.selectFrom('online_runs').selectAll().where('number', 'in', asked).execute();
  const isOwn = (row: Tables['online_runs']): boolean =>
    runs.some(({ number, token }) => number === row.number && token === tokenOf(row));
  return found.filter(isOwn).map(({ number }) => number);
}

// A number that was given once must not come again, or a late answer to one run would count for another.
async function nextNumber(trx: Kysely<Tables>, seen: SeenNumber | undefined): Promise<number> {
  const found = await trx.selectFrom('online_run_sequence').select('last').executeTakeFirst();
  const last = found?.last ?? 0;
  if (seen !== undefined && seen.number > last) seen.onForgotten(last);
  const next = Math.max(last, seen?.number ?? 0) + 1;
  if (found === undefined) await trx.insertInto('online_run_sequence').values({ last: next }).execute();
  else await trx.updateTable('online_run_sequence').set({ last: next }).execute();
  return next;
}

const finite = (micros: Micros): Micros | null => (Number.isFinite(micros) ? micros : null);

function readDetails(text: string): Details {
  // This file wrote it.
  return JSON.parse(text) as Details;
}

const tokenOf = ({ details }: Tables['online_runs']): string => readDetails(details).token ?? '';

function toRow({ number, view, version, state, details }: Tables['online_runs']): RunRow {
  const read = readDetails(details);
  return {
    number,
    token: read.token ?? '',
    view,
    version,
    state,
    proposed: read.proposed ?? -Infinity,
    boundary: read.coverage === undefined ? null : (read.boundary ?? -Infinity),
    coverage: read.coverage === undefined ? null : coverageFromJson(read.coverage),
    asOf: read.asOf,
    carriesWaiting: read.carriesWaiting,
    fingerprint: read.fingerprint,
    isFull: read.isFull ?? false,
    since: read.since ?? 0,
    askedMicros: read.askedMicros,
    finishedMicros: read.finishedMicros ?? null,
    counts: read.counts ?? null,
    error: read.error ?? null,
  };
}
