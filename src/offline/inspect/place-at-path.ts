// The source that would lie at a path that a user typed: told by its name, or, of a folder, by what lies in it.

import { opendir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { HeadraceError } from '../../core/index.ts';
import type { SourceKind, SourceSpec } from '../../definitions/index.ts';
import { withoutPassword } from '../../storage/index.ts';
import { isMetadataFile } from '../sources/iceberg/find-metadata.ts';
import { namesIn, placeOf } from '../sources/lake/table-place.ts';
import { bucketsOf } from '../sources/s3/buckets-of.ts';
import { told } from '../sources/s3/find-objects.ts';
import { isS3Path, parseS3Path } from '../sources/s3/s3-path.ts';
import type { PlaceDeps } from '../sources/source-deps.ts';

type Place = Pick<SourceSpec, 'kind' | 'location'>;

/** Which kind a file is of, by how it is called; the first that fits. */
const FILES: readonly (readonly [RegExp, SourceKind])[] = [
  [/\.(csv|tsv)(\.gz|\.zst)?$/i, 'csv'],
  [/\.(parquet|pq)$/i, 'parquet'],
];

/** Of a folder so many names are read at most. */
const MOST_NAMES = 1000;
/** In a message. */
const MOST_TOLD = 10;

/**
 * Relative paths start at `directory`. Throws HR_UNSUPPORTED where no one can tell which kind of source it is, and what S3 or the
 * disk says of a folder.
 */
export async function sourceAtPath(path: string, directory: string, deps: PlaceDeps): Promise<Place> {
  const kind = kindOf(path);
  if (kind !== undefined) return { kind, location: { path } };
  if (isMetadataFile(path)) return { kind: 'iceberg', location: { path } };
  const folder = placeOf(path, directory);
  if ((await namesIn(`${folder}/metadata`, path, deps)).some(isMetadataFile))
    return { kind: 'iceberg', location: { path } };
  if ((await namesIn(`${folder}/_delta_log`, path, deps)).length > 0) return { kind: 'delta', location: { path } };
  const files = (await namesBelow(folder, path, deps)).filter((name) => kindOf(name) !== undefined && !isHidden(name));
  const found = files.find((name) => name.split('/').slice(0, -1).every(isPartition));
  if (found !== undefined) return patternOf(path.replace(/\/+$/, ''), found);
  if (files.length > 0) throw inFolders(path, files);
  throw new HeadraceError(
    'HR_UNSUPPORTED',
    `"${shown(path)}" is of no kind that is known by its name. Give a path that ends with .parquet or .csv (a pattern such as s3://bucket/events/*.parquet, too), a folder of such files, the folder of an Iceberg or a Delta table, env:NAME for a database, or a source's name.`,
  );
}

/** A URL that was typed may hold a password. */
const shown = (path: string): string => (/^[a-z][a-z0-9+.-]*:\/\//i.test(path) ? withoutPassword(path) : path);

const kindOf = (path: string): SourceKind | undefined => FILES.find(([pattern]) => pattern.test(path))?.[1];

const isPartition = (folder: string): boolean => /^[^=]+=/.test(folder);

/** What writers keep for themselves: `_temporary`, `.crc`. */
const isHidden = (name: string): boolean => name.split('/').some((part) => /^[._]/.test(part));

/** All files that lie as this one does: `dt=2026-01-31/0.parquet` as `dt=*\/*.parquet`. */
function patternOf(folder: string, file: string): Place {
  const parts = file.split('/');
  const name = parts.at(-1) ?? '';
  const [pattern, kind] = FILES.find(([one]) => one.test(name)) as (typeof FILES)[number];
  const folders = parts.slice(0, -1).map((part) => `${part.slice(0, part.indexOf('='))}=*`);
  return { kind, location: { path: [folder, ...folders, `*${pattern.exec(name)?.[0]}`].join('/') } };
}

function inFolders(path: string, files: readonly string[]): HeadraceError {
  const folders = [...new Set(files.map((name) => name.split('/')[0] as string))].sort();
  const more = folders.length > MOST_TOLD ? ', …' : '';
  return new HeadraceError(
    'HR_UNSUPPORTED',
    `"${shown(path)}" holds files that lie in folders of it: ${folders.slice(0, MOST_TOLD).join(', ')}${more}. Name one of them.`,
  );
}

/** Paths of files in a folder and those under it, relative to it; none where there is no such folder. */
async function namesBelow(folder: string, owner: string, deps: PlaceDeps): Promise<readonly string[]> {
  const names: string[] = [];
  if (isS3Path(folder)) {
    const { bucket, key } = parseS3Path(folder, owner);
    await told(owner, async () => {
      for await (const object of bucketsOf(deps).list(bucket, `${key}/`)) {
        if (names.push(object.key.slice(key.length + 1)) >= MOST_NAMES) break;
      }
    });
    return names;
  }
  try {
    for await (const entry of await opendir(folder, { recursive: true })) {
      if (!entry.isFile()) continue;
      if (names.push(relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/')) >= MOST_NAMES) break;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  }
  return names;
}
