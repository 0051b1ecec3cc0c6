// Walks src/ and gives every breach of the architecture's rules, as a sentence with file and line.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { readImports } from './imports.ts';
import { KEPT_APART, LEVELS, MAX_LINES, TYPES_ALLOWED } from './layers.ts';

interface Edge {
  readonly to: string;
  readonly isTypeOnly: boolean;
}

/** Breaches of the rules under `sourceRoot`: layers, index.ts only, what is kept apart, no cycles, no `export *`, no overlong file. */
export function checkArchitecture(sourceRoot: string): string[] {
  const files = listFiles(sourceRoot);
  const breaches: string[] = [];
  const graph = new Map<string, Edge[]>();
  for (const file of files) {
    const text = readFileSync(join(sourceRoot, file), 'utf8');
    const lines = text.split('\n').length - 1;
    if (lines > MAX_LINES) breaches.push(`${file} has ${lines} lines, more than ${MAX_LINES}: split it`);
    const edges: Edge[] = [];
    graph.set(file, edges);
    for (const { specifier, line, isTypeOnly, isStar } of readImports(text)) {
      if (isStar) breaches.push(`${file}:${line} has \`export *\`: name what it exports`);
      if (!specifier.startsWith('.')) continue;
      const to = relative(sourceRoot, resolve(sourceRoot, dirname(file), specifier))
        .split(sep)
        .join('/');
      if (!files.includes(to)) {
        if (!existsSync(join(sourceRoot, to)))
          breaches.push(`${file}:${line} imports "${specifier}", which is not there`);
        continue;
      }
      edges.push({ to, isTypeOnly });
      const breach = layerBreach(file, to, isTypeOnly);
      if (breach !== undefined) breaches.push(`${file}:${line} ${breach}`);
      if (KEPT_APART[dirname(file)]?.includes(to) === true)
        breaches.push(`${file}:${line} imports ${to}: ${dirname(file)} does without it (KEPT_APART of layers.ts)`);
    }
  }
  for (const folder of new Set(files.filter((file) => file.includes('/')).map(folderOf))) {
    if (LEVELS[folder] === undefined) breaches.push(`${folder}/ has no level: add it to test/architecture/layers.ts`);
    else if (folder !== 'cli' && !files.includes(`${folder}/index.ts`))
      breaches.push(`${folder}/ has no index.ts: others can import only through it`);
  }
  return [...breaches, ...cycles(graph)];
}

function listFiles(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((file) => file.split(sep).join('/'))
    .filter((file) => file.endsWith('.ts'))
    .toSorted();
}

function folderOf(file: string): string {
  return file.includes('/') ? (file.split('/')[0] ?? '') : '';
}

function layerBreach(from: string, to: string, isTypeOnly: boolean): string | undefined {
  const [a, b] = [folderOf(from), folderOf(to)];
  // The package's entry, src/index.ts, may import any folder's index.
  if (a === b) return undefined;
  if (to !== `${b}/index.ts`) return `imports ${to}: import from ${b}/index.ts`;
  if (a === '') return undefined;
  if (isTypeOnly && TYPES_ALLOWED[a]?.includes(b) === true) return undefined;
  const [levelA, levelB] = [LEVELS[a] ?? 0, LEVELS[b] ?? 0];
  return levelB < levelA
    ? undefined
    : `imports ${b} (level ${levelB}) into ${a} (level ${levelA}): only lower levels can be imported`;
}

/** Cycles of imports that are there at run time; those of types alone do no harm. */
function cycles(graph: ReadonlyMap<string, readonly Edge[]>): string[] {
  const found: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      found.push(`imports go in a circle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
      return;
    }
    state.set(file, 'open');
    for (const edge of graph.get(file) ?? []) if (!edge.isTypeOnly) visit(edge.to, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}
