// Bundles the functions of a repository: for each the code that it is with all that it reaches, under the code's hash, and
// a hash of what it reaches that no formatting, and no other version of the bundler, changes.

import { transform } from 'esbuild';
import { messageOf, sha256Hex } from '../../core/index.ts';
import { isTaskId, roleOf, titleOf } from '../function-id.ts';
import type { FunctionRef, UserFunction } from '../manifest.ts';
import { type Effects, findEffects } from './effects.ts';
import { evaluateBundle } from './evaluate-bundle.ts';
import { hashReach } from './hash-reach.ts';
import { judgeCode } from './judge-code.ts';
import { type Linked, linkReach } from './link.ts';
import { linkPackages, type LinkedPackages, type Obstacle } from './link-packages.ts';
import { type Located, locateFunctions } from './locate-functions.ts';
import { type ModuleGraph, readModuleGraph, type Resolve } from './module-graph.ts';
import { type Entry, findReach, meaningsIn, type Reach } from './reach.ts';
import { readColumns } from './read-columns.ts';
import { readInputs } from './read-inputs.ts';
import { placeOf, type SourceModule } from './source-module.ts';
import { isFunction, type Node } from './syntax.ts';

/** A function to bundle, and the export that leads to it, which is where it is looked for if it stands nowhere plainly. */
export interface FunctionToBundle {
  readonly id: string;
  readonly fn: UserFunction;
  /** The file, relative to the repository, and the name of the export. */
  readonly file: string;
  readonly exportName: string;
}

export interface BundledFunction {
  readonly ref: FunctionRef & { readonly bundle: string };
  readonly code: string;
  /** What the bundle holds. */
  readonly fn: UserFunction;
}

/** A mistake in a user's file; line and column from 1. */
export interface BundlingMistake {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
}

export interface Bundles {
  readonly functions: ReadonlyMap<string, BundledFunction>;
  readonly mistakes: readonly BundlingMistake[];
}

/**
 * Bundles `functions`, which the loader found in `files` (absolute, real paths) of the repository in `root`. `resolved`
 * tells where the loader found what they import.
 */
export async function bundleFunctions(
  functions: readonly FunctionToBundle[],
  files: readonly string[],
  root: string,
  resolved: Resolve,
): Promise<Bundles> {
  // Its process starts while the files are read.
  const printerStarts = transform('');
  // Where reading fails first, that is told; else what fails here is, when it is waited for.
  printerStarts.catch(() => {});
  const graph = readModuleGraph(files, root, resolved);
  const effects = findEffects(graph);
  const located = locateFunctions(graph);
  const draft = (one: FunctionToBundle, takesAll: boolean): Draft => {
    const entry = entryOf(graph, one, located.get(one.id));
    const reach = findReach(graph, effects, entry, takesAll);
    return { id: one.id, reach, linked: linkReach(graph, reach, roleOf(one.id)) };
  };
  await printerStarts;
  const first = await bundleDrafts(
    graph,
    effects,
    functions.map((one) => draft(one, false)),
    root,
  );
  // Code that makes its objects in a way that can't be followed is taken with everything around it.
  const rest = functions.filter(({ id }) => first.notFound.includes(id));
  if (rest.length === 0) return first;
  const second = await bundleDrafts(
    graph,
    effects,
    rest.map((one) => draft(one, true)),
    root,
  );
  const lost = second.notFound.map((id) => ({
    file: functions.find((one) => one.id === id)?.file ?? '',
    message: `${titleOf(id)} can't be found in its own module loaded alone. Write the function where its object is declared`,
  }));
  return {
    functions: new Map([...first.functions, ...second.functions]),
    mistakes: [...first.mistakes, ...second.mistakes, ...lost],
  };
}

interface Draft {
  readonly id: string;
  readonly reach: Reach;
  readonly linked: Linked;
}

