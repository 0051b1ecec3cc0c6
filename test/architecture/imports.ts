// Reads the imports of a TypeScript file from its text. TypeScript 7 has no stable API to ask, and import statements are
// regular enough: they begin a line and end with a quoted specifier.

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Nothing of it is left at run time. */
  readonly isTypeOnly: boolean;
  /** `export * from` */
  readonly isStar: boolean;
}

const STATEMENT = /^[ \t]*(import|export)\b([^;'"`]*?)\bfrom\s*(['"])([^'"\n]+)\3/gm;
const SIDE_EFFECT = /^[ \t]*import\s*(['"])([^'"\n]+)\1/gm;
const CALL = /\bimport\(\s*(['"])([^'"\n]+)\1\s*\)/g;

export function readImports(source: string): Import[] {
  const text = blankComments(source);
  const found: Import[] = [];
  for (const match of text.matchAll(STATEMENT)) {
    const [, , clause = '', , specifier = ''] = match;
    // Between the keyword and `from` there can be no statement's end.
    if (/[=()]/.test(clause)) continue;
    found.push({
      specifier,
      line: lineAt(text, match.index),
      isTypeOnly: isTypeOnly(clause),
      isStar: /^\s*\*\s*$/.test(clause),
    });
  }
  for (const match of text.matchAll(SIDE_EFFECT)) {
    found.push({ specifier: match[2] ?? '', line: lineAt(text, match.index), isTypeOnly: false, isStar: false });
  }
  for (const match of text.matchAll(CALL)) {
    const before = text.slice(Math.max(0, match.index - 8), match.index);
    found.push({
      specifier: match[2] ?? '',
      line: lineAt(text, match.index),
      isTypeOnly: /typeof\s$/.test(before),
      isStar: false,
    });
  }
  return found.sort((a, b) => a.line - b.line);
}

function isTypeOnly(clause: string): boolean {
  if (/^\s*type\s+[\w{*]/.test(clause)) return true;
  const braces = /^\s*\{([^}]*)\}\s*$/.exec(clause);
  const names = braces?.[1]
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return names !== undefined && names.length > 0 && names.every((name) => name.startsWith('type '));
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

// Comments become blanks, so that lines keep their numbers. A `//` inside a string may be blanked too: harmless here,
// since specifiers of imports hold none.
function blankComments(source: string): string {
  return source
    .replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|\s)\/\/[^\n]*/g, (comment) => comment.replace(/[^\n]/g, ' '));
}
