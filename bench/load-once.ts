// One load of a feature repository in a process of its own: `load-once.ts FOLDER floor|load|check` prints its seconds. The
// floor imports the files and compiles what they export, and bundles nothing.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { compileDefinitions, type Exported, loadDefinitions, typeCheck } from '../src/definitions/index.ts';
import { createImporter } from '../src/definitions/loading/module-loader.ts';

const [folder = '', what = ''] = process.argv.slice(2);
const begin = performance.now();
if (what === 'load') await loadDefinitions(folder, 'bench');
else if (what === 'check') await typeCheck({ repoDirectory: folder, configDirectory: folder });
else await compileOnly();
console.log((performance.now() - begin) / 1000);

async function compileOnly(): Promise<void> {
  const exports: Exported[] = [];
  const importFile = createImporter(folder);
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.ts')).toSorted()) {
    for (const [name, value] of Object.entries(await importFile(join(folder, file))))
      exports.push({ file, name, value });
  }
  compileDefinitions(exports, { project: 'bench', directory: folder });
}
