// Which files each run of a version read. Snapshots of consecutive runs differ by few files, so a file is kept once, with
// the runs between which it was there: a thousand runs over a thousand files cost what the files do.

import type { Kysely } from 'kysely';
import type { Migration } from '../../storage/index.ts';
import type { VersionId } from '../online-store.ts';
import { fileKey, type SnapshotFile } from './run-row.ts';

interface Tables {
  /** A file of the snapshots from run `first_run` on, up to but not including `gone_run`; null: to the newest. */
  online_run_files: {
    version: string;
    path: string;
    size: number;
    etag: string;
    first_run: number;
    gone_run: number | null;
  };
  /** The first run of a version whose snapshot can still be put together. */
  online_run_snapshots: { version: string; kept_from: number };
  online_runs: { number: number; version: string; details: string };
}

/** So many rows in one statement. */
const CHUNK = 1000;

/** Within the transaction that opens the run: which is the version's newest. */
export async function recordSnapshot(
  opened: Kysely<unknown>,
  version: VersionId,
  run: number,
  files: readonly SnapshotFile[],
): Promise<void> {
  const trx = tablesOf(opened);
  const kept = await keptFrom(trx, version);
  if (kept === undefined) await trx.insertInto('online_run_snapshots').values({ version, kept_from: run }).execute();
  const present = await trx
    .selectFrom('online_run_files')
    .select(['path', 'size', 'etag'])
    .where('version', '=', version)
    .where('gone_run', 'is', null)
    .execute();
  const now = new Set(files.map(fileKey));
  const before = new Set(present.map(fileKey));
  const gone = present.filter((file) => !now.has(fileKey(file))).map(({ path }) => path);
  for (const paths of chunksOf(gone)) {
    await trx
      .updateTable('online_run_files')
      .set({ gone_run: run })
      .where('version', '=', version)
      .where('gone_run', 'is', null)
      .where('path', 'in', paths)
      .execute();
  }
  const added = files.filter((file) => !before.has(fileKey(file)));
  for (const some of chunksOf(added)) {
    const rows = some.map(({ path, size, etag }) => ({ version, path, size, etag, first_run: run, gone_run: null }));
    await trx.insertInto('online_run_files').values(rows).execute();
  }
}

/** By run, its files, sorted by path; a run whose list is no longer kept is left out. One query for them all. */
export async function readSnapshots(
  db: Kysely<unknown>,
  version: VersionId,
  runs: readonly number[],
): Promise<ReadonlyMap<number, readonly SnapshotFile[]>> {
  if (runs.length === 0) return new Map();
  const first = runs.reduce((least, run) => Math.min(least, run), Infinity);
  const found = await tablesOf(db)
    .selectFrom('online_run_snapshots as kept')
    .leftJoin('online_run_files as file', (join) =>
      join
        .onRef('file.version', '=', 'kept.version')
        .on(({ eb, or }) => or([eb('file.gone_run', 'is', null), eb('file.gone_run', '>', first)])),
    )
    .select(['kept.kept_from', 'file.path', 'file.size', 'file.etag', 'file.first_run', 'file.gone_run'])
    .where('kept.version', '=', version)
    .execute();
  const kept = found[0]?.kept_from ?? Infinity;
  // A version without a file has one row, of nulls.
  const files = found.flatMap(({ path, size, etag, first_run, gone_run }) =>
    path === null || size === null || etag === null || first_run === null
      ? []
      : [{ file: { path, size, etag }, from: first_run, upTo: gone_run ?? Infinity }],
  );
  files.sort((a, b) => (a.file.path < b.file.path ? -1 : 1));
  const of = (run: number) => files.filter(({ from, upTo }) => from <= run && run < upTo).map(({ file }) => file);
  return new Map(runs.filter((run) => run >= kept).map((run) => [run, of(run)]));
}

/** Keeps the lists of run `from` and later ones. Earlier ones stay as far as no file of theirs has gone. */
export async function keepSnapshotsFrom(opened: Kysely<unknown>, version: VersionId, from: number): Promise<void> {
  const trx = tablesOf(opened);
  const { last } = await trx
    .selectFrom('online_run_files')
    .select(({ fn }) => fn.max('gone_run').as('last'))
    .where('version', '=', version)
    .where('gone_run', '<=', from)
    .executeTakeFirstOrThrow();
  if (last === null) return;
  await trx.deleteFrom('online_run_files').where('version', '=', version).where('gone_run', '<=', last).execute();
  await trx
    .updateTable('online_run_snapshots')
    .set({ kept_from: last })
    .where('version', '=', version)
    .where('kept_from', '<', last)
    .execute();
}

/** Keeps none of a version. */
export async function dropSnapshots(opened: Kysely<unknown>, version: VersionId): Promise<void> {
  const trx = tablesOf(opened);
  await trx.deleteFrom('online_run_files').where('version', '=', version).execute();
  await trx.deleteFrom('online_run_snapshots').where('version', '=', version).execute();
}

/** Before, each run's row had its whole list in its details. Of these the last few are taken over. */
const TAKEN_OVER = 3;

export const snapshotsMigration: Migration = {
  name: '003-run-files',
  async up(opened) {
    await opened.schema
      .createTable('online_run_files')
      .addColumn('version', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('size', 'bigint', (column) => column.notNull())
      .addColumn('etag', 'text', (column) => column.notNull())
      .addColumn('first_run', 'bigint', (column) => column.notNull())
      .addColumn('gone_run', 'bigint')
      .addPrimaryKeyConstraint('online_run_files_key', ['version', 'path', 'first_run'])
      .execute();
    await opened.schema
      .createTable('online_run_snapshots')
      .addColumn('version', 'text', (column) => column.primaryKey())
      .addColumn('kept_from', 'bigint', (column) => column.notNull())
      .execute();
    const db = tablesOf(opened);
    const runs = await db.selectFrom('online_runs').select(['number', 'version']).orderBy('number').execute();
    const later = new Map<string, number>();
    for (const { version } of runs) later.set(version, (later.get(version) ?? 0) + 1);
    for (const { number, version } of runs) {
      const left = (later.get(version) ?? 0) - 1;
      later.set(version, left);
      const { details } = await db
        .selectFrom('online_runs')
        .select('details')
        .where('number', '=', number)
        .executeTakeFirstOrThrow();
      // Details as they were before: `coverage` is there once the run was open.
      const { snapshot, ...rest } = JSON.parse(details) as { snapshot?: readonly SnapshotFile[]; coverage?: unknown };
      if (left < TAKEN_OVER && snapshot !== undefined && rest.coverage !== undefined) {
        await recordSnapshot(opened, version, number, snapshot);
      }
      await db
        .updateTable('online_runs')
        .set({ details: JSON.stringify(rest) })
        .where('number', '=', number)
        .execute();
    }
  },
};

// The tables that this file made, beside the runs' own.
const tablesOf = (db: Kysely<unknown>): Kysely<Tables> => db as Kysely<Tables>;

function* chunksOf<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += CHUNK) yield items.slice(from, from + CHUNK);
}

async function keptFrom(trx: Kysely<Tables>, version: VersionId): Promise<number | undefined> {
  const kept = trx.selectFrom('online_run_snapshots').select('kept_from').where('version', '=', version);
  return (await kept.executeTakeFirst())?.kept_from;
}
