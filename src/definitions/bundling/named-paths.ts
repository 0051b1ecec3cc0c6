// Which files a text names in quotes, in whatever language: by whole paths, so that no other file of the same name is taken
// for one that is meant.

import { posix } from 'node:path';

/** A path in more parts, or a longer one, is put together otherwise. */
const MOST_PARTS = 8;
const MOST_CHARACTERS = 1000;

/**
 * Those of `files` that a path in quotes leads to from one of `folders`, at once (`'queries/rows.sql'`) or in parts
 * (`HERE / "queries" / "rows.sql"`, `join(HERE, "queries", "rows.sql")`).
 */
export function namedFiles(text: string, folders: readonly string[], files: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set<string>();
  const names = new Set([...files].map((file) => posix.basename(file)));
  if (names.size === 0) return found;
  // Whether it is inside of quotes is not asked: an apostrophe in a comment would turn the answer round.
  const pieces = text.split(/["']/);
  for (const start of pieces.keys()) {
    let path: string | undefined = firstPart(pieces[start] as string);
    for (let at = start; path !== undefined && at < start + 2 * MOST_PARTS; at += 2) {
      const name = path.slice(path.lastIndexOf('/') + 1);
      for (const folder of names.has(name) ? folders : []) {
        const file = posix.join(folder, path);
        if (files.has(file)) found.add(file);
      }
      const next: string | undefined = isBetweenParts(pieces[at + 1]) ? pieces[at + 2] : undefined;
      path = next === undefined || !isPath(next) ? undefined : `${path}/${next}`;
    }
  }
  return found;
}

/** The path after a folder that is known when it runs: `{HERE}/rows.sql`, `HERE + "/rows.sql"`. */
function firstPart(piece: string): string | undefined {
  return isPath(piece) ? piece.slice(piece.lastIndexOf('}') + 1) : undefined;
}

function isPath(piece: string): boolean {
  return piece !== '' && piece.length <= MOST_CHARACTERS && !piece.includes('\n');
}

/** A slash or a comma, then perhaps the letters of a string that is formatted or raw. */
function isBetweenParts(piece: string | undefined): boolean {
  return piece !== undefined && piece.length <= MOST_CHARACTERS && /^[/,]\s*[fru]{0,2}$/i.test(piece.trim());
}
