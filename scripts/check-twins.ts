// A step of `npm run check`: what was moved to the full tier keeps a quick twin, and names it. `// twin: FILE > NAME` stands in the
// header of each `*.full.test.ts` and above each `fullIt` and `fullDescribe`; FILE is a quick test file, and NAME the name of a
// test or group of it, or both: GROUP > TEST. A test that shows a known fault, marked `fails`, has no twin yet: `// twin: none, FINDING`.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './test/root.ts';

const APART = /^(heavy|interop|architecture)\//;

const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts') && !APART.test(name))
  .sort();
const mistakes = files.flatMap((name) => mistakesOf(`test/${name}`, readFileSync(join(root, 'test', name), 'utf8')));
for (const mistake of mistakes) console.log(mistake);
process.exitCode = mistakes.length === 0 ? 0 : 1;

function mistakesOf(file: string, text: string): string[] {
  const lines = text.split('\n');
  const firstImport = lines.findIndex((line) => line.startsWith('import '));
  const found: string[] = [];
  if (file.endsWith('.full.test.ts') && !lines.slice(0, firstImport).some((line) => line.includes('// twin: ')))
    found.push(`${file}:1: a file of the full tier names its quick twin in its header: // twin: FILE > NAME`);
  lines.forEach((line, index) => {
    if (/^\s*full(It|Describe)\b/.test(line) && !lines[index - 1]?.includes('// twin: '))
      found.push(`${file}:${index + 1}: a test of the full tier names its quick twin in the line above it`);
    const twin = /^\s*\/\/ twin: (.*)$/.exec(line)?.[1];
    const mistake = twin === undefined ? undefined : mistakeOf(twin, text);
    if (mistake !== undefined) found.push(`${file}:${index + 1}: ${mistake}`);
  });
  return found;
}

function mistakeOf(twin: string, text: string): string | undefined {
  if (/^none, \S/.test(twin))
    return /\.fails\b/.test(text) ? undefined : '`twin: none` is for tests marked `fails`; this file has none';
  const [file = '', name = ''] = twin.split(/ > (.*)/s);
  if (name === '') return `a twin is written FILE > NAME, this is: ${twin}`;
  if (file.endsWith('.full.test.ts')) return `${file} is itself of the full tier`;
  if (!existsSync(join(root, file))) return `there is no ${file}`;
  // Quotes within a name are written with an escape where the name is quoted by the same.
  const there = readFileSync(join(root, file), 'utf8').replaceAll("\\'", "'");
  return name.split(' > ').every((part) => there.includes(part)) ? undefined : `${file} has no test named "${name}"`;
}