async function bundleDrafts(
  graph: ModuleGraph,
  effects: Effects,
  drafts: readonly Draft[],
  root: string,
): Promise<Bundles & { readonly notFound: readonly string[] }> {
  const packages = await linkPackages(
    drafts.map(({ linked }) => linked.foreign),
    root,
  );
  const codes = await Promise.all(drafts.map(({ linked }, at) => print(linked, packages.linked[at])));
  const functions = new Map<string, BundledFunction>();
  const mistakes = new Map<string, BundlingMistake>();
  const notFound: string[] = [];
  const evaluated = new Map<string, UserFunction | undefined>();
  drafts.forEach((draft, at) => {
    const { id, reach } = draft;
    const obstacles = packages.linked[at]?.obstacles ?? [];
    const add = (told: readonly KeyedMistake[]): void => {
      for (const { key, ...mistake } of told) if (!mistakes.has(key)) mistakes.set(key, mistake);
    };
    const told = judge(graph, draft, obstacles, false);
    add(told);
    if (told.length > 0) return;
    const code = codes[at] ?? '';
    const bundle = sha256Hex(code);
    try {
      if (!evaluated.has(bundle)) evaluated.set(bundle, evaluateBundle(id, code));
    } catch (thrown) {
      const causes = judge(graph, draft, obstacles, true);
      const file = reach.entry.module.name;
      add(causes.length > 0 ? causes : [{ key: id, file, message: messageOf(thrown) }]);
      return;
    }
    const fn = evaluated.get(bundle);
    if (fn === undefined) {
      notFound.push(id);
      return;
    }
    const reads = readsOf(graph, draft);
    const hash = hashReach(graph, effects, reach, packages.contents);
    functions.set(id, { ref: { id, hash, bundle, ...(reads === undefined ? {} : { reads }) }, code, fn });
  });
  return { functions, mistakes: [...mistakes.values()], notFound };
}

function entryOf(graph: ModuleGraph, one: FunctionToBundle, located: Located | undefined): Entry {
  if (located !== undefined && isTextOf(located, one.fn)) return { kind: 'expression', ...located };
  const module = graph.modules.find(({ name }) => name === one.file);
  if (module === undefined) throw new Error(`${one.file} was not read`);
  return { kind: 'export', module, name: one.exportName, id: one.id };
}

// A call of the same name elsewhere, whose object is the one that counts, would have made another function.
function isTextOf({ module, node }: Located, fn: UserFunction): boolean {
  if (!isFunction(node) && node.type !== 'Property') return true;
  const bare = (text: string): string => text.replaceAll(/[\s;]/g, '');
  return bare(module.text.slice(node.start, node.end)) === bare(String(fn));
}

// The printer makes one text of code that is written in several ways.
async function print(linked: Linked, packages: LinkedPackages | undefined): Promise<string> {
  const { code } = await transform(linked.code, {
    loader: 'js',
    target: 'esnext',
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'silent',
  });
  return ["'use strict';", packages?.code ?? '', code.trim()].filter((part) => part !== '').join('\n');
}

function readsOf(graph: ModuleGraph, { id, reach: { entry } }: Draft): readonly string[] | undefined {
  if (entry.kind !== 'expression') return undefined;
  switch (roleOf(id)) {
    case 'derive':
      return readColumns(graph, entry.module, entry.node);
    case 'transform':
      return readInputs(graph, entry.module, entry.node);
    case 'task':
      return undefined;
  }
}

/** Equal keys are one mistake, which two functions reach. */
interface KeyedMistake extends BundlingMistake {
  readonly key: string;
}

/** What is wrong in what a function reaches; `hasThrown` when its bundle threw as it was run for the first time. */
function judge(
  graph: ModuleGraph,
  { id, reach }: Draft,
  obstacles: readonly Obstacle[],
  hasThrown: boolean,
): KeyedMistake[] {
  const isPure = !isTaskId(id);
  const own = judgeCode(graph, reach, isPure);
  const foreign = obstacles
    .filter(({ kind }) => kind === 'stuck' || (isPure && (kind === 'impure' || hasThrown)))
    .map(({ from, message }) => ({ ...importOf(graph, reach, from), message }));
  return [...own, ...foreign].map(({ module, node, message }) => {
    const place = node === undefined ? undefined : placeOf(module, node.start);
    return {
      key: `${module.path} ${node?.start} ${message}`,
      file: module.name,
      ...place,
      message: `${titleOf(id)} reaches ${message}`,
    };
  });
}

/** Where the user's code uses a foreign module first. */
function importOf(
  graph: ModuleGraph,
  reach: Reach,
  from: string,
): { readonly module: SourceModule; readonly node: Node | undefined } {
  for (const unit of reach.units) {
    const found = meaningsIn(graph, unit).find(({ target }) => target?.kind === 'foreign' && target.from === from);
    if (found !== undefined) return { module: unit.module, node: found.node };
  }
  return { module: reach.entry.module, node: undefined };
}
