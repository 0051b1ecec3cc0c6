// Which statements at the top level of modules may change what a name stands for: `rules.push(…)`, `limit = 5`,
// `fill(table)`. Whoever reaches the name then reaches these too. Where that can't be told it is taken to be so.

import { SETS_UP } from './calm-names.ts';
import { type Calmness, createCalmness, functionOf } from './calmness.ts';
import type { ModuleGraph, Target } from './module-graph.ts';
import { referenceAt, referencesIn, type SourceModule, type Unit } from './source-module.ts';
import { headOf, isFunction, memberName, type Node } from './syntax.ts';

export interface Effects {
  /** The statements and declarations that may change what a target stands for, in the order of evaluation. */
  on(target: Target): readonly Unit[];
  /** Those that change what belongs to everyone, such as `Array.prototype`. */
  readonly onGlobals: readonly Unit[];
}

/** All names of one foreign module are one thing: `dayjs.extend(…)` changes every dayjs. */
type Thing = Target | string;

const thingOf = (target: Target): Thing => (target.kind === 'foreign' ? target.from : target);

export function findEffects(graph: ModuleGraph): Effects {
  const calmness = createCalmness(graph);
  const found: { readonly unit: Unit; readonly changed: ReadonlySet<Target> }[] = [];
  const onGlobals: Unit[] = [];
  for (const unit of graph.modules.flatMap((module) => module.units)) {
    const { changed, changesGlobals } = changesOf(graph, calmness, unit);
    if (changesGlobals) onGlobals.push(unit);
    if (changed.size > 0) found.push({ unit, changed });
  }
  // After `table.set('a', rules)` a change of the table may be one of the rules.
  const holds = new Map<Thing, Set<Target>>();
  for (const { unit, changed } of found) {
    const put = targetsIn(graph, unit.module, unit.node);
    for (const target of changed) {
      const known = holds.get(thingOf(target)) ?? new Set();
      for (const one of put) known.add(one);
      holds.set(thingOf(target), known);
    }
  }
  const units = new Map<Thing, Unit[]>();
  for (const { unit, changed } of found) {
    const all = new Set<Thing>([...changed].map(thingOf));
    for (const target of reachableFrom(
      graph,
      [...changed].filter((one) => !isAuthored(graph, one)),
      holds,
    )) {
      if (isMutable(graph, target)) all.add(thingOf(target));
    }
    for (const thing of all) {
      const isItself = typeof thing !== 'string' && thing.kind === 'local' && thing.binding.units.includes(unit);
      if (!isItself) units.set(thing, [...(units.get(thing) ?? []), unit]);
    }
  }
  return { on: (target) => units.get(thingOf(target)) ?? [], onGlobals };
}

/** What the evaluation of a unit may change, but for the names that it declares. */
function changesOf(
  graph: ModuleGraph,
  calmness: Calmness,
  unit: Unit,
): { readonly changed: Set<Target>; readonly changesGlobals: boolean } {
  const { module } = unit;
  const changed = new Set<Target>();
  let changesGlobals = false;

  const change = (node: Node): void => {
    const head = headOf(node);
    const reference = head === undefined ? undefined : referenceAt(module, head);
    if (reference === undefined) return;
    if (reference.isGlobal) changesGlobals ||= node.type === 'MemberExpression' || node.type === 'ChainExpression';
    const target = graph.targetOf(module, reference);
    if (target !== undefined) changed.add(target.target);
  };

  const call = (
    node: Extract<Node, { type: 'CallExpression' | 'NewExpression' | 'TaggedTemplateExpression' }>,
  ): void => {
    const callee = node.type === 'TaggedTemplateExpression' ? node.tag : node.callee;
    const head = headOf(callee);
    const reference = head === undefined ? undefined : referenceAt(module, head);
    const target = reference === undefined ? undefined : graph.targetOf(module, reference)?.target;
    const isOwnFunction = target !== undefined && callee.type === 'Identifier' && functionOf(target) !== undefined;
    const isMereUse = target?.kind === 'foreign' && isUse(module, node, callee);
    if (target !== undefined) {
      if (!isOwnFunction && !isMereUse) changed.add(target);
      // A pipeline's steps are its own: `p.step(…)` changes nothing that it is given.
      if (isAuthored(graph, target)) return;
    }
    // A package is changed by a function that names it, or that is given it.
    for (const one of reachableFrom(graph, targetsIn(graph, module, node))) {
      if (one.kind === 'foreign' ? isOwnFunction : isMutable(graph, one)) changed.add(one);
    }
    if (changesGlobalsOf(node)) changesGlobals = true;
  };

  // Object.assign(Array.prototype, …), Object.defineProperty(globalThis, …)
  const changesGlobalsOf = (node: Node): boolean => {
    if (node.type !== 'CallExpression') return false;
    const [first] = node.arguments;
    const head = first === undefined || first.type === 'SpreadElement' ? undefined : headOf(first);
    return head !== undefined && referenceAt(module, head)?.isGlobal === true && head.name !== 'undefined';
  };

  for (const node of module.actions) {
    if (node.start < unit.node.start || node.end > unit.node.end) continue;
    switch (node.type) {
      case 'AssignmentExpression':
        for (const written of writtenIn(node.left)) change(written);
        break;
      case 'UpdateExpression':
        change(node.argument);
        break;
      case 'UnaryExpression':
        if (node.operator === 'delete') change(node.argument);
        break;
      case 'ForInStatement':
      case 'ForOfStatement':
        if (node.left.type !== 'VariableDeclaration') for (const written of writtenIn(node.left)) change(written);
        break;
      case 'CallExpression':
      case 'NewExpression':
      case 'TaggedTemplateExpression':
        if (!calmness.isCalm(module, node)) call(node);
        break;
      default:
    }
  }
  return { changed, changesGlobals };
}

