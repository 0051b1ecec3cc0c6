// Which Python files a script runs: it and those that it imports, by their import statements. Only files of the script's own folder
// are looked for; what lies elsewhere is an installed package. Where an import can't be seen in the text, nothing is left out:
// the caller takes the whole folder and reports the reason. No Python runs: `apply` works on machines without one.

import { posix } from 'node:path';
import { namedFiles } from './named-paths.ts';

/** One module that a text imports: `from ..a.b import c` is level 2, `a.b` and the name `c`. */
export interface PythonImport {
  /** Dots in front; 0 is absolute. */
  readonly level: number;
  readonly module: string;
  /** After `from … import`: each may be a module itself; `*` is all names. */
  readonly names: readonly string[];
}

export interface PythonImports {
  readonly imports: readonly PythonImport[];
  /** Why more may be imported than that, as the end of a sentence that begins with the file's path. */
  readonly hidden?: string;
}

export interface PythonFiles {
  /** Files under the script's folder, by paths with slashes. */
  has(path: string): boolean;
  /** Names of Python files and folders in a folder. */
  list(folder: string): readonly string[];
  /** The file's code; of a notebook that of its cells. */
  read(path: string): Promise<string>;
}

export interface PythonReach {
  /** Sorted; the script is among them. */
  readonly files: readonly string[];
  /** Why the script may import other files of its folder, as a sentence without its full stop; left out where it can't. */
  readonly whole?: string;
}

/**
 * The files that a script runs. `roots`: the folders that its imports begin at. `others`: files that it may name in quotes, to run
 * them as a program or by their text.
 */
export async function pythonReach(
  script: string,
  roots: readonly string[],
  files: PythonFiles,
  others: ReadonlySet<string> = new Set(),
): Promise<PythonReach> {
  const reached = new Set<string>([script]);
  // A file that is run as a program has its own folder in the place of the script's.
  const startsAt = new Map<string, readonly string[]>([[script, roots]]);
  for (const path of reached) {
    const text = await files.read(path);
    const { imports, hidden } = path.endsWith('.ipynb') ? importsOfNotebook(text) : importsOf(text);
    if (hidden !== undefined) return { files: [...reached].toSorted(), whole: `${path} ${hidden}` };
    const own = startsAt.get(path) ?? roots;
    for (const one of imports) {
      for (const found of resolveImport(one, path, own, files)) {
        reached.add(found);
        if (!startsAt.has(found)) startsAt.set(found, own);
      }
    }
    for (const named of namedFiles(text, ['.', posix.dirname(script), posix.dirname(path)], others)) {
      reached.add(named);
      if (!startsAt.has(named)) startsAt.set(named, [...new Set([posix.dirname(named), ...own])]);
    }
  }
  return { files: [...reached].toSorted() };
}

function resolveImport(
  { level, module, names }: PythonImport,
  from: string,
  roots: readonly string[],
  files: PythonFiles,
): readonly string[] {
  const starts = level === 0 ? roots : [posix.join(posix.dirname(from), ...Array<string>(level - 1).fill('..'))];
  return starts.flatMap((start) => {
    const found: string[] = [];
    let folder: string | undefined = start;
    if (level > 0 && files.has(posix.join(start, '__init__.py'))) found.push(posix.join(start, '__init__.py'));
    for (const part of module === '' ? [] : module.split('.')) {
      if (folder === undefined) break;
      folder = take(folder, part, files, found);
    }
    // Names of a module that is no package are its own.
    if (folder === undefined) return found;
    const all = names.includes('*') ? files.list(folder).map((name) => name.replace(/\.py$/, '')) : names;
    for (const name of all) take(folder, name, files, found);
    return found;
  });
}

/** Adds what `import` runs of one part of a module's name; gives its folder where it is a package. A package goes before a module. */
function take(folder: string, name: string, files: PythonFiles, into: string[]): string | undefined {
  const place = posix.join(folder, name);
  const [itself, initial] = [`${place}.py`, posix.join(place, '__init__.py')];
  if (files.has(initial)) {
    into.push(initial);
    return place;
  }
  if (files.has(itself)) {
    into.push(itself);
    return undefined;
  }
  // A folder without it is a package all the same, of nothing.
  return files.list(place).length > 0 ? place : undefined;
}

