// Copies of objects on this machine's disk, for a DuckDB without httpfs: named by what they are a copy of, so that one is
// never out of date; the longest unused go when there are too many.

import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HeadraceError, sha256Hex, silentProgress } from '../../../core/index.ts';
import { markUsed, startUse } from '../last-use.ts';
import { DEFAULT_CACHE_BYTES, type PlaceDeps } from '../source-deps.ts';
import { bucketsOf } from './buckets-of.ts';
import { sourceChanged } from '../source-errors.ts';
import { addressOf, type FoundObject } from './find-objects.ts';

const AT_ONCE = 8;
/** A name that is unfinished so long belongs to a process that is no more. */
const UNFINISHED_LIMIT_MS = 86_400_000;
const UNFINISHED = /\.unfinished-[0-9a-f-]+$/;

/**
 * Paths of whole copies, in the objects' order. A copy may be taken away again once its reader has it open. Errors:
 * HR_SOURCE_CHANGED, HR_TOO_LARGE where the cache is too small for them, HR_STORAGE_FULL, and what S3 says.
 */
export async function fetchObjects(
  objects: readonly FoundObject[],
  owner: string,
  deps: PlaceDeps,
): Promise<readonly string[]> {
  const folder = join(deps.dataDirectory, 'objects');
  const limit = deps.remote?.cacheBytes ?? DEFAULT_CACHE_BYTES;
  const needed = objects.reduce((sum, { size }) => sum + size, 0);
  if (needed > limit) {
    throw new HeadraceError(
      'HR_TOO_LARGE',
      `its ${objects.length} objects have ${needed} bytes, and copies on this machine may have ${limit} (offline.cache). ` +
        'Raise it, or give DuckDB its extension httpfs (offline.extensions), which reads S3 without copies.',
    );
  }
  await mkdir(folder, { recursive: true });
  const names = objects.map(nameOf);
  const paths = names.map((name) => join(folder, name));
  await makeRoom(folder, limit, new Map(names.map((name, i) => [name, (objects[i] as FoundObject).size])), deps);
  const missing: Missing[] = [];
  for (const [i, object] of objects.entries()) {
    const path = paths[i] as string;
    if (!(await markUsed(path))) missing.push({ object, path });
  }
  if (missing.length > 0) await fetchMissing(missing, owner, deps);
  return paths;
}

const nameOf = ({ bucket, key, etag }: FoundObject): string =>
  `${sha256Hex(JSON.stringify([bucket, key, etag])).slice(0, 32)}-${basename(key).slice(-100)}`;

interface Missing {
  readonly object: FoundObject;
  readonly path: string;
}

async function fetchMissing(missing: readonly Missing[], owner: string, deps: PlaceDeps): Promise<void> {
  const { progress = silentProgress } = deps;
  let [done, bytes] = [0, 0];
  const total = missing.reduce((sum, { object }) => sum + object.size, 0);
  const waiting = [...missing];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      let came = 0;
      await fetchOne(next.object, next.path, owner, deps, (now) => {
        // What a connection lost on its way comes again.
        if (now <= came) return;
        bytes += now - came;
        came = now;
        progress.advance(done, bytes);
      });
      progress.advance(++done, bytes);
    }
  };
  progress.start(`fetch ${owner}`, missing.length, 'objects', total);
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, missing.length) }, work));
    progress.done();
  } finally {
    waiting.length = 0;
  }
}

async function fetchOne(
  object: FoundObject,
  path: string,
  owner: string,
  deps: PlaceDeps,
  heard: (bytes: number) => void,
): Promise<void> {
  const unfinished = `${path}.unfinished-${randomUUID()}`;
  try {
    if (!(await bucketsOf(deps).fetch(object.bucket, object, unfinished, heard))) {
      throw sourceChanged(owner, addressOf(object), false);
    }
    await startUse(unfinished);
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** For copies of such names and sizes: those that are there already stay. */
async function makeRoom(
  folder: string,
  limit: number,
  wanted: ReadonlyMap<string, number>,
  { clock }: Pick<PlaceDeps, 'clock'>,
): Promise<void> {
  const nowMs = clock.nowMicros() / 1000;
  const copies: { name: string; size: number; usedMs: number }[] = [];
  for (const name of await readdir(folder)) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found === undefined) continue;
    if (UNFINISHED.test(name)) {
      if (nowMs - found.mtimeMs > UNFINISHED_LIMIT_MS) await rm(join(folder, name), { force: true });
    } else if (!wanted.has(name)) copies.push({ name, size: found.size, usedMs: found.atimeMs });
  }
  const own = [...wanted.values()].reduce((sum, size) => sum + size, 0);
  let total = copies.reduce((sum, { size }) => sum + size, own);
  for (const { name, size } of copies.toSorted((a, b) => a.usedMs - b.usedMs)) {
    if (total <= limit) return;
    await rm(join(folder, name), { force: true });
    total -= size;
  }
}
