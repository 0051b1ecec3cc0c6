// Which columns of a row a derive function can be seen to read: then nobody needs to get the others.

import { functionOf } from './calmness.ts';
import type { ModuleGraph } from './module-graph.ts';
import { referenceAt, type SourceModule } from './source-module.ts';
import { type FunctionNode, isFunction, keyName, memberName, type Node, walk } from './syntax.ts';

/** Sorted names; undefined when the function may read any. */
export function readColumns(graph: ModuleGraph, module: SourceModule, node: Node): readonly string[] | undefined {
  const found = functionAt(graph, module, node);
  const columns = new Set<string>();
  const isKnown = found !== undefined && addReads(graph, found.module, found.node, 0, columns, new Set());
  return isKnown ? [...columns].sort() : undefined;
}

interface Found {
  readonly module: SourceModule;
  readonly node: FunctionNode;
}

/** The function that an expression is: written there, named, or given by a function that just gives it. */
export function functionAt(graph: ModuleGraph, module: SourceModule, node: Node): Found | undefined {
  if (isFunction(node)) return { module, node };
  const name = node.type === 'MemberExpression' ? node.object : node;
  if (name.type === 'Identifier') {
    const reference = referenceAt(module, name);
    const found = reference === undefined ? undefined : graph.targetOf(module, reference);
    // `rules.late` of `import * as rules`
    if (found === undefined || found.isMember !== (name !== node)) return undefined;
    const { target } = found;
    const declared = functionOf(target);
    if (declared !== undefined || target.kind !== 'local' || target.binding.isReassigned) return declared;
    // `const late = lateAfter(15)`
    const made = target.binding.units[0]?.node;
    const init = made?.type === 'VariableDeclarator' && made.id.type === 'Identifier' ? made.init : undefined;
    return init ? functionAt(graph, target.module, init) : undefined;
  }
  if (node.type === 'CallExpression') {
    const maker = functionAt(graph, module, node.callee);
    const given = maker === undefined ? undefined : givenBy(maker.node);
    return maker === undefined || given === undefined ? undefined : { module: maker.module, node: given };
  }
  return undefined;
}

function givenBy(maker: FunctionNode): FunctionNode | undefined {
  if (maker.async || maker.generator) return undefined;
  if (maker.body.type !== 'BlockStatement') return isFunction(maker.body) ? maker.body : undefined;
  const last = maker.body.body.at(-1);
  const isOnly = maker.body.body.slice(0, -1).every(({ type }) => type.endsWith('Declaration'));
  return isOnly && last?.type === 'ReturnStatement' && isFunction(last.argument) ? last.argument : undefined;
}

/** Adds what a function reads of its parameter number `at`; false when that can't be seen. */
function addReads(
  graph: ModuleGraph,
  module: SourceModule,
  fn: FunctionNode,
  at: number,
  columns: Set<string>,
  seen: Set<string>,
): boolean {
  const key = `${module.path}:${fn.start}:${at}`;
  if (seen.has(key)) return true;
  seen.add(key);
  if (fn.type !== 'ArrowFunctionExpression' && usesArguments(fn)) return false;
  if (fn.params.slice(0, at).some(({ type }) => type === 'RestElement')) return false;
  const param = fn.params[at];
  if (param === undefined) return true;
  if (param.type === 'ObjectPattern') return addPattern(param, columns);
  if (param.type !== 'Identifier') return false;
  const uses = usesOf(fn, param.name);
  return uses?.every((use) => addUse(graph, module, use, columns, seen)) ?? false;
}

/** Adds the members that a pattern takes; false where it may take others. */
export function addPattern(pattern: Extract<Node, { type: 'ObjectPattern' }>, columns: Set<string>): boolean {
  return pattern.properties.every((property) => {
    return addColumn(property.type === 'Property' && !property.computed ? keyName(property.key) : undefined, columns);
  });
}

// What every object has may look at any column: row.hasOwnProperty(…).
function addColumn(name: string | undefined, columns: Set<string>): boolean {
  if (name === undefined || name in Object.prototype) return false;
  columns.add(name);
  return true;
}

/** Adds what is read of something where it is used; false when that can't be seen. */
export function addUse(
  graph: ModuleGraph,
  module: SourceModule,
  use: Node,
  columns: Set<string>,
  seen: Set<string>,
): boolean {
  const parent = module.parents.get(use);
  if (parent?.type === 'MemberExpression' && parent.object === use) {
    return addColumn(memberName(parent), columns);
  }
  if (parent?.type === 'VariableDeclarator' && parent.init === use && parent.id.type === 'ObjectPattern')
    return addPattern(parent.id, columns);
  if (parent?.type !== 'CallExpression' || parent.arguments.some(({ type }) => type === 'SpreadElement')) return false;
  const at = parent.arguments.findIndex((argument) => argument === use);
  const called = at < 0 ? undefined : functionAt(graph, module, parent.callee);
  return called !== undefined && addReads(graph, called.module, called.node, at, columns, seen);
}

/**
 * Where a parameter is used; undefined when its name is declared once more inside, so that uses can't be told apart.
 * `declaration`: the identifier, where it stands in a pattern.
 */
export function usesOf(fn: FunctionNode, name: string, declaration?: Node): Node[] | undefined {
  const uses: Node[] = [];
  let declared = 0;
  walk(fn, (node, parent) => {
    if (node.type !== 'Identifier' || node.name !== name) return;
    if (node === declaration || isDeclared(node, parent)) declared++;
    else if (!isMereName(node, parent)) uses.push(node);
  });
  return declared === 1 ? uses : undefined;
}

function isDeclared(node: Node, parent: Node | undefined): boolean {
  if (parent === undefined) return false;
  if (isFunction(parent)) return parent.id === node || parent.params.some((param) => param === node);
  if (parent.type === 'VariableDeclarator') return parent.id === node;
  return /Pattern$|^RestElement$|^CatchClause$|^Class/.test(parent.type);
}

/** Whether an identifier is a key or a member's name, and no use of anything. */
function isMereName(node: Node, parent: Node | undefined): boolean {
  if (parent?.type === 'MemberExpression') return parent.property === node && !parent.computed;
  const isKeyed =
    parent?.type === 'Property' || parent?.type === 'MethodDefinition' || parent?.type === 'PropertyDefinition';
  return isKeyed && parent.key === node && !parent.computed;
}

export function usesArguments(fn: FunctionNode): boolean {
  let uses = false;
  walk(fn, (node) => {
    if (node.type === 'Identifier' && node.name === 'arguments') uses = true;
    return !uses;
  });
  return uses;
}
