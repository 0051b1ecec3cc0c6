// Where in the user's files a mistake is: the call that made the object, or the part of it that is at fault. All this is
// looked for only when there are mistakes.

import { realpathSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Call, Path } from '../authoring/call.ts';
import { createPartFinder, type PartFinder, type Position } from './find-in-source.ts';

/** A place in a file, which is named relative to the repository. */
export interface Place extends Position {
  readonly file: string;
}

/** The place of a part of a call, or of the call itself; undefined when the call stands in no file that was loaded. */
export type PlaceFinder = (call: Call, path: Path) => Place | undefined;

export function createPlaceFinder(directory: string): PlaceFinder {
  const finders = new Map<string, PartFinder>();
  let root: string | undefined;
  return (call, path) => {
    const site = callSite(call);
    if (site === undefined) return undefined;
    root ??= realFolder(directory);
    const findPart = finders.get(site.file) ?? createPartFinder(site.file);
    finders.set(site.file, findPart);
    const { line, column } = findPart(site, path);
    return { file: relative(root, site.file).split(sep).join('/'), line, column };
  };
}

// Only what the loader loads carries this mark: the innermost such frame is the user's call. Types are stripped in place, so
// lines and columns are those of the file.
const USERS_FRAME = /(file:\/\/\S+?)\?headrace-load=\d+:(\d+):(\d+)/;

function callSite(call: Call): Place | undefined {
  const [, url, line, column] = USERS_FRAME.exec(call.trace.stack ?? '') ?? [];
  if (url === undefined) return undefined;
  return { file: fileURLToPath(url), line: Number(line), column: Number(column) };
}

function realFolder(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return directory;
  }
}
