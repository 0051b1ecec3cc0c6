// A step of `npm run check`: what was moved to the full tier keeps a quick twin, and names it. `// twin: FILE > NAME` stands in the
// header of each `*.full.test.ts` and above each `fullIt` and `fullDescribe`. FILE is a quick test file, or a contract to which one
// holds adapters, and NAME the whole title of a quick test or group of it, or those of groups and of a test: GROUP > TEST. A test
// that shows a known fault, marked `fails`, has no twin yet: `// twin: none, FINDING`.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { quickTitles, type Titles } from './test/quick-titles.ts';
import { root } from './test/root.ts';

const APART = /^(heavy|interop|architecture)\//;
const titles = new Map<string, readonly Titles[]>();

const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !APART.test(name))
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
  if (APART.test(file.replace(/^test\//, ''))) return `${file} stands apart from the quick tests`;
  if (!existsSync(join(root, file))) return `there is no ${file}`;
  return namesQuickTest(file, name.split(' > ')) ? undefined : `${file} has no quick test or group titled "${name}"`;
}

/** Whether `parts` are the titles of a test or group, and of those around it, of which some may be left out. */
function namesQuickTest(file: string, parts: readonly string[]): boolean {
  const known = titles.get(file) ?? quickTitles(readFileSync(join(root, file), 'utf8'));
  titles.set(file, known);
  return known.some((path) => {
    let at = 0;
    for (const title of path) if (title === parts[at]) at += 1;
    return at === parts.length && path.at(-1) === parts.at(-1);
  });
}
