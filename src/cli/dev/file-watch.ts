// Watches files for changes: a burst of saves is one answer, and whatever happens while an answer is worked on is in the
// next. Events only wake it; what changed is found by looking, so no editor's way of saving can fool it.

import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface FileWatch {
  /** The files that changed since the last answer, once they have been quiet for a moment; undefined when it was closed. */
  next(): Promise<readonly string[] | undefined>;
  close(): void;
}

export interface FileWatchOptions {
  /** Folders that are watched with all that is in them, and single files; they may come later, or go and come back. */
  readonly folders: readonly string[];
  readonly files: readonly string[];
  /** What is not looked at, by name and the folder that it lies in. */
  readonly isIgnored: (name: string, folder: string) => boolean;
  /** So long nothing may happen before there is an answer. */
  readonly quietMs: number;
}

/** Where the system has no watchers left. */
const POLL_MS = 1000;

/** Everything up to now counts as known. */
export async function watchFiles(options: FileWatchOptions): Promise<FileWatch> {
  const watchers = new Map<string, FSWatcher>();
  let isClosed = false;
  let happened = Promise.withResolvers<void>();
  const wake = (): void => happened.resolve();
  let poll: NodeJS.Timeout | undefined;

  const drop = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  const follow = (folder: string): void => {
    try {
      const watcher = watch(folder, wake);
      // It ends so when its folder goes; the next look finds whether it is back.
      watcher.on('error', () => {
        drop(folder);
        wake();
      });
      watchers.set(folder, watcher);
    } catch {
      poll ??= setInterval(wake, POLL_MS);
    }
  };

  /** The state of each file. Folders that are new are followed first: what comes into them later is told. */
  const look = async (): Promise<Files> => {
    for (;;) {
      const { folders, files } = await listTree(options);
      for (const folder of watchers.keys()) if (!folders.has(folder)) drop(folder);
      const fresh = [...folders].filter((folder) => !watchers.has(folder));
      if (isClosed) return files;
      for (const folder of fresh) follow(folder);
      if (fresh.length === 0 || poll !== undefined) return files;
    }
  };

  let known = await look();
  return {
    async next() {
      while (!isClosed) {
        happened = Promise.withResolvers();
        let seen = await look();
        if (differing(known, seen).length === 0) {
          await happened.promise;
          continue;
        }
        // By what there is, not by events: those of files that are not asked for would put it off for ever.
        for (let before: Files | undefined; before === undefined || differing(before, seen).length > 0; ) {
          await sleep(options.quietMs);
          before = seen;
          seen = await look();
        }
        const changed = differing(known, seen);
        known = seen;
        if (changed.length > 0 && !isClosed) return changed;
      }
      return undefined;
    },
    close() {
      isClosed = true;
      clearInterval(poll);
      for (const folder of watchers.keys()) drop(folder);
      wake();
    },
  };
}

/** By path, what changes when the file does. */
type Files = ReadonlyMap<string, string>;

interface Tree {
  readonly folders: ReadonlySet<string>;
  readonly files: Files;
}

async function listTree({ folders: roots, files: single, isIgnored }: FileWatchOptions): Promise<Tree> {
  const folders = new Set<string>();
  const files = new Map<string, string>();
  const note = async (path: string): Promise<void> => {
    // What went meanwhile is not there.
    const info = await stat(path, { bigint: true }).catch(() => undefined);
    if (info?.isFile() === true) files.set(path, `${info.ino} ${info.size} ${info.mtimeNs}`);
  };
  const walk = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
    if (entries === undefined) return;
    folders.add(folder);
    for (const entry of entries) {
      if (isIgnored(entry.name, folder)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await walk(path);
      else await note(path);
    }
  };
  for (const root of roots) {
    await walk(root);
    // A folder that is not there comes into this one.
    folders.add(join(root, '..'));
  }
  for (const path of single) {
    await note(path);
    folders.add(join(path, '..'));
  }
  return { folders, files };
}

function differing(before: Files, after: Files): string[] {
  const all = new Set([...before.keys(), ...after.keys()]);
  return [...all].filter((path) => before.get(path) !== after.get(path)).sort();
}
