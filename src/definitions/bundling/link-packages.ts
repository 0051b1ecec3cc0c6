// Foreign code, of npm packages and of the user's CommonJS files: esbuild links what a function takes from it into one
// text, and tells which files that came from.

import { builtinModules } from 'node:module';
import { relative, resolve, sep } from 'node:path';
import type { BuildFailure, BuildOptions, BuildResult, Message, Metafile, Plugin } from 'esbuild';
import { HeadraceError, messageOf } from '../../core/index.ts';
import { createForeignFiles, type ForeignFiles } from './foreign-files.ts';
import type { ForeignName } from './link.ts';
import { isPureBuiltin } from './pure-code.ts';

export interface LinkedPackages {
  /** Statements for one list of names, in its order: they make the names that `as` says. */
  readonly code: string;
  /** What can't travel, or is not pure: each begins with the package's name. */
  readonly obstacles: readonly Obstacle[];
}

export interface Obstacle {
  /** The foreign module that the user's code imports. */
  readonly from: string;
  readonly message: string;
  /**
   * `stuck`: no bundle can hold it. `impure`: no pure function may reach it. `impure where it runs`: a call of `require`, which
   * may never run; where it does it throws.
   */
  readonly kind: 'stuck' | 'impure' | 'impure where it runs';
}

export interface Packages {
  /** In the order of the lists that were asked for. */
  readonly linked: readonly LinkedPackages[];
  /** What the content of each foreign module is, and of all that it leads to, by path. */
  readonly contents: ReadonlyMap<string, string>;
}

const ENTRY = 'headrace-entry';

/** Links each list of names. `root` is the repository's folder. */
export async function linkPackages(lists: readonly (readonly ForeignName[])[], root: string): Promise<Packages> {
  const byKey = new Map(lists.filter((list) => list.length > 0).map((list) => [keyOf(list), list]));
  const distinct = [...byKey.values()];
  if (distinct.length === 0) return { linked: lists.map(() => NOTHING), contents: new Map() };
  const { outputFiles, metafile, warnings } = await linkAll(distinct, root);
  const foreign = createForeignFiles();
  const computed = new Set(warnings.filter(({ id }) => id.startsWith('unsupported-')).map((one) => one.location?.file));
  const linked = lists.map((list): LinkedPackages => {
    if (list.length === 0) return NOTHING;
    const at = [...byKey.keys()].indexOf(keyOf(list));
    const text = outputFiles.find(({ path }) => path.endsWith(`${sep}${at}.js`))?.text ?? '';
    const output = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint === `${ENTRY}:${at}.mjs`);
    const files = Object.keys(output?.inputs ?? {}).filter((file) => output?.inputs[file]?.bytesInOutput !== 0);
    const kept = new Set(output?.imports.map(({ path }) => path));
    const obstacles = list.flatMap(({ from }) =>
      reachedFrom(metafile, relativeTo(root, from))
        .filter((file) => files.includes(file))
        .flatMap((file) => obstaclesIn(metafile, root, file, kept, computed.has(file), foreign))
        .map((obstacle) => ({ ...obstacle, from })),
    );
    return { code: wrapped(text, list), obstacles };
  });
  const paths = new Set(lists.flat().map(({ from }) => from));
  const contents = new Map([...paths].map((path) => [path, contentOf(metafile, root, path, foreign)]));
  return { linked, contents };
}

interface LinkOptions extends BuildOptions {
  readonly write: false;
  readonly metafile: true;
}

async function linkAll(distinct: readonly (readonly ForeignName[])[], root: string): Promise<BuildResult<LinkOptions>> {
  const { build } = await import('esbuild');
  const options = linkOptions(distinct, root);
  try {
    return await build(options);
  } catch (thrown) {
    // What a package asks for only when it is there is left to be asked for.
    const errors = errorsOf(thrown);
    const missing = errors.flatMap(({ text }) => /^Could not resolve "(.+?)"/.exec(text)?.[1] ?? []);
    if (missing.length === 0 || missing.length < errors.length) throw unlinkable(errors, thrown);
    return build({ ...options, external: missing });
  }
}

function errorsOf(thrown: unknown): readonly Message[] {
  // esbuild's own failures carry what it found.
  return thrown instanceof Error && 'errors' in thrown ? (thrown as BuildFailure).errors : [];
}

function unlinkable(errors: readonly Message[], cause: unknown): HeadraceError {
  const details = errors.map(({ text, location }) => ({ path: location?.file ?? 'a package', message: text }));
  const told = details[0] === undefined ? messageOf(cause) : `${details[0].path}: ${details[0].message}`;
  return new HeadraceError(
    'HR_DEFINITION',
    `the packages that functions of the feature repository use can't be bundled: ${told}. Use other ones, or do it in a python(…) step.`,
    { details, cause },
  );
}