// A package is taken to be set up by calls that say so, or whose result nobody takes: `dayjs.extend(utc)`.
function isUse(module: SourceModule, call: Node, callee: Node): boolean {
  const name =
    callee.type === 'MemberExpression' ? memberName(callee) : callee.type === 'Identifier' ? callee.name : '';
  return module.parents.get(call)?.type !== 'ExpressionStatement' && !SETS_UP.test(name ?? '');
}

/** The names and members that an assignment writes. */
function writtenIn(pattern: Node): Node[] {
  switch (pattern.type) {
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) =>
        writtenIn(property.type === 'Property' ? property.value : property.argument),
      );
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element === null ? [] : writtenIn(element)));
    case 'AssignmentPattern':
      return writtenIn(pattern.left);
    case 'RestElement':
      return writtenIn(pattern.argument);
    default:
      return [pattern];
  }
}

function targetsIn(graph: ModuleGraph, module: SourceModule, node: Node): Target[] {
  return referencesIn(module, node).flatMap((reference) => graph.targetOf(module, reference)?.target ?? []);
}

/** `roots`, and all that their declarations lead to; `holds` are things put into others later. */
function reachableFrom(
  graph: ModuleGraph,
  roots: readonly Target[],
  holds?: ReadonlyMap<Thing, ReadonlySet<Target>>,
): Set<Target> {
  const reached = new Set<Target>(roots);
  for (const target of reached) {
    for (const next of declaredBy(graph, target)) reached.add(next);
    for (const next of holds?.get(thingOf(target)) ?? []) reached.add(next);
  }
  return reached;
}

function declaredBy(graph: ModuleGraph, target: Target): Target[] {
  if (target.kind === 'local') return target.binding.units.flatMap((unit) => targetsIn(graph, unit.module, unit.node));
  if (target.kind !== 'namespace') return [];
  return graph.exportNames(target.module).flatMap((name) => graph.exportOf(target.module, name) ?? []);
}

/** Whether what a name stands for can change after its declaration, be it in place. */
function isMutable(graph: ModuleGraph, target: Target): boolean {
  if (target.kind !== 'local') return false;
  if (target.binding.isReassigned) return true;
  return target.binding.units.some((unit) => {
    const { node } = unit;
    if (unit.kind === 'function' || unit.kind === 'class') return false;
    const made = node.type === 'VariableDeclarator' ? node.init : node;
    return made !== null && made !== undefined && mayBeMutable(graph, unit.module, made, node);
  });
}

function mayBeMutable(graph: ModuleGraph, module: SourceModule, made: Node, declaration: Node): boolean {
  if (isFunction(made)) return false;
  switch (made.type) {
    case 'Literal':
    case 'TemplateLiteral':
    case 'UnaryExpression':
    case 'BinaryExpression':
    case 'ClassExpression':
    case 'ClassDeclaration':
      return false;
    case 'Identifier': {
      const reference = referenceAt(module, made);
      const target = reference === undefined ? undefined : graph.targetOf(module, reference)?.target;
      return target !== undefined && isMutable(graph, target);
    }
    case 'CallExpression':
      return declaration.type === 'VariableDeclarator' && declaration.id.type !== 'Identifier'
        ? true
        : !isHeadraceCall(graph, module, made);
    default:
      return true;
  }
}

/** Whether a name stands for an object of the authoring API. */
export function isAuthored(graph: ModuleGraph, target: Target): boolean {
  if (target.kind !== 'local' || target.binding.isReassigned) return false;
  const unit = target.binding.units[0];
  const made = unit?.node.type === 'VariableDeclarator' ? unit.node.init : unit?.node;
  return unit !== undefined && made?.type === 'CallExpression' && isHeadraceCall(graph, unit.module, made);
}

function isHeadraceCall(graph: ModuleGraph, module: SourceModule, call: Node): boolean {
  let at: Node = call;
  while (at.type === 'CallExpression' || at.type === 'MemberExpression')
    at = at.type === 'CallExpression' ? at.callee : at.object;
  if (at.type !== 'Identifier') return false;
  const reference = referenceAt(module, at);
  return reference !== undefined && graph.targetOf(module, reference)?.target.kind === 'headrace';
}
