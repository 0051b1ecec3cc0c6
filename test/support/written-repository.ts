// Feature repositories written to temporary folders, which are gone after the test that asks for them, and what loading them gives.

import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type ErrorCode, type ErrorDetail, HeadraceError } from '../../src/core/index.ts';
import { type Definitions, type FunctionRef, loadDefinitions } from '../../src/definitions/index.ts';

export type Files = Readonly<Record<string, string>>;

/** A new folder with these files; its real path. */
export async function writeRepository(files: Files): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'headrace-repository-')));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFiles(folder, files);
  return folder;
}

export async function writeFiles(folder: string, files: Files): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

export async function loadFiles(files: Files): Promise<Definitions> {
  return loadDefinitions(await writeRepository(files), 'p');
}

/** The error of a repository that does not load. */
export async function loadingError(files: Files): Promise<HeadraceError> {
  return failureOf(loadFiles(files));
}

/** The mistakes in a repository that does not load. */
export async function loadingMistakes(files: Files): Promise<readonly ErrorDetail[]> {
  return (await loadingError(files)).details;
}

/** How the manifest refers to its functions, by id. */
export function functionRefs({ manifest }: Definitions): Record<string, FunctionRef> {
  const derived = Object.values(manifest.sources).flatMap(({ derive }) =>
    derive.flatMap(({ by }) => (by.kind === 'function' ? [by.function] : [])),
  );
  const transforms = Object.values(manifest.onDemandViews).map(({ transform }) => transform);
  const tasks = Object.values(manifest.pipelines).flatMap(({ steps }) =>
    steps.flatMap(({ action }) => (action.kind === 'task' ? [action.function] : [])),
  );
  return Object.fromEntries([...derived, ...transforms, ...tasks].map((ref) => [ref.id, ref]));
}

/** Calls a function of the definitions with any arguments. */
export function callFunction({ functions }: Definitions, id: string, ...given: unknown[]): unknown {
  const fn = functions.get(id);
  if (fn === undefined) throw new Error(`no function ${id}`);
  // The tests know what their functions take.
  return (fn as (...args: unknown[]) => unknown)(...given);
}

/** The error of the catalogue that a promise rejects with. */
export async function failureOf(promise: Promise<unknown>, code: ErrorCode = 'HR_DEFINITION'): Promise<HeadraceError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'HeadraceError', code });
  // Checked above.
  return error as HeadraceError;
}

/** An on-demand view `v` in plain words: its transform is the text given. */
export function viewText(transform: string, name = 'v'): string {
  return `export const ${name} = onDemandView('${name}', {
  inputs: { request: { x: t.float64() } }, features: { y: t.float64() }, transform: ${transform},
});\n`;
}

export const IMPORTS = `import { onDemandView, parquet, pipeline, sql, t, task } from 'headrace';\n`;

/** A source `s` whose derived column `d` is the text given. */
export function sourceText(derive: string, name = 's'): string {
  return `export const ${name} = parquet('${name}', {
  path: 'x.parquet', columns: { id: t.string(), delay: t.float64(), miles: t.float64(), at: t.timestamp() },
  derive: { d: [t.float64(), ${derive}] }, eventTime: 'at',
});\n`;
}

/** A package of npm in the repository, of one file. */
export const packageOf = (name: string, index: string): Files => ({
  [`node_modules/${name}/package.json`]: `{"name":"${name}","version":"1.0.0"}`,
  [`node_modules/${name}/index.js`]: index,
});
