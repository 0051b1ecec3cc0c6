// A file that could not be imported: which file is at fault, where in it, and what is wrong.

import { existsSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Program } from 'acorn';
import { describeResult } from '../calling/user-value.ts';
import { parseFile, positionOf } from '../compile/find-in-source.ts';
import { constantText, walk } from '../bundling/syntax.ts';
import { looseCandidates } from './loose-resolution.ts';

export interface ImportMistake {
  /** Relative to the repository. */
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
}

interface At {
  readonly path: string;
  readonly line?: number;
  readonly column?: number;
}

/** What was thrown at the import of `path`, as a mistake. Both paths are real ones; `directory` is the repository's. */
export function importMistake(cause: unknown, path: string, directory: string): ImportMistake {
  if (!(cause instanceof Error))
    return { file: nameIn(directory, path), message: `it threw ${describeResult(cause)} while it was imported` };
  const frames = framesIn(cause.stack ?? '', directory);
  const isUnreadable = cause.name === 'SyntaxError';
  // The outermost frame is of the module that was being run; the innermost is where it was thrown.
  const [thrown, run] = [frames[0], frames.at(-1)];
  const at =
    headOfStack(cause.stack ?? '') ?? run ?? (isUnreadable ? brokenFile(path) : importAtFault(cause, directory));
  const { path: file = path, line, column } = at ?? {};
  const from = thrown === undefined || thrown.path === file ? '' : ` (thrown in ${placeIn(directory, thrown)})`;
  const message = cause.message
    .replace(/\?headrace-load=\d+/g, '')
    .replaceAll(`${directory}${sep}`, '')
    .replaceAll(/\s*\n\s*/g, ' ');
  const what = isUnreadable
    ? `it cannot be read: ${message}`
    : (usedTooSoon(message) ?? `it threw while it was imported: ${message}${from}`);
  return {
    file: nameIn(directory, file),
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
    message: what,
  };
}

function usedTooSoon(message: string): string | undefined {
  const [, name] = /^Cannot access '(.+)' before initialization$/.exec(message) ?? [];
  const why = 'files import each other in a circle, or it is declared further down';
  return name === undefined
    ? undefined
    : `it uses "${name}" before it is made: ${why}. Move it into a file of its own, or up`;
}

function nameIn(directory: string, path: string): string {
  return relative(directory, path).split(sep).join('/');
}

function placeIn(directory: string, { path, line, column }: At): string {
  return [nameIn(directory, path), line, column].filter((part) => part !== undefined).join(':');
}

/** The frames of the stack that lie in the repository, innermost first. */
function framesIn(stack: string, directory: string): At[] {
  return [...stack.matchAll(/(file:\/\/\S+?)\?headrace-load=\d+:(\d+):(\d+)/g)]
    .map(([, url = '', line, column]) => ({ path: fileURLToPath(url), line: Number(line), column: Number(column) }))
    .filter(({ path }) => path.startsWith(`${directory}${sep}`));
}

// Node puts the place of some syntax errors above the stack: the file and line, the text around it, and marks under that.
function headOfStack(stack: string): At | undefined {
  const [, url, line, marks] =
    /^(file:\/\/\S+?)\?headrace-load=\d+:(\d+)\n(?:.*\n)+?([ \t]*)\^+[ \t]*$/m.exec(stack) ?? [];
  if (url === undefined || marks === undefined) return undefined;
  return { path: fileURLToPath(url), line: Number(line), column: marks.length + 1 };
}

/** The place of a syntax error that the platform did not tell: in the file, or in one that it imports. */
function brokenFile(path: string, seen: Set<string> = new Set()): At | undefined {
  if (seen.has(path)) return undefined;
  seen.add(path);
  let program: Program;
  try {
    program = parseFile(path);
  } catch (error) {
    const loc = error instanceof Error && 'loc' in error ? (error.loc as { line: number; column: number }) : undefined;
    return { path, ...(loc === undefined ? {} : { line: loc.line, column: loc.column + 1 }) };
  }
  for (const { specifier } of importsOf(program)) {
    const target = specifier.startsWith('.') ? fileOf(path, specifier) : undefined;
    const found = target === undefined ? undefined : brokenFile(target, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}

function fileOf(importer: string, specifier: string): string | undefined {
  const path = resolve(dirname(importer), specifier);
  const found = [...looseCandidates(path), path].find((candidate) => existsSync(candidate));
  return found !== undefined && /\.m?[jt]s$/.test(found) ? found : undefined;
}

/** The import that could not be resolved, by the error's own words. */
function importAtFault(cause: Error, directory: string): At | undefined {
  const [, missing, importer] =
    /^Cannot find (?:module|package) '(.+?)' imported from (.+?)(?:\?headrace-load=\d+)?$/.exec(cause.message) ?? [];
  if (missing === undefined || importer === undefined) return undefined;
  const path = importer.startsWith('file:') ? fileURLToPath(importer) : importer;
  if (!path.startsWith(`${directory}${sep}`)) return undefined;
  try {
    const found = importsOf(parseFile(path)).find(({ specifier }) =>
      specifier.startsWith('.')
        ? resolve(dirname(path), specifier) === missing
        : specifier === missing || specifier.startsWith(`${missing}/`),
    );
    return { path, ...(found === undefined ? {} : found.position) };
  } catch {
    return { path };
  }
}

interface ImportedText {
  readonly specifier: string;
  readonly position: { readonly line: number; readonly column: number };
}

function importsOf(program: Program): ImportedText[] {
  const found: ImportedText[] = [];
  walk(program, (node) => {
    if (!('source' in node)) return;
    const specifier = constantText(node.source);
    const position = node.source === null || node.source === undefined ? undefined : positionOf(node.source);
    if (specifier !== undefined && position !== undefined) found.push({ specifier, position });
  });
  return found;
}
