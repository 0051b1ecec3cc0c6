// The modules that a repository's files lead to: each read once, in the order in which they are evaluated; and what a name
// in one of them stands for, wherever it is declared.

import { createRequire } from 'node:module';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { dirname, join, relative, sep } from 'node:path';
import { type Binding, readSourceModule, type Reference, type SourceModule } from './source-module.ts';
import { looseCandidates } from '../loading/loose-resolution.ts';

/** Where an import leads: a module of the user's, Node's own, this package, or code that is taken as it is. */
export type Resolution =
  | { readonly kind: 'source'; readonly module: SourceModule }
  | { readonly kind: 'builtin'; readonly name: string }
  | { readonly kind: 'headrace' }
  /** A file of a package, or of the user's in CommonJS. */
  | { readonly kind: 'foreign'; readonly path: string };

/** What a name stands for in the end. One object each: two names for one thing are the same object. */
export type Target =
  | {
      readonly kind: 'local';
      readonly module: SourceModule;
      readonly name: string;
      readonly binding: Extract<Binding, { kind: 'local' }>;
    }
  /** All that a module of the user's exports, as an object. */
  | { readonly kind: 'namespace'; readonly module: SourceModule }
  /** `*` is the whole. */
  | { readonly kind: 'builtin'; readonly from: string; readonly name: string }
  | { readonly kind: 'headrace'; readonly name: string }
  | { readonly kind: 'foreign'; readonly from: string; readonly name: string };

export interface ModuleGraph {
  /** The user's modules in the order of evaluation. */
  readonly modules: readonly SourceModule[];
  resolve(module: SourceModule, specifier: string): Resolution;
  /** What a reference means: its own target, and where `ns.name` names a member of a namespace, that member's. */
  targetOf(
    module: SourceModule,
    reference: Reference,
  ): { readonly target: Target; readonly isMember: boolean } | undefined;
  /** What `import('…')` of a specifier gives. */
  dynamicTarget(module: SourceModule, specifier: string): Target | undefined;
  exportOf(module: SourceModule, name: string): Target | undefined;
  /** The names that a module exports, `export *` included, sorted. */
  exportNames(module: SourceModule): readonly string[];
}

/** What the loader resolved: a URL for a specifier in a file. */
export type Resolve = (importer: string, specifier: string) => string | undefined;

