// Folders for attempts at tasks. One that an attempt left as it found it is given to the next: a disk takes longer to make and
// remove a few folders than a short task takes to run.

import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Where one attempt finds what it works with; all of it goes with the attempt. */
export interface AttemptFolder {
  /** Its working directory. */
  readonly code: string;
  readonly inputFile: string;
  readonly output: string;
}

export interface AttemptFolders {
  /** One with this input, and nothing else in it. */
  take(input: string): AttemptFolder;
  /** Of an attempt of which nothing runs any more. */
  give(folder: AttemptFolder): void;
}

/** Kept for the next, at most. */
const MOST_KEPT = 1024;

export function openAttemptFolders(scratch: string): AttemptFolders {
  const free: AttemptFolder[] = [];
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
    take(input) {
      const folder = free.shift() ?? make();
      writeOver(folder.inputFile, input);
      return folder;
    },
    give(folder) {
      if (free.length < MOST_KEPT && isEmpty(folder.output) && isEmpty(folder.code)) free.push(folder);
      // Nobody waits for it; the whole of the scratch folder goes at the end.
      else void rm(join(folder.output, '..'), { recursive: true, force: true }).catch(() => {});
    },
  };
}

function isEmpty(directory: string): boolean {
  try {
    return readdirSync(directory).length === 0;
  } catch {
    return false; // removed by what ran in it
  }
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
