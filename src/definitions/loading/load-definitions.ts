// Loads a feature repository: imports every file of it, collects what they export, bundles their functions, compiles.

import { realpath } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import { compareTexts } from '../../core/index.ts';
import type { FunctionToBundle } from '../bundling/bundle-functions.ts';
import { findFunctions, type FoundFunction, objectsIn, ownFunctions } from '../bundling/find-functions.ts';
import { withSchemaFiles } from '../bundling/schema-files.ts';
import { withStepFiles } from '../bundling/step-files.ts';
import { type Exported, inOrder } from '../compile/collect.ts';
import { compileDefinitions } from '../compile/compile-definitions.ts';
import { referByText, type ReferTo } from '../compile/function-table.ts';
import { Mistakes } from '../compile/mistakes.ts';
import { TakenAlong } from '../compile/taken-along.ts';
import type { Definitions } from '../manifest.ts';
import { importMistake } from './import-mistake.ts';
import { createImporter, resolvedImport } from './module-loader.ts';
import { definitionFiles } from './repository-files.ts';

/**
 * Loads the feature repository in `repoDirectory`: all its .ts, .mts, .js and .mjs files, but for tests, configuration
 * files, hidden folders, `node_modules` and `data`. Called again it reads the files anew.
 * Throws HR_DEFINITION with every mistake at once; a file that cannot be imported is one.
 */
export async function loadDefinitions(repoDirectory: string, project: string): Promise<Definitions> {
  const directory = resolve(repoDirectory);
  const files = await definitionFiles(directory);
  const importFile = createImporter(directory);
  const mistakes = new Mistakes(directory);
  const takenAlong = new TakenAlong();
  const exports: Exported[] = [];
  for (const path of files) {
    const file = relative(directory, path).split(sep).join('/');
    try {
      const module = await importFile(path);
      for (const [name, exported] of Object.entries(module))
        for (const value of objectsIn(exported)) exports.push({ file, name, value });
    } catch (cause) {
      mistakes.addFile(importMistake(cause, await realpath(path), await realpath(directory)));
    }
  }
  // What a broken file would have exported is missing; the mistakes that this alone makes would only confuse.
  mistakes.throwIfAny();
  const functions = functionsToBundle(exports);
  const options = { project, directory, mistakes, takenAlong };
  if (functions.length === 0) return withFiles(compileDefinitions(exports, options), takenAlong);
  const root = await realpath(directory);
  const real = await Promise.all(files.map((path) => realpath(path)));
  // What reads and links code is loaded by those alone who need it.
  const { bundleFunctions } = await import('../bundling/bundle-functions.ts');
  const bundled = await bundleFunctions(functions, real, root, resolvedImport);
  for (const mistake of bundled.mistakes) mistakes.addFile(mistake);
  const functionRef: ReferTo = (id, fn) => bundled.functions.get(id)?.ref ?? referByText(id, fn);
  const compiled = compileDefinitions(exports, { ...options, functionRef });
  const all = [...bundled.functions.values()].filter(({ ref }) => compiled.functions.has(ref.id));
  const whole = {
    ...compiled,
    // What travels is what runs here too.
    functions: new Map(all.map(({ ref, fn }) => [ref.id, fn])),
    bundles: new Map(all.map(({ ref, code }) => [ref.bundle, code])),
  };
  return withFiles(whole, takenAlong);
}

/** With what travels beside functions. */
async function withFiles(definitions: Definitions, takenAlong: TakenAlong): Promise<Definitions> {
  return withSchemaFiles(await withStepFiles(definitions, takenAlong));
}

/** Every function of the repository once, with the export that leads to it: that of its own object, where there is one. */
function functionsToBundle(exports: readonly Exported[]): FunctionToBundle[] {
  const found = new Map<string, FunctionToBundle>();
  const sorted = inOrder(exports);
  const add = ({ file, name }: Exported, functions: Iterable<FoundFunction>): void => {
    for (const one of functions) if (!found.has(one.id)) found.set(one.id, { ...one, file, exportName: name });
  };
  for (const one of sorted) add(one, ownFunctions(one.value));
  for (const one of sorted) add(one, findFunctions([one.value]));
  return [...found.values()].sort((a, b) => compareTexts(a.id, b.id));
}