/** Names whose use says that modules are found, or code is run, in a way that no import statement shows. */
const HIDING_NAMES: ReadonlySet<string> = new Set(['exec', 'eval', '__path__', '__loader__', '__spec__']);
const HIDING_MEMBERS: ReadonlySet<string> = new Set(['sys.path', 'sys.meta_path', 'sys.path_hooks', 'site.addsitedir']);
const HIDING_MODULES =
  /^(?:runpy|pkgutil|imp|zipimport|importlib\.(?:util|machinery|abc|_bootstrap)|site|code|lazy_loader)(?:\.|$)/;
const BY_NAME: ReadonlySet<string> = new Set(['import_module', '__import__']);

/** What a text imports, in its functions too. */
export function importsOf(text: string): PythonImports {
  const encoding = /^(?:#[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]+)/.exec(text)?.[1] ?? 'utf-8';
  if (!/^(?:utf-?8(?:-sig)?|ascii|us-ascii)$/i.test(encoding.replaceAll('_', '-')))
    return { imports: [], hidden: `is written in ${encoding}, which is not read here` };
  const tokens = tokensOf(text);
  if (typeof tokens === 'string') return { imports: [], hidden: `cannot be read as Python: ${tokens}` };
  const imports: PythonImport[] = [];
  let hidden: string | undefined;
  const at = (place: number): string => tokens[place]?.text ?? '';
  const isName = (place: number): boolean => tokens[place]?.kind === 'name';
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if (token.kind === 'string') {
      if (token.text === '-m') hidden ??= 'names "-m", which runs a module as a program';
      if (token.text === 'PYTHONPATH') hidden ??= 'names PYTHONPATH, by which modules are found elsewhere';
      continue;
    }
    if (token.kind !== 'name') continue;
    const isMember = at(i - 1) === '.';
    if (token.text === 'import' && !isMember) {
      const read = readImport(tokens, i + 1);
      imports.push(...read.imports);
      i = read.end - 1;
    } else if (token.text === 'from' && !isMember) {
      const read = readFrom(tokens, i + 1);
      if (read === undefined) continue;
      imports.push(read.found);
      i = read.end - 1;
    } else if (BY_NAME.has(token.text)) {
      const read = at(i + 1) === '(' ? literalImport(tokens, i + 2) : undefined;
      if (read === undefined) hidden ??= 'imports a module by a name that is known only as it runs';
      else imports.push(read);
    } else if (HIDING_NAMES.has(token.text) && !isMember && (at(i + 1) === '(' || token.text.startsWith('_'))) {
      hidden ??= `uses ${token.text}, and so may run code that no import shows`;
    } else if (at(i + 1) === '.' && isName(i + 2) && HIDING_MEMBERS.has(`${token.text}.${at(i + 2)}`)) {
      hidden ??= `uses ${token.text}.${at(i + 2)}, by which modules are found elsewhere`;
    }
  }
  for (const { level, module, names } of imports) {
    if (level > 0) continue;
    const whole = [module, ...names.map((name) => `${module}.${name}`)];
    const odd = whole.find((one) => HIDING_MODULES.test(one) || HIDING_MEMBERS.has(one));
    if (odd !== undefined) hidden ??= `imports ${odd}, and so may find modules that no import shows`;
  }
  return hidden === undefined ? { imports } : { imports, hidden };
}

function readImport(tokens: readonly Token[], from: number): { imports: PythonImport[]; end: number } {
  const imports: PythonImport[] = [];
  let i = from;
  for (;;) {
    const { module, end } = readDotted(tokens, i);
    if (module === '') return { imports, end: i };
    imports.push({ level: 0, module, names: [] });
    i = end;
    if (tokens[i]?.text === 'as') i += 2;
    if (tokens[i]?.text !== ',') return { imports, end: i };
    i += 1;
  }
}

