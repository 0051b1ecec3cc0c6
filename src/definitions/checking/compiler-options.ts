// How a repository's files are checked: as strictly as its own tsconfig.json says, and by the loader's rules of what an
// import means.

import { existsSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, parse, resolve } from 'node:path';
import { IS_SOURCE, nodeTypesFolder, PACKAGE_ENTRY } from '../../core/index.ts';

/** What the compiler says of a configuration, as far as we look at it. */
export interface OwnOptions {
  readonly paths?: Readonly<Record<string, readonly string[]>>;
  readonly types?: readonly string[];
  readonly typeRoots?: readonly string[];
  readonly checkJs?: boolean;
}

/**
 * For a repository that says nothing: what slips through without these is found in a training set, or never. Not
 * `noUncheckedIndexedAccess`: a task that does not name the type of its needs, `task(({ fit }) => fit.toSorted(…))`, would
 * have to ask whether they are there.
 */
export const DEFAULT_OPTIONS = {
  target: 'es2024',
  lib: ['es2024', 'esnext.collection', 'esnext.array', 'esnext.iterator'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noImplicitOverride: true,
  noFallthroughCasesInSwitch: true,
  noImplicitReturns: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  erasableSyntaxOnly: true,
};

/** The nearest tsconfig.json of `directory` and its parents, up to `top`. */
export function findConfigFile(directory: string, top: string): string | undefined {
  for (let folder = directory; ; folder = dirname(folder)) {
    const file = join(folder, 'tsconfig.json');
    if (existsSync(file)) return file;
    if (folder === top || dirname(folder) === folder) return undefined;
  }
}

/**
 * What the loader does, whatever the configuration says. `directory` is the repository's, `folder` what the roots of types
 * of `own` are relative to, and `base` its paths.
 */
export function loaderOptions(
  own: OwnOptions,
  directory: string,
  folder: string,
  base: string,
): Readonly<Record<string, unknown>> {
  const paths = Object.entries(own.paths ?? {}).map(([name, to]) => [name, to.map((path) => resolve(base, path))]);
  return {
    // A repository's files are modules, with the extension of their imports or without.
    module: 'preserve',
    moduleResolution: 'bundler',
    moduleDetection: 'force',
    resolveJsonModule: true,
    allowImportingTsExtensions: true,
    // Without a package.json there is nothing that would say what to rewrite them to.
    rewriteRelativeImportExtensions: false,
    customConditions: ['node', ...(IS_SOURCE ? ['headrace-source'] : [])],
    paths: { ...Object.fromEntries(paths), headrace: [PACKAGE_ENTRY] },
    // Those of Node come as a file, see `nodeTypes`.
    types: (own.types ?? []).filter((name) => name !== 'node'),
    typeRoots: own.typeRoots?.map((path) => resolve(folder, path)) ?? typeRoots(directory),
    skipLibCheck: true,
    ...nothingMade(directory),
  };
}

/** Nothing is written, so it does not matter where it would go; but what is said of that may not fit our list of files. */
export function nothingMade(directory: string): Readonly<Record<string, unknown>> {
  return { noEmit: true, composite: false, incremental: false, rootDir: parse(directory).root };
}

// They would be looked for beside the configuration, which is not where the repository is.
function typeRoots(directory: string): string[] {
  const modules = join(directory, 'node_modules');
  const above = dirname(directory) === directory ? [] : typeRoots(dirname(directory));
  return [join(modules, '@types'), modules, ...above].filter((folder) => existsSync(folder));
}

/** The file of Node's types: the repository's, or else ours; undefined when neither has them. */
export function nodeTypes(directory: string): string | undefined {
  const folder = nodeTypesFolder(join(directory, 'any.js')) ?? nodeTypesFolder();
  return folder === undefined ? undefined : join(folder, 'index.d.ts');
}

/** Where nobody has Node's types its names are anything: their absence is no mistake of the repository's. */
export const ANY_NODE = `${['node:*', ...builtinModules].map((name) => `declare module '${name}';`).join('\n')}
declare var Buffer: any, URL: any, URLSearchParams: any, TextDecoder: any, TextEncoder: any, console: any, fetch: any,
  global: any, performance: any, process: any, structuredClone: any, setTimeout: any, clearTimeout: any, crypto: any;
`;
