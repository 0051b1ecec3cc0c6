// All that a function needs to be what it is: the declarations that it leads to, across modules, and the statements that
// change what those stand for.

import type { Effects } from './effects.ts';
import type { ModuleGraph, Target } from './module-graph.ts';
import { type Reference, referencesIn, type SourceModule, type Unit } from './source-module.ts';
import { constantText, type Node } from './syntax.ts';

/** Where a function begins. */
export type Entry =
  /** An expression in the text that is the function; or the property that is, as `transform(inputs) { … }`. */
  | { readonly kind: 'expression'; readonly module: SourceModule; readonly node: Node }
  /** An export that is, or leads to, the object that holds the function; it is looked up by its id. */
  | { readonly kind: 'export'; readonly module: SourceModule; readonly name: string; readonly id: string };

/** A part of a module's text that is taken as a whole. */
export interface Piece {
  readonly module: SourceModule;
  readonly node: Node;
}

export interface Reach {
  readonly entry: Entry;
  /** In the order in which they are evaluated. The function itself is one of them, of kind `entry`, where it stands in the text. */
  readonly units: readonly Unit[];
  /** Everything that they and the entry mean by names that are no names of functions' own, nor global ones. */
  readonly targets: ReadonlySet<Target>;
  /** Foreign modules that are imported for what they do, by path, in the order of evaluation. */
  readonly bareImports: readonly string[];
}

/** `takesAll`: every unit of all that the entry's module imports, for code that can't be told apart. */
export function findReach(graph: ModuleGraph, effects: Effects, entry: Entry, takesAll = false): Reach {
  const imported = importedBy(graph, entry.module);
  const units = new Set<Unit>([...effects.onGlobals, ...(takesAll ? imported.flatMap((module) => module.units) : [])]);
  const targets = new Set<Target>();
  const modules = new Set<SourceModule>([entry.module]);

  const reach = (target: Target): void => {
    if (targets.has(target)) return;
    targets.add(target);
    for (const unit of effects.on(target)) units.add(unit);
    if (target.kind === 'local') for (const unit of target.binding.units) units.add(unit);
    if (target.kind === 'namespace') for (const [, member] of membersOf(graph, target.module)) reach(member);
  };
  const reachFrom = (piece: Piece): void => {
    for (const { target } of meaningsIn(graph, piece)) if (target !== undefined) reach(target);
  };

  if (entry.kind === 'expression') units.add({ ...entry, kind: 'entry', names: [] });
  else reach(exportedBy(graph, entry));
  // A set that grows while it is walked is walked to its end.
  for (const unit of units) {
    modules.add(unit.module);
    reachFrom(unit);
  }
  const order = new Map(graph.modules.map((module, at) => [module, at]));
  const place = (unit: Unit): number => order.get(unit.module) ?? 0;
  return {
    entry,
    units: [...units].sort((a, b) => place(a) - place(b) || a.node.start - b.node.start),
    targets,
    bareImports: [
      ...new Set(graph.modules.filter((one) => modules.has(one)).flatMap((one) => foreignBareImports(graph, one))),
    ],
  };
}

/** What the export of an entry is. */
export function exportedBy(graph: ModuleGraph, entry: Extract<Entry, { kind: 'export' }>): Target {
  const target = graph.exportOf(entry.module, entry.name);
  if (target === undefined) throw new Error(`${entry.module.name} has no export ${entry.name}`);
  return target;
}

/** What a module exports, by name. */
export function membersOf(graph: ModuleGraph, module: SourceModule): (readonly [string, Target])[] {
  return graph.exportNames(module).flatMap((name) => {
    const member = graph.exportOf(module, name);
    return member === undefined ? [] : [[name, member] as const];
  });
}

/** Something in a piece that stands for something else. */
export interface Meaning {
  /** The identifier; the member of `ns.member`; the whole of `import('…')`. */
  readonly node: Node;
  /** Undefined: a global name. */
  readonly target: Target | undefined;
  /** Of a name. */
  readonly reference?: Reference;
}

/** In the order of the text. */
export function meaningsIn(graph: ModuleGraph, { module, node }: Piece): Meaning[] {
  const names = referencesIn(module, node).map((reference): Meaning => {
    const found = graph.targetOf(module, reference);
    const whole = found?.isMember === true ? reference.member?.node : undefined;
    return { node: whole ?? reference.node, target: found?.target, reference };
  });
  const dynamic = module.dynamicImports.flatMap((expression): Meaning[] => {
    const specifier = constantText(expression.source);
    const isInside = expression.start >= node.start && expression.end <= node.end;
    if (specifier === undefined || !isInside) return [];
    return [{ node: expression, target: graph.dynamicTarget(module, specifier) }];
  });
  return dynamic.length === 0 ? names : [...names, ...dynamic].sort((a, b) => a.node.start - b.node.start);
}

function importedBy(graph: ModuleGraph, module: SourceModule): SourceModule[] {
  const imported = new Set([module]);
  for (const one of imported) {
    for (const specifier of one.imports) {
      const from = graph.resolve(one, specifier);
      if (from.kind === 'source') imported.add(from.module);
    }
  }
  return [...imported];
}

function foreignBareImports(graph: ModuleGraph, module: SourceModule): string[] {
  return module.bareImports.flatMap((specifier) => {
    const from = graph.resolve(module, specifier);
    return from.kind === 'foreign' ? [from.path] : [];
  });
}
