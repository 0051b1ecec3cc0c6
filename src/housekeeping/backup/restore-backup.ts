// Restores a backup at another place. Objects come first, each checked: they are found by nobody until the registry names
// them. The registry comes last, in one transaction: a restore that ends early has changed nothing and is begun again.

import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Kysely } from 'kysely';
import { counted, eachFewAtOnce, HeadraceError, parseJson, type Progress, syncPath } from '../../core/index.ts';
import {
  type Database,
  findRows,
  loadDatabase,
  type MigrateAll,
  type ObjectStore,
  type RowsOwner,
} from '../../storage/index.ts';
import {
  type BackedUpExtra,
  type BackedUpFile,
  type BackupManifest,
  damaged,
  readManifest,
} from './backup-manifest.ts';
import { OBJECTS } from './copy-objects.ts';
import { fetchChecked, hashFile, inTemporaryFolder, readLines } from './hashed-file.ts';

export interface RestoreDeps {
  readonly database: Database;
  readonly migrateAll: MigrateAll;
  readonly objects: ObjectStore;
  readonly owners: readonly RowsOwner[];
  readonly from: ObjectStore;
  /** That place, as it may be shown. */
  readonly place: string;
  readonly project: string;
  /** Where a file of the backup goes. */
  pathOf(extra: BackedUpExtra): string;
  /** Told where files lie now. */
  relocate(trx: Kysely<unknown>, paths: ReadonlyMap<string, string>): Promise<void>;
  readonly progress: Progress;
}

export interface Restored {
  readonly manifest: BackupManifest;
  readonly rows: number;
}

const AT_ONCE = 8;

/** Throws HR_BACKUP_DAMAGED, HR_BACKUP_NEWER, HR_RESTORE_REFUSED, HR_OTHER_PROJECT. */
export async function restoreBackup(deps: RestoreDeps, { force }: { readonly force: boolean }): Promise<Restored> {
  const { from, place, database, migrateAll, progress } = deps;
  const manifest = await readManifest(from, place);
  if (manifest.project !== deps.project) {
    throw new HeadraceError(
      'HR_OTHER_PROJECT',
      `the backup in ${place} is of project "${manifest.project}", and \`project\` is "${deps.project}" here. Set it to that (HEADRACE_PROJECT).`,
    );
  }
  const confirm = (rows: ReadonlyMap<string, number>): void => {
    if (rows.size > 0 && !force) throw notEmpty(rows);
  };
  confirm(await findRows(database.tables(), migrateAll));
  return inTemporaryFolder(async (folder) => {
    progress.start('check the registry’s tables', manifest.tables.length, 'tables');
    const paths = new Map<string, string>();
    for (const table of manifest.tables) {
      const path = join(folder, `${paths.size}.ndjson`);
      await fetchChecked(from, table, path);
      paths.set(table.name, path);
      progress.advance(paths.size);
    }
    progress.done();
    await restoreObjects(deps, manifest, { folder, force });
    const placed = await restoreExtras(deps, manifest.extras, { folder, force });
    progress.start('write the registry');
    const counts = await loadDatabase(database, {
      dumped: manifest,
      lines: ({ name }) => readLines(paths.get(name) ?? ''),
      migrateAll,
      confirm,
      settle: async (trx, loaded) => {
        for (const { name, rows } of manifest.tables) {
          if (loaded.get(name) !== rows)
            throw damaged(`table ${name} has other rows than the manifest of ${place} says`);
        }
        for (const { table, settle } of deps.owners) if (paths.has(table)) await settle?.(trx);
        await deps.relocate(trx, placed);
      },
    });
    const rows = [...counts.values()].reduce((sum, count) => sum + count, 0);
    progress.done(counted(rows, 'row'));
    return { manifest, rows };
  });
}

interface Restoring {
  readonly folder: string;
  readonly force: boolean;
}

/** Those that are there are left alone where they are the same; blobs are by their names. */
async function restoreObjects(
  { from, objects, progress }: RestoreDeps,
  manifest: BackupManifest,
  { folder, force }: Restoring,
): Promise<void> {
  const index = join(folder, 'objects.ndjson');
  await fetchChecked(from, manifest.objects, index);
  progress.start('copy objects', manifest.objects.count, 'objects');
  const restoreOne = async (key: string, file: BackedUpFile): Promise<void> => {
    const path = join(folder, randomUUID());
    try {
      if (await objects.getFile(key, path)) {
        const found = await hashFile(path);
        if (found.sha256 === file.sha256) return;
        if (!force) {
          throw new HeadraceError(
            'HR_RESTORE_REFUSED',
            `the artifact store has another object under "${key}" than the backup. Take an empty store (artifacts.url), or \`--force\` writes over it.`,
          );
        }
      }
      await fetchChecked(from, file, path);
      await objects.putFile(key, path);
    } finally {
      await rm(path, { force: true });
    }
  };
  let done = 0;
  await eachFewAtOnce(AT_ONCE, readLines(index), async (line) => {
    const [key, bytes, sha256] = parseJson(line) as [string, number, string];
    await restoreOne(key, { key: OBJECTS + key, bytes, sha256 });
    progress.advance(++done);
  });
  progress.done();
}

/** Gives where each lies now, by its name in the backup. */
async function restoreExtras(
  { from, pathOf }: RestoreDeps,
  extras: readonly BackedUpExtra[],
  { folder, force }: Restoring,
): Promise<ReadonlyMap<string, string>> {
  const placed = new Map<string, string>();
  for (const extra of extras) {
    const path = pathOf(extra);
    placed.set(extra.key, path);
    const there = await hashFile(path).catch(() => undefined);
    if (there?.sha256 === extra.sha256) continue;
    if (there !== undefined && !force) {
      const sentence = `${path} is another file than the backup’s ${extra.key}. Move it away, or \`--force\` writes over it.`;
      throw new HeadraceError('HR_RESTORE_REFUSED', sentence);
    }
    const fetched = join(folder, 'extra');
    await fetchChecked(from, extra, fetched);
    await placeFile(fetched, path);
  }
  return placed;
}

/** Copies a file to its place, where it is whole and durable, or not there. */
export async function placeFile(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const beside = `${to}.unfinished-${randomUUID()}`;
  try {
    await copyFile(from, beside);
    await syncPath(beside);
    await rename(beside, to);
    await syncPath(dirname(to));
  } finally {
    await rm(beside, { force: true });
  }
}

function notEmpty(rows: ReadonlyMap<string, number>): HeadraceError {
  const what = [...rows].map(([table, count]) => `${table} has ${counted(count, 'row')}`).join(', ');
  return new HeadraceError(
    'HR_RESTORE_REFUSED',
    `the registry is not empty: ${what}. Restore into a new one (registry.url), or \`--force\` writes over it.`,
  );
}
