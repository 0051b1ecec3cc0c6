// What a step left in its output folder, looked at as a stranger's: it may have put anything there. Only folders and files that lie
// in it are read: a link may lead out of it, and a pipe never ends.

import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
} from 'node:fs';
import { join, relative, sep } from 'node:path';
import { HeadraceError, messageOf } from '../../core/index.ts';

export interface LeftFile {
  /** Relative to the output folder, with "/" between its parts. */
  readonly name: string;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** Names in an output folder itself. Throws HR_STEP_FAILED where it is none any more. */
export function namesIn(directory: string): string[] {
  const found = look(directory, 'its output folder');
  if (!found.isDirectory()) throw refused('its output folder', found);
  return readdirSync(directory);
}

/** Every file below an output folder, by name. Throws HR_STEP_FAILED for whatever is neither file nor folder, and for what can't be read. */
export function filesIn(directory: string): LeftFile[] {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name));
  const files: LeftFile[] = [];
  for (const path of paths.sort()) {
    const name = relative(directory, path).replaceAll(sep, '/');
    const found = look(path, JSON.stringify(name));
    if (found.isDirectory()) continue;
    if (!found.isFile()) throw refused(JSON.stringify(name), found);
    reading(JSON.stringify(name), () => accessSync(path, constants.R_OK));
    files.push({ name, path, size: found.size });
  }
  return files;
}

/** A file's bytes and how many they are; none of them where they are more than `limit`. Throws HR_STEP_FAILED. */
export function readWhole(path: string, limit: number): { readonly bytes: Buffer; readonly size: number } {
  const name = 'result.json';
  const found = look(path, name);
  if (!found.isFile()) throw refused(name, found);
  return reading(name, () => {
    // What it was when it was looked at it may not be any more.
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const opened = fstatSync(file);
      if (!opened.isFile()) throw refused(name, opened);
      if (opened.size > limit) return { bytes: Buffer.of(), size: opened.size };
      const bytes = Buffer.allocUnsafe(opened.size + 1);
      let size = 0;
      for (let read = -1; read !== 0 && size < bytes.length; size += read)
        read = readSync(file, bytes, size, bytes.length - size, null);
      return { bytes: bytes.subarray(0, size), size };
    } finally {
      closeSync(file);
    }
  });
}

function look(path: string, what: string): Stats {
  return reading(what, () => lstatSync(path));
}

function reading<R>(what: string, read: () => R): R {
  try {
    return read();
  } catch (error) {
    if (error instanceof HeadraceError) throw error;
    throw new HeadraceError('HR_STEP_FAILED', `the step left ${what} so that it can't be read: ${adviceOf(error)}`);
  }
}

function adviceOf(error: unknown): string {
  const message = messageOf(error);
  if (!(error instanceof Error && 'code' in error)) return message;
  if (error.code === 'EACCES') return `${message}; leave it readable to the user that runs steps`;
  if (error.code !== 'ENOENT') return message;
  // Bytes that are no UTF-8 come as this sign, under which nothing is found.
  if (message.includes('\u{fffd}')) return 'its name is not UTF-8; name it by UTF-8 or by plain letters';
  return 'it is gone; let nothing of the step remove or rename what it leaves once it has ended';
}

function refused(what: string, found: Stats): HeadraceError {
  const advice = found.isSymbolicLink()
    ? 'copy what it leads to'
    : 'write what is to be kept as a file, and remove the rest before the step ends';
  const sentence = `the step left ${what} as ${kindOf(found)}, and only files and folders are kept: ${advice}`;
  return new HeadraceError('HR_STEP_FAILED', sentence);
}

function kindOf(found: Stats): string {
  if (found.isSymbolicLink()) return 'a link';
  if (found.isFIFO()) return 'a pipe';
  if (found.isSocket()) return 'a socket';
  if (found.isDirectory()) return 'a folder';
  return found.isFile() ? 'a file' : 'a device';
}