/** Reads what `files` (absolute, real paths) lead to. `root` is the repository's folder, `resolved` what the loader did. */
export function readModuleGraph(files: readonly string[], root: string, resolved: Resolve): ModuleGraph {
  const byPath = new Map<string, SourceModule>();
  const order: SourceModule[] = [];
  const resolutions = new Map<string, Resolution>();
  const targets = new Map<string, Target>();

  const read = (path: string): SourceModule => {
    const known = byPath.get(path);
    if (known !== undefined) return known;
    const module = readSourceModule(path, relative(root, path).split(sep).join('/'));
    byPath.set(path, module);
    for (const specifier of module.imports) resolve(module, specifier);
    order.push(module);
    return module;
  };

  const resolve = (module: SourceModule, specifier: string): Resolution => {
    const key = `${module.path}\0${specifier}`;
    const known = resolutions.get(key);
    if (known !== undefined) return known;
    const resolution = resolveAnew(module.path, specifier);
    resolutions.set(key, resolution);
    return resolution;
  };

  const resolveAnew = (importer: string, specifier: string): Resolution => {
    if (specifier === 'headrace') return { kind: 'headrace' };
    const url = resolved(importer, specifier) ?? resolveUnseen(importer, specifier);
    if (url.startsWith('node:')) return { kind: 'builtin', name: url };
    const path = fileURLToPath(url.replace(/\?.*$/, ''));
    return isSource(path, root) ? { kind: 'source', module: read(path) } : { kind: 'foreign', path };
  };

  const intern = (key: string, make: () => Target): Target => {
    const known = targets.get(key);
    if (known !== undefined) return known;
    const target = make();
    targets.set(key, target);
    return target;
  };

  const importedFrom = (
    module: SourceModule,
    specifier: string,
    name: string,
    seen: Set<string>,
  ): Target | undefined => {
    const from = resolve(module, specifier);
    switch (from.kind) {
      case 'source':
        return name === '*'
          ? intern(`*\0${from.module.path}`, () => ({ kind: 'namespace', module: from.module }))
          : findExport(from.module, name, seen);
      case 'builtin':
        // The namespace of one of Node's own modules is as good as the module itself, which is its default.
        return intern(`node\0${from.name}\0${name}`, () => ({
          kind: 'builtin',
          from: from.name,
          name: name === 'default' ? '*' : name,
        }));
      case 'headrace':
        return intern(`headrace\0${name}`, () => ({ kind: 'headrace', name }));
      case 'foreign':
        return intern(`foreign\0${from.path}\0${name}`, () => ({ kind: 'foreign', from: from.path, name }));
    }
  };

  const findExport = (module: SourceModule, name: string, seen: Set<string>): Target | undefined => {
    const key = `${module.path}\0${name}`;
    if (seen.has(key)) return undefined;
    seen.add(key);
    const own = module.exports.get(name);
    if (own?.kind === 'local') return targetOfName(module, own.local, seen);
    if (own !== undefined) return importedFrom(module, own.specifier, own.imported, seen);
    if (name === 'default') return undefined;
    // A package that is exported as a whole is asked last: it is not read here, so anything may be in it.
    const stars = module.stars.toSorted((a, b) => Number(isForeign(module, a)) - Number(isForeign(module, b)));
    for (const specifier of stars) {
      const found = importedFrom(module, specifier, name, seen);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  const isForeign = (module: SourceModule, specifier: string): boolean => resolve(module, specifier).kind !== 'source';

  const targetOfName = (module: SourceModule, name: string, seen = new Set<string>()): Target | undefined => {
    const binding = module.bindings.get(name);
    if (binding === undefined) return undefined;
    if (binding.kind === 'import') return importedFrom(module, binding.specifier, binding.imported, seen);
    return intern(`local\0${module.path}\0${name}`, () => ({ kind: 'local', module, name, binding }));
  };

  const targetOf: ModuleGraph['targetOf'] = (module, reference) => {
    if (reference.isGlobal) return undefined;
    const target = targetOfName(module, reference.node.name);
    if (target === undefined) return undefined;
    if (reference.member !== undefined) {
      const member = memberTarget(target, reference.member.name);
      if (member !== undefined) return { target: member, isMember: true };
    }
    return { target, isMember: false };
  };

  const memberTarget = (target: Target, name: string): Target | undefined => {
    if (target.kind === 'namespace') return findExport(target.module, name, new Set());
    if (target.kind === 'headrace' && target.name === '*')
      return intern(`headrace\0${name}`, () => ({ kind: 'headrace', name }));
    if (target.kind === 'foreign' && target.name === '*')
      return intern(`foreign\0${target.from}\0${name}`, () => ({ kind: 'foreign', from: target.from, name }));
    return undefined;
  };

  const exportNames = (module: SourceModule, seen = new Set<SourceModule>()): string[] => {
    if (seen.has(module)) return [];
    seen.add(module);
    const stars = module.stars.flatMap((specifier) => {
      const from = resolve(module, specifier);
      return from.kind === 'source' ? exportNames(from.module, seen).filter((name) => name !== 'default') : [];
    });
    return [...new Set([...module.exports.keys(), ...stars])].sort();
  };

  for (const file of files) read(file);
  return {
    modules: order,
    resolve,
    targetOf,
    dynamicTarget: (module, specifier) => importedFrom(module, specifier, '*', new Set()),
    exportOf: (module, name) => findExport(module, name, new Set()),
    exportNames,
  };
}

// The loader has seen every import but `import('./x.ts')` in code that did not run.
function resolveUnseen(importer: string, specifier: string): string {
  if (specifier.startsWith('.')) {
    const path = fileURLToPath(new URL(specifier, pathToFileURL(importer)));
    const found = [...looseCandidates(path), path].find((candidate) => existsSync(candidate));
    return pathToFileURL(found === undefined ? path : realpathSync(found)).href;
  }
  const require = createRequire(importer);
  const resolved = require.resolve(specifier);
  return resolved.startsWith('/') || /^[a-z]:\\/i.test(resolved) ? pathToFileURL(resolved).href : builtinUrl(resolved);
}

function builtinUrl(name: string): string {
  return name.startsWith('node:') ? name : `node:${name}`;
}

/** Whether a file is read piece by piece: a module of the user's own. */
function isSource(path: string, root: string): boolean {
  if (/[\\/]node_modules[\\/]/.test(path)) return false;
  if (path.endsWith('.json') || /\.m[jt]s$/.test(path)) return true;
  if (!/\.[jt]s$/.test(path)) return false;
  // As the loader has it: all of the repository's files are modules; beside it, Node's rules hold.
  if (path.startsWith(`${root}${sep}`)) return true;
  const type = packageType(dirname(path));
  if (type === 'module') return true;
  return type !== 'commonjs' && /^\s*(import|export)\b/m.test(readFileSync(path, 'utf8'));
}

/** What the nearest package.json says that a .js file is. */
function packageType(folder: string): unknown {
  const about = join(folder, 'package.json');
  if (existsSync(about)) return (JSON.parse(readFileSync(about, 'utf8')) as { readonly type?: unknown }).type;
  return dirname(folder) === folder ? undefined : packageType(dirname(folder));
}