/** Undefined for a `from` of another statement: `raise … from error`, `yield from rows`. */
function readFrom(tokens: readonly Token[], from: number): { found: PythonImport; end: number } | undefined {
  let i = from;
  let level = 0;
  for (; tokens[i]?.text === '.'; i++) level += 1;
  const { module, end } = readDotted(tokens, i);
  i = end;
  if (tokens[i]?.text !== 'import' || (level === 0 && module === '')) return undefined;
  i += 1;
  const names: string[] = [];
  if (tokens[i]?.text === '(') i += 1;
  for (;;) {
    const token = tokens[i];
    if (token === undefined || !(token.kind === 'name' || token.text === '*')) break;
    names.push(token.text);
    i += 1;
    if (tokens[i]?.text === 'as') i += 2;
    if (tokens[i]?.text !== ',') break;
    i += 1;
  }
  return { found: { level, module, names }, end: i };
}

function readDotted(tokens: readonly Token[], from: number): { module: string; end: number } {
  const parts: string[] = [];
  let i = from;
  while (tokens[i]?.kind === 'name' && !KEYWORDS.has(tokens[i]?.text ?? '')) {
    parts.push(tokens[i]?.text ?? '');
    i += 1;
    if (tokens[i]?.text !== '.' || tokens[i + 1]?.kind !== 'name') break;
    i += 1;
  }
  return { module: parts.join('.'), end: i };
}

const KEYWORDS: ReadonlySet<string> = new Set(['import', 'as', 'from']);

/** `import_module('a.b')`, and `import_module('.b', __package__)` where the package is the file's own. */
function literalImport(tokens: readonly Token[], at: number): PythonImport | undefined {
  const [name, next, own, end] = tokens.slice(at, at + 4);
  if (name?.kind !== 'string' || !/^\.*\w+(?:\.\w+)*$/.test(name.text)) return undefined;
  const level = /^\.*/.exec(name.text)?.[0].length ?? 0;
  const module = name.text.slice(level);
  if (level === 0) return next?.text === ')' ? { level, module, names: [] } : undefined;
  return next?.text === ',' && own?.text === '__package__' && end?.text === ')'
    ? { level, module, names: [] }
    : undefined;
}

interface Token {
  /** `text` of a string is what its quotes hold; '' where Python computes parts of it (an f-string). */
  readonly kind: 'name' | 'string' | 'other' | 'end';
  readonly text: string;
}

