// Which file imports which, by the text of the sources: static and dynamic imports, and programs and other files named by
// `new URL('…', import.meta.url)`. Types alone are no import, since they change no behaviour.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from '../root.ts';

const FOLDERS = ['src', 'test', 'scripts', 'bench', 'load-tests', 'feature_repo', 'templates'];
const SOURCE = /\.(ts|mjs|js)$/;
const IMPORTS = [
  /^\s*(?:import|export)\s+(?!type\b)(?:[^'";]*?\sfrom\s+)?['"](\.[^'"]+)['"]/gm,
  /\bimport\(\s*['"](\.[^'"]+)['"]\s*\)/g,
  /new URL\(\s*['"](\.[^'"]+\.\w+)['"]\s*,\s*import\.meta\.url\s*\)/g,
];

export interface ImportGraph {
  readonly testFiles: readonly string[];
  /** How many imports lie between each test file that reaches `file`, which may be gone, and it; 0 for `file` itself. */
  distances(file: string): ReadonlyMap<string, number>;
}

export function readImportGraph(project: string = root): ImportGraph {
  const files = FOLDERS.filter((folder) => existsSync(join(project, folder))).flatMap((folder) =>
    readdirSync(join(project, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => SOURCE.test(name) && !name.includes('node_modules'))
      .map((name) => join(folder, name)),
  );
  const importers = new Map<string, Set<string>>();
  for (const file of files) {
    const text = readFileSync(join(project, file), 'utf8');
    for (const pattern of IMPORTS)
      for (const [, path = ''] of text.matchAll(pattern)) {
        const imported = relative(project, join(project, dirname(file), path));
        const known = importers.get(imported) ?? new Set();
        importers.set(imported, known.add(file));
      }
  }
  return {
    testFiles: files.filter((file) => file.endsWith('.test.ts')),
    distances(file) {
      const reached = new Map([[file, 0]]);
      // A Map goes over what is added to it meanwhile.
      for (const [one, distance] of reached)
        for (const importer of importers.get(one) ?? [])
          if (!reached.has(importer)) reached.set(importer, distance + 1);
      return new Map([...reached].filter(([one]) => one.endsWith('.test.ts')));
    },
  };
}
