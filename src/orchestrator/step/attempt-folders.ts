// Folders for attempts at tasks. One that an attempt left as it found it is given to the next of the same code: a disk takes
// longer to make and remove a few files than a short task takes to run.

import {
  closeSync,
  constants,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AppliedFile } from '../../definitions/index.ts';
import { placeCode } from './code.ts';
import type { FileCache } from './file-cache.ts';

/** Where one attempt finds what it works with; all of it goes with the attempt. */
export interface AttemptFolder {
  /** Its working directory. */
  readonly code: string;
  readonly inputFile: string;
  readonly output: string;
}

export interface AttemptFolders {
  /** One for code of these files, with this input, an empty output folder and nothing else in it. */
  take(input: string, files: readonly AppliedFile[]): AttemptFolder;
  /** Writes the files that it was taken for. Throws HR_ARTIFACT_UNREADABLE. */
  placeCode(folder: AttemptFolder): Promise<void>;
  /** Of an attempt of which nothing runs any more. */
  give(folder: AttemptFolder): void;
}

interface Held {
  readonly key: string;
  readonly files: readonly AppliedFile[];
  /** The code as it was placed; undefined while it is not. */
  placed?: string;
}

/** Kept for the next, at most. */
const MOST_KEPT = 1024;
/** Looking at more takes longer than writing them. */
const MOST_FILES = 32;

export function openAttemptFolders(scratch: string, cache: FileCache): AttemptFolders {
  const free = new Map<string, AttemptFolder[]>();
  const held = new WeakMap<AttemptFolder, Held>();
  let kept = 0;
  let made = 0;

  const make = (): AttemptFolder => {
    made += 1;
    const directory = join(scratch, String(made));
    const folder = {
      code: join(directory, 'code'),
      inputFile: join(directory, 'input.json'),
      output: join(directory, 'output'),
    };
    mkdirSync(folder.code, { recursive: true });
    mkdirSync(folder.output);
    return folder;
  };

  return {
    take(input, files) {
      const key = files.map(({ path, hash }) => `${hash} ${path}`).join('\n');
      const found = free.get(key)?.shift();
      if (found !== undefined) kept -= 1;
      const folder = found ?? make();
      if (found === undefined) held.set(folder, { key, files });
      writeOver(folder.inputFile, input);
      return folder;
    },
    async placeCode(folder) {
      const one = held.get(folder);
      if (one === undefined || one.placed !== undefined) return;
      await placeCode(cache, one.files, folder.code);
      if (one.files.length <= MOST_FILES) one.placed = lookOf(folder.code);
    },
    give(folder) {
      const one = held.get(folder);
      if (one !== undefined && kept < MOST_KEPT && isAsPlaced(folder, one)) {
        kept += 1;
        const others = free.get(one.key);
        if (others === undefined) free.set(one.key, [folder]);
        else others.push(folder);
      } else {
        // Nobody waits for it; the whole of the scratch folder goes at the end.
        void rm(join(folder.output, '..'), { recursive: true, force: true }).catch(() => {});
      }
    },
  };
}

function isAsPlaced({ code, inputFile, output }: AttemptFolder, { files, placed }: Held): boolean {
  if (placed === undefined && files.length > 0) return false;
  try {
    // A link would be followed out of it, and a pipe in the place of the input be waited for.
    if (!lstatSync(code).isDirectory() || !lstatSync(output).isDirectory()) return false;
    const input = lstatSync(inputFile);
    if (!input.isFile() || input.nlink !== 1) return false;
    const [first, second] = readdirSync(output);
    if (first === 'result.json' && second === undefined) unlinkSync(join(output, first));
    else if (first !== undefined) return false;
    return lookOf(code) === (placed ?? '');
  } catch {
    return false; // removed, or made a folder, by what ran in it
  }
}

/** What there is in a folder, and when it was last changed: writing moves the second of these times, whoever sets the first. */
function lookOf(directory: string): string {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  return names
    .map((name) => {
      const found = statSync(join(directory, name));
      return found.isDirectory() ? name : `${name} ${found.size} ${found.mtimeMs} ${found.ctimeMs} ${found.ino}`;
    })
    .join('\n');
}

// A file that is cut to nothing and written again goes to the disk at once (ext4): a hundred times what writing over it takes.
function writeOver(path: string, text: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o644);
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, at);
    ftruncateSync(file, bytes.length);
  } finally {
    closeSync(file);
  }
}
