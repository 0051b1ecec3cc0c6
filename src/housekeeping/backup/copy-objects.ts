// Copies what a backup holds beside the registry: objects by their keys, and files of this machine. Each is hashed on its way.

import { randomUUID } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { eachFewAtOnce, HeadraceError, stringifyJson } from '../../core/index.ts';
import type { ObjectUse } from '../../storage/index.ts';
import type { BackedUpExtra, BackupManifest, MissingObject } from './backup-manifest.ts';
import type { BackupDeps, ExtraFile } from './create-backup.ts';
import { type HashedFile, hashFile, writeLines } from './hashed-file.ts';

export const OBJECTS = 'objects/';
const AT_ONCE = 8;

export interface CopiedObjects {
  readonly index: BackupManifest['objects'];
  readonly missing: readonly MissingObject[];
}

/** Throws HR_BACKUP_INCOMPLETE where one is gone that is needed. What an earlier try copied is not copied again. */
export async function copyObjects(
  { objects, to, progress }: Pick<BackupDeps, 'objects' | 'to' | 'progress'>,
  uses: ReadonlyMap<string, ObjectUse>,
  { folder, index }: { readonly folder: string; readonly index: string },
): Promise<CopiedObjects> {
  const there = new Map<string, number>();
  for await (const { key, size } of to.list(OBJECTS)) there.set(key, size);
  const copied: (readonly [key: string, file: HashedFile])[] = [];
  const missing: MissingObject[] = [];
  let done = 0;
  const copyOne = async ({ key, what, ifGone }: ObjectUse): Promise<void> => {
    const path = join(folder, randomUUID());
    try {
      const file = (await objects.getFile(key, path)) ? await hashFile(path) : undefined;
      if (file === undefined || (isBlob(key) && file.sha256 !== basename(key))) {
        if (ifGone === 'needed') throw incomplete(key, what);
        if (ifGone === 'lost') missing.push({ key, what });
        return;
      }
      if (there.get(OBJECTS + key) !== file.bytes) await to.putFile(OBJECTS + key, path);
      copied.push([key, file]);
    } finally {
      await rm(path, { force: true });
      progress.advance(++done);
    }
  };
  await eachFewAtOnce(AT_ONCE, uses.values(), copyOne);
  copied.sort(([a], [b]) => (a < b ? -1 : 1));
  const path = join(folder, 'objects.ndjson');
  const count = await writeLines(path, lines(copied));
  await to.putFile(index, path);
  const total = copied.reduce((sum, [, { bytes }]) => sum + bytes, 0);
  return { index: { key: index, ...(await hashFile(path)), count, total }, missing };
}

async function* lines(copied: readonly (readonly [string, HashedFile])[]): AsyncIterable<string> {
  for (const [key, { bytes, sha256 }] of copied) yield stringifyJson([key, bytes, sha256]);
}

const isBlob = (key: string): boolean => /^blobs\/[0-9a-f]{2}\/[0-9a-f]{64}$/.test(key);

function incomplete(key: string, what: string): HeadraceError {
  return new HeadraceError(
    'HR_BACKUP_INCOMPLETE',
    `object "${key}" (${what}) is not in the artifact store, so acknowledged events would be missing. Is artifacts.url the right one? \`headrace log forget\` gives up what is lost for good.`,
  );
}

/** Those that are not there any more, or are other files by now, are missing. */
export async function copyExtras(
  { to }: Pick<BackupDeps, 'to'>,
  extras: readonly ExtraFile[],
): Promise<{ readonly files: readonly BackedUpExtra[]; readonly missing: readonly MissingObject[] }> {
  const files: BackedUpExtra[] = [];
  const missing: MissingObject[] = [];
  for (const { kind, name, path, sha256 } of extras) {
    const key = `${kind}s/${name}`;
    const isThere = await stat(path).then(
      (found) => found.isFile(),
      () => false,
    );
    const file = isThere ? await hashFile(path) : undefined;
    if (file === undefined || (sha256 !== undefined && sha256 !== file.sha256)) {
      missing.push({ key, what: `${kind === 'training-set' ? 'training set' : kind} ${path}` });
      continue;
    }
    await to.putFile(key, path);
    files.push({ kind, name, key, ...file });
  }
  return { files, missing };
}
