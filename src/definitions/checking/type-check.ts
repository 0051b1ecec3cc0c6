// Checks the types of a feature repository with the TypeScript compiler, whose types `headrace` are this very program's.

import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import { Mistakes } from '../compile/mistakes.ts';
import { declarationFiles, definitionFiles } from '../loading/repository-files.ts';
import {
  ANY_NODE,
  DEFAULT_OPTIONS,
  findConfigFile,
  loaderOptions,
  nodeTypes,
  nothingMade,
  type OwnOptions,
} from './compiler-options.ts';
import { pathsBase } from './paths-base.ts';
import { inPlainWords } from './plain-words.ts';
import { type Diagnostic, parseDiagnostics, runCompiler } from './run-compiler.ts';
import { readWritten, type WrittenFile } from './written-functions.ts';

export interface TypeCheckOptions {
  /** Folder of the feature repository. */
  readonly repoDirectory: string;
  /** Folder of headrace.config.ts: the repository's tsconfig.json is looked for from its own folder up to here. */
  readonly configDirectory: string;
}

/**
 * Checks the types of the repository's files, those that `loadDefinitions` loads. Throws HR_DEFINITION with every mistake
 * at its place, HR_TYPESCRIPT_UNAVAILABLE when the compiler can't be started. Plain JavaScript is checked where the
 * repository's tsconfig.json says `checkJs`.
 */
export async function typeCheck({ repoDirectory, configDirectory }: TypeCheckOptions): Promise<void> {
  // As the compiler names files: where links lead.
  const directory = await realpath(repoDirectory).catch(() => resolve(repoDirectory));
  const files = await definitionFiles(directory);
  const top = await realpath(configDirectory).catch(() => resolve(configDirectory));
  const config = findConfigFile(directory, top);
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'headrace-types-')));
  try {
    const output = await check(directory, files, config, folder);
    const mistakes = new Mistakes(directory);
    const read = writtenFiles();
    for (const diagnostic of parseDiagnostics(output)) addMistake(mistakes, diagnostic, directory, config, read);
    mistakes.throwIfAny();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function check(
  directory: string,
  files: readonly string[],
  config: string | undefined,
  folder: string,
): Promise<string> {
  const file = join(folder, 'tsconfig.json');
  const base = config === undefined ? {} : { extends: config };
  const defaults = config === undefined ? DEFAULT_OPTIONS : {};
  const typed = files.filter((path) => path.endsWith('ts'));
  const write = (given: object): Promise<void> =>
    // What the repository's configuration includes is not asked: the files are those that are loaded.
    writeFile(file, JSON.stringify({ ...base, files: typed, include: [], references: [], ...given }));
  let own: OwnOptions = {};
  const pathsFrom = (config === undefined ? undefined : pathsBase(config)) ?? directory;
  if (config !== undefined) {
    await write({ compilerOptions: nothingMade(directory) });
    const shown = await runCompiler(['--showConfig', '-p', file], directory);
    // What is wrong with a configuration is told in place of it.
    if (!shown.trimStart().startsWith('{')) return shown;
    own = (JSON.parse(shown) as { compilerOptions?: OwnOptions }).compilerOptions ?? {};
  }
  const node = nodeTypes(directory);
  const anyNode = join(folder, 'any-node.d.ts');
  if (node === undefined) await writeFile(anyNode, ANY_NODE);
  await write({
    compilerOptions: { ...defaults, ...loaderOptions(own, directory, folder, pathsFrom) },
    files: [...(own.checkJs === true ? files : typed), ...(await declarationFiles(directory)), node ?? anyNode],
  });
  return runCompiler(['-p', file, '--pretty', 'false'], directory);
}

/** Each file is read once, when the first mistake in it is told. */
function writtenFiles(): (path: string) => WrittenFile | undefined {
  const files = new Map<string, WrittenFile | undefined>();
  return (path) => {
    if (!files.has(path)) files.set(path, readWritten(path));
    return files.get(path);
  };
}

function addMistake(
  mistakes: Mistakes,
  diagnostic: Diagnostic,
  directory: string,
  config: string | undefined,
  read: (path: string) => WrittenFile | undefined,
): void {
  const { file, line, column, code, message } = diagnostic;
  if (file === undefined) {
    const of = config === undefined ? 'TypeScript' : relative(directory, config);
    mistakes.addFile({ file: of, message: `${message} (${code})` });
    return;
  }
  const path = resolve(directory, file);
  const name = relative(directory, path).split(sep).join('/');
  // Mistakes in what it imports from elsewhere are not the repository's.
  const isOwn = !name.startsWith('../') && !name.includes('node_modules/');
  if (!isOwn && !/tsconfig[^/]*\.json$/.test(name)) return;
  const written = /\.m?[jt]s$/.test(name) ? read(path) : undefined;
  for (const { message: said, position = { line, column } } of inPlainWords(diagnostic, written))
    mistakes.addFile({ file: name, ...position, message: said });
}