const NAME = /[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*/uy;
const NUMBER = /(?:\d|\.\d)[\w.]*/uy;
const OPENING = /^(?:[rbuft]{0,2})('''|"""|'|")/i;

/** The tokens of a text without comments; ends of lines inside of brackets are left out. A sentence's end where it is no Python. */
function tokensOf(text: string): readonly Token[] | string {
  const tokens: Token[] = [];
  let depth = 0;
  let i = 0;
  const line = (): string => `line ${text.slice(0, i).split('\n').length}`;
  while (i < text.length) {
    const char = text[i] as string;
    if (char === '#') {
      const end = text.indexOf('\n', i);
      i = end === -1 ? text.length : end;
      continue;
    }
    if (char === '\\' && /^\\\r?\n/.test(text.slice(i, i + 3))) {
      i += text[i + 1] === '\r' ? 3 : 2;
      continue;
    }
    if (char === '\n' || char === '\r') {
      if (depth === 0) tokens.push({ kind: 'end', text: '\n' });
      i += 1;
      continue;
    }
    if (/[\s\ufeff]/.test(char)) {
      i += 1;
      continue;
    }
    const opening = OPENING.exec(text.slice(i, i + 5));
    if (opening !== null) {
      const { end, value } = readString(text, i, opening);
      if (end === undefined) return `a string that begins in ${line()} has no end`;
      tokens.push({ kind: 'string', text: value });
      i = end;
      continue;
    }
    NAME.lastIndex = NUMBER.lastIndex = i;
    const number = NUMBER.exec(text)?.[0];
    if (number !== undefined) {
      tokens.push({ kind: 'other', text: number });
      i += number.length;
      continue;
    }
    const name = NAME.exec(text)?.[0];
    if (name !== undefined) {
      // As Python takes them: two ways to write a letter are one name.
      tokens.push({ kind: 'name', text: name.normalize('NFKC') });
      i += name.length;
      continue;
    }
    if ('([{'.includes(char)) depth += 1;
    if (')]}'.includes(char)) depth -= 1;
    if (depth < 0) return `a bracket in ${line()} closes none`;
    tokens.push(char === ';' && depth === 0 ? { kind: 'end', text: char } : { kind: 'other', text: char });
    i += 1;
  }
  return depth === 0 ? tokens : 'a bracket is never closed';
}

interface ReadString {
  /** Undefined where it has none. */
  readonly end: number | undefined;
  readonly value: string;
}

/** A string from its letters on: formatted ones may hold others, with the same quotes since Python 3.12. */
function readString(text: string, from: number, [head, quote = '']: RegExpExecArray): ReadString {
  const letters = head.slice(0, -quote.length).toLowerCase();
  const isFormatted = /[ft]/.test(letters);
  const start = from + head.length;
  for (let i = start; i < text.length; ) {
    const char = text[i];
    if (char === '\\') i += isFormatted ? escapeLength(text, i, letters.includes('r')) : 2;
    else if (text.startsWith(quote, i)) {
      const value = text.slice(start, i);
      const isPlain = !isFormatted && !letters.includes('b') && !(value.includes('\\') && !letters.includes('r'));
      return { end: i + quote.length, value: isPlain ? value : '' };
    } else if (char === '\n' && quote.length === 1) return { end: undefined, value: '' };
    else if (isFormatted && char === '{') {
      if (text[i + 1] === '{') i += 2;
      else {
        const end = endOfField(text, i + 1);
        if (end === undefined) return { end: undefined, value: '' };
        i = end;
      }
    } else i += 1;
  }
  return { end: undefined, value: '' };
}

/** Of a backslash with what it takes along in a formatted string: no brace that begins a field or stands for itself, but a character's name. */
function escapeLength(text: string, at: number, isRaw: boolean): number {
  if (!isRaw && text.startsWith('N{', at + 1)) return Math.max(2, text.indexOf('}', at) + 1 - at);
  return text[at + 1] === '{' ? 1 : 2;
}

/** After the `}` of a replacement field that begins at `from`. */
function endOfField(text: string, from: number): number | undefined {
  let depth = 0;
  let isFormat = false;
  for (let i = from; i < text.length; ) {
    const char = text[i] as string;
    const opening = isFormat ? null : OPENING.exec(text.slice(i, i + 5));
    if (opening !== null && !/\w/.test(text[i - 1] ?? '')) {
      const { end } = readString(text, i, opening);
      if (end === undefined) return undefined;
      i = end;
      continue;
    }
    if (isFormat && char === '{') {
      const end = endOfField(text, i + 1);
      if (end === undefined) return undefined;
      i = end;
      continue;
    }
    if (!isFormat && '([{'.includes(char)) depth += 1;
    if (char === '}' && depth === 0) return i + 1;
    if (!isFormat && ')]}'.includes(char)) depth -= 1;
    if (char === ':' && depth === 0) isFormat = true;
    i += 1;
  }
  return undefined;
}

/** Commands of a notebook that import no module of its folder. */
const HARMLESS_MAGICS =
  /^\s*(?:%%?(?:matplotlib|config|time|timeit|capture|autoreload|load_ext\s+autoreload)\b|[%!]pip\b)/;

/** Of the code of a notebook's cells, in which lines may be commands to the notebook or to a shell. */
function importsOfNotebook(code: string): PythonImports {
  const lines = code.split('\n');
  const odd = lines.find((line) => /^\s*[%!]/.test(line) && !HARMLESS_MAGICS.test(line));
  if (odd !== undefined)
    return { imports: [], hidden: `has the command ${odd.trim().split(/\s/)[0]}, which may run other files` };
  // What is timed is Python.
  const python = lines.map((line) => (/^\s*%time(?:it)?\s/.test(line) ? line.replace(/%time(?:it)?/, '') : line));
  return importsOf(python.map((line) => (/^\s*[%!?]/.test(line) ? '' : line)).join('\n'));
}
