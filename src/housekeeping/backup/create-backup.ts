// Makes a backup beside servers that serve and take pushes: the registry as it is at one moment, then every object that its
// rows need, then the manifest. What runs or retention do meanwhile changes nothing of that moment.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { type Clock, counted, formatTimestamp, HeadraceError, type Progress } from '../../core/index.ts';
import {
  type Database,
  dumpDatabase,
  type DumpedDatabase,
  type MigrateAll,
  type ObjectStore,
  type ObjectUse,
  type RowsOwner,
  type TableReader,
} from '../../storage/index.ts';
import {
  type BackedUpTable,
  type BackupManifest,
  BEGUN,
  type ExtraKind,
  FORMAT,
  MANIFEST,
  manifestText,
} from './backup-manifest.ts';
import { copyExtras, copyObjects } from './copy-objects.ts';
import { hashFile, inTemporaryFolder, writeLines } from './hashed-file.ts';

/** A file that lies beside the object store. */
export interface ExtraFile {
  readonly kind: ExtraKind;
  readonly name: string;
  readonly path: string;
  /** What its content must be, where that is known. */
  readonly sha256?: string;
}

export interface BackupDeps {
  readonly database: Database;
  readonly migrateAll: MigrateAll;
  readonly objects: ObjectStore;
  readonly owners: readonly RowsOwner[];
  /** Files to take along, as the registry's rows of the moment have them. */
  readonly extras: readonly ((db: Kysely<unknown>) => AsyncIterable<ExtraFile>)[];
  readonly to: ObjectStore;
  /** That place, as it may be shown. */
  readonly place: string;
  readonly project: string;
  /** Of Headrace. */
  readonly version: string;
  readonly clock: Clock;
  readonly progress: Progress;
}

/** So often an object went, by retention, between the registry's moment and its turn: then another moment is taken. */
const MOST_TRIES = 3;

/** Throws HR_CONFLICT where something lies at the place, HR_BACKUP_INCOMPLETE, HR_BACKUP_NEWER, HR_NOTHING_APPLIED. */
export async function createBackup(deps: BackupDeps): Promise<BackupManifest> {
  await begin(deps);
  for (let tries = 1; ; tries++) {
    try {
      return await inTemporaryFolder((folder) => backUp(deps, folder));
    } catch (error) {
      const isGone = error instanceof HeadraceError && error.code === 'HR_BACKUP_INCOMPLETE';
      if (!isGone || tries === MOST_TRIES) throw error;
    }
  }
}

async function begin({ to, place, clock, project }: BackupDeps): Promise<void> {
  let isBegun = false;
  let others = 0;
  for await (const { key } of to.list('')) {
    if (key === MANIFEST) {
      throw new HeadraceError(
        'HR_CONFLICT',
        `${place} holds a backup already, and none is written over; name another place.`,
      );
    }
    if (key === BEGUN) isBegun = true;
    else others++;
  }
  if (others > 0 && !isBegun) {
    const sentence = `${place} is not empty: it holds ${counted(others, 'file')} that ${others === 1 ? 'is' : 'are'} of no backup. Name a new place.`;
    throw new HeadraceError('HR_CONFLICT', sentence);
  }
  if (isBegun) return;
  await to.put(BEGUN, Buffer.from(`${JSON.stringify({ project, at: formatTimestamp(clock.nowMicros()) })}\n`));
}

async function backUp(deps: BackupDeps, folder: string): Promise<BackupManifest> {
  const { database, migrateAll, owners, to, place, clock, progress, project, version } = deps;
  // Two at once to one place don't mix: each has tables of its own, and one manifest is the first.
  const id = randomBytes(6).toString('hex');
  progress.start('read the registry');
  const moment = await dumpDatabase(database, migrateAll, async (dumped, read, trx) => {
    const at = formatTimestamp(clock.nowMicros());
    const tables = await writeTables(deps, dumped, read, { folder, id });
    const uses = await usesOf(owners, dumped, trx);
    const extras: ExtraFile[] = [];
    for (const list of deps.extras) for await (const extra of list(trx)) extras.push(extra);
    return { at, tables, uses, extras, migrations: dumped.migrations };
  });
  progress.done(
    counted(
      moment.tables.reduce((sum, { rows }) => sum + rows, 0),
      'row',
    ),
  );
  progress.start('copy objects', moment.uses.size, 'objects');
  const objects = await copyObjects(deps, moment.uses, { folder, index: `${id}/objects.ndjson` });
  progress.done(counted(objects.index.count, 'object'));
  const extras = await copyExtras(deps, moment.extras);
  const manifest: BackupManifest = {
    format: FORMAT,
    headrace: version,
    project,
    at: moment.at,
    database: database.kind,
    migrations: moment.migrations,
    tables: moment.tables,
    objects: objects.index,
    extras: extras.files,
    missing: [...objects.missing, ...extras.missing],
  };
  const isFirst = await to.put(MANIFEST, Buffer.from(manifestText(manifest)), { ifAbsent: true });
  if (isFirst) return manifest;
  throw new HeadraceError('HR_CONFLICT', `another backup to ${place} was finished meanwhile; this one was not kept.`);
}

async function writeTables(
  { to }: BackupDeps,
  { tables }: DumpedDatabase,
  read: TableReader,
  { folder, id }: { readonly folder: string; readonly id: string },
): Promise<BackedUpTable[]> {
  const written: BackedUpTable[] = [];
  for (const table of tables) {
    const path = join(folder, 'table.ndjson');
    const rows = await writeLines(path, read(table));
    const key = `${id}/registry/${table.name}.ndjson`;
    const file = await hashFile(path);
    await to.putFile(key, path);
    written.push({ key, ...file, ...table, rows });
  }
  return written;
}

/** By key, each as it is needed most. */
async function usesOf(
  owners: readonly RowsOwner[],
  { tables }: DumpedDatabase,
  trx: Kysely<unknown>,
): Promise<ReadonlyMap<string, ObjectUse>> {
  const found = new Map<string, ObjectUse>();
  const weight = { unsaid: 0, lost: 1, needed: 2 } as const;
  for (const { table, objects } of owners) {
    if (objects === undefined || !tables.some(({ name }) => name === table)) continue;
    for await (const use of objects(trx)) {
      const known = found.get(use.key);
      if (known === undefined || weight[known.ifGone] < weight[use.ifGone]) found.set(use.key, use);
    }
  }
  return found;
}