function linkOptions(distinct: readonly (readonly ForeignName[])[], root: string): LinkOptions {
  return {
    entryPoints: distinct.map((_, at) => ({ in: `${ENTRY}:${at}.mjs`, out: String(at) })),
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'cjs',
    target: 'esnext',
    charset: 'utf8',
    absWorkingDir: root,
    outdir: resolve(root, 'out'),
    // As Node resolves them.
    mainFields: ['main'],
    conditions: ['module-sync'],
    define: { 'process.env.NODE_ENV': '"production"' },
    // Whole: names of files, which lie elsewhere on another machine, are left in the text otherwise.
    minify: true,
    keepNames: true,
    legalComments: 'none',
    // A bundle has no loader of its own: what is imported later is there from the start.
    supported: { 'dynamic-import': false },
    logLevel: 'silent',
    logOverride: { 'unsupported-require-call': 'warning', 'unsupported-dynamic-import': 'warning' },
    plugins: [entries(distinct, root), builtins, natives],
  };
}

function keyOf(list: readonly ForeignName[]): string {
  return JSON.stringify(list.map(({ from, name }) => [from, name]));
}

const NOTHING: LinkedPackages = { code: '', obstacles: [] };

function wrapped(text: string, list: readonly ForeignName[]): string {
  const names = list.flatMap(({ as }, at) => (as === undefined ? [] : [`n${at}: ${as}`]));
  const code = `(() => {\nconst module = { exports: {} };\nconst exports = module.exports;\n${text.trim()}\nreturn module.exports;\n})()`;
  return names.length === 0 ? `${code};` : `const { ${names.join(', ')} } = ${code};`;
}

// One module for each list: it exports the n-th name as n0, n1, …
function entries(lists: readonly (readonly ForeignName[])[], root: string): Plugin {
  return {
    name: ENTRY,
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^${ENTRY}:`) }, ({ path }) => ({
        path: path.slice(ENTRY.length + 1),
        namespace: ENTRY,
      }));
      onLoad({ filter: /./, namespace: ENTRY }, ({ path }) => ({
        contents: (lists[Number.parseInt(path, 10)] ?? []).map(exportText).join('\n'),
        resolveDir: root,
        loader: 'js',
      }));
    },
  };
}

function exportText({ from, name }: ForeignName, at: number): string {
  const source = JSON.stringify(from);
  if (name === undefined) return `import ${source};`;
  return name === '*'
    ? `export * as n${at} from ${source};`
    : `export { ${exportedName(name)} as n${at} } from ${source};`;
}

function exportedName(name: string): string {
  return /^[\w$]+$/.test(name) ? name : JSON.stringify(name);
}

const BUILTINS = new RegExp(`^(node:.*|${builtinModules.map((name) => name.replaceAll('/', '\\/')).join('|')})$`);

// Loading one of Node's modules does nothing by itself: an import that nobody uses goes.
const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve }) {
    onResolve({ filter: BUILTINS }, ({ path }) => ({
      path: path.startsWith('node:') ? path : `node:${path}`,
      external: true,
      sideEffects: false,
    }));
  },
};

const natives: Plugin = {
  name: 'natives',
  setup({ onResolve }) {
    onResolve({ filter: /\.node$/ }, ({ path }) => ({ path, external: true }));
  },
};

const NATIVE_LOADERS =
  /(^|\/)node_modules\/(bindings|node-gyp-build|node-gyp-build-optional-packages|@mapbox\/node-pre-gyp|node-pre-gyp)\//;

function obstaclesIn(
  metafile: Metafile,
  root: string,
  file: string,
  kept: ReadonlySet<string>,
  isComputed: boolean,
  foreign: ForeignFiles,
): Omit<Obstacle, 'from'>[] {
  const { title } = foreign.fileAt(resolve(root, file));
  const outside = (metafile.inputs[file]?.imports ?? []).filter((one) => one.external === true && kept.has(one.path));
  const obstacles: Omit<Obstacle, 'from'>[] = [];
  if (NATIVE_LOADERS.test(file) || outside.some(({ path }) => path.endsWith('.node')))
    obstacles.push({
      kind: 'stuck',
      message: `${title}, which loads a native module: it is made for one kind of machine. Use a package in plain JavaScript, or do this in a python(…) step`,
    });
  if (isComputed)
    obstacles.push({
      kind: 'stuck',
      message: `${title}, which imports a module whose name it computes (${file}): what it will load is not known when the code is bundled. Use another package`,
    });
  // Of node:crypto a pure function finds what has no chance in it.
  for (const { path, kind } of outside)
    if (path.startsWith('node:') && path !== 'node:crypto' && !isPureBuiltin(path, '*'))
      obstacles.push({
        kind: kind === 'require-call' ? 'impure where it runs' : 'impure',
        message: `${title}, which imports ${path}: a pure function may not. Use another package, or do this before, in a source`,
      });
  return obstacles;
}

/** The files that one leads to, itself first; as esbuild names them. */
function reachedFrom(metafile: Metafile, file: string): string[] {
  const reached = new Set([file]);
  for (const one of reached) {
    for (const next of metafile.inputs[one]?.imports ?? []) if (next.external !== true) reached.add(next.path);
  }
  return [...reached];
}

// What the linker left out counts too: which files those are may change with its version.
function contentOf(metafile: Metafile, root: string, path: string, foreign: ForeignFiles): string {
  const told = reachedFrom(metafile, relativeTo(root, path)).map((file) => foreign.contentAt(resolve(root, file)));
  return JSON.stringify(told.sort((a, b) => (a.join() < b.join() ? -1 : 1)));
}

function relativeTo(root: string, path: string): string {
  return relative(root, path).split(sep).join('/');
}
