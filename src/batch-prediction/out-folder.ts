// Where a batch's parts go: a folder on this machine or a prefix in S3. Each file appears under its name whole or not at all.

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { contentHash, HeadraceError, messageOf, syncPath } from '../core/index.ts';
import { openObjectStore, type S3Options } from '../storage/index.ts';
import { LOCK } from './lock-folder.ts';

export interface OutFolder {
  /** As users know it. */
  readonly name: string;
  /** A folder on this machine for what is not finished. */
  readonly work: string;
  /** Undefined where there is no such file. */
  read(name: string): Promise<string | undefined>;
  write(name: string, text: string): Promise<void>;
  /** Moves a finished file of this machine, which lies in `work`, to its place. */
  publish(name: string, path: string): Promise<void>;
  /** Of all files, those in `_work/` too. */
  names(): Promise<ReadonlySet<string>>;
  remove(name: string): Promise<void>;
  /** Takes away what lies in `work`, but the lock: that is its holder's to remove. */
  clear(): Promise<void>;
}

/** State of a batch that is under way; gone once it is done. */
export const WORK = '_work';

/** `scratch`: where work on what goes to S3 lies. */
export function openOutFolder(place: string, scratch: string, s3: S3Options): OutFolder {
  return /^s3:\/\//i.test(place) ? inBucket(place, scratch, s3) : onDisk(place);
}

function onDisk(directory: string): OutFolder {
  const work = join(directory, WORK);
  const pathOf = (name: string): string => join(directory, name);
  const told = <T>(act: () => Promise<T>): Promise<T> => toldOfDisk(directory, act);
  const publish = (name: string, path: string): Promise<void> =>
    told(async () => {
      await syncPath(path);
      await mkdir(dirname(pathOf(name)), { recursive: true });
      await rename(path, pathOf(name));
      await syncPath(dirname(pathOf(name)));
    });
  return {
    name: directory,
    work,
    read: (name) => told(() => readIfThere(pathOf(name))),
    write: (name, text) =>
      told(async () => {
        const path = join(work, `${name.replaceAll('/', '-')}.unfinished`);
        await mkdir(work, { recursive: true });
        await writeFile(path, text);
        await publish(name, path);
      }),
    publish,
    names: () =>
      told(async () => {
        const top = await namesIn(directory);
        const under = await namesIn(work);
        return new Set([...top, ...under.map((name) => `${WORK}/${name}`)]);
      }),
    remove: (name) => told(() => rm(pathOf(name), { force: true })),
    clear: () => told(() => clearWork(work)),
  };
}

function inBucket(url: string, scratch: string, s3: S3Options): OutFolder {
  const place = url.replace(/\/+$/, '');
  const objects = openObjectStore(place, s3);
  const work = join(scratch, contentHash(place).slice(0, 16));
  return {
    name: place,
    work,
    async read(name) {
      const bytes = await objects.get(name);
      return bytes === undefined ? undefined : Buffer.from(bytes).toString();
    },
    async write(name, text) {
      await objects.put(name, Buffer.from(text));
    },
    async publish(name, path) {
      await objects.putFile(name, path);
      await rm(path, { force: true });
    },
    async names() {
      const names = new Set<string>();
      for await (const { key } of objects.list('')) names.add(key);
      return names;
    },
    remove: (name) => objects.remove(name),
    async clear() {
      const names = await this.names();
      for (const name of names) if (name.startsWith(`${WORK}/`)) await objects.remove(name);
      await clearWork(work);
    },
  };
}

async function clearWork(work: string): Promise<void> {
  const names = await namesIn(work);
  for (const name of names) if (name !== LOCK) await rm(join(work, name), { force: true });
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return undefined;
    throw thrown;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory, { withFileTypes: true })).filter((one) => one.isFile()).map(({ name }) => name);
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return [];
    throw thrown;
  }
}

/** What a disk says, in words. Throws HR_STORAGE_FULL, HR_USAGE for a place that can't be written to, HR_STORAGE_UNAVAILABLE. */
export async function toldOfDisk<T>(place: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (thrown) {
    if (thrown instanceof HeadraceError) throw thrown;
    const code = String(codeOf(thrown) ?? '');
    if (/^(ENOSPC|EDQUOT)$/.test(code)) {
      const sentence = `the disk of ${place} is full. Free space and run the same command again: the parts that are done stay, and it goes on after them.`;
      throw new HeadraceError('HR_STORAGE_FULL', sentence, { cause: thrown });
    }
    if (/^(ENOTDIR|EACCES|EPERM|EROFS|EEXIST)$/.test(code)) {
      const sentence = `${place} cannot be written to (${code}). Name a folder that is new, or that this user may write to.`;
      throw new HeadraceError('HR_USAGE', sentence, { cause: thrown });
    }
    throw new HeadraceError('HR_STORAGE_UNAVAILABLE', `${place}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

const codeOf = (thrown: unknown): unknown => (thrown instanceof Error && 'code' in thrown ? thrown.code : undefined);
