// Finds, in the text, the expression of each function that is plainly given to an authoring function: the call stands at a
// module's top level, its name is written out, and so is the member that holds the function.

import { deriveId, nodeId, taskId, transformId } from '../function-id.ts';
import type { ModuleGraph, Target } from './module-graph.ts';
import { referenceAt, type SourceModule } from './source-module.ts';
import { constantText, type FunctionNode, isFunction, keyName, type Node, propertyOf } from './syntax.ts';

export interface Located {
  readonly module: SourceModule;
  /** The expression; of `transform(inputs) { … }`: the whole property. */
  readonly node: Node;
}

/** By id; what stands in several places, or in none that is plain, is left out. */
export function locateFunctions(graph: ModuleGraph): ReadonlyMap<string, Located> {
  const found = new Map<string, Located | undefined>();
  const add = (id: string, located: Located | undefined): void => {
    found.set(id, found.has(id) ? undefined : located);
  };
  for (const module of graph.modules) {
    for (const call of module.calls) {
      for (const [id, node] of functionsOf(graph, module, call))
        add(id, node !== undefined && standsPlainly(graph, module, call, node) ? { module, node } : undefined);
    }
  }
  return new Map([...found].flatMap(([id, located]) => (located === undefined ? [] : [[id, located]])));
}

/** The option that holds a node's function, by what declares the node. */
const NODE_FUNCTIONS: Readonly<Partial<Record<string, string>>> = { functionNode: 'run', routerNode: 'choose' };

type Call = Extract<Node, { type: 'CallExpression' }>;

function functionsOf(graph: ModuleGraph, module: SourceModule, call: Call): (readonly [string, Node | undefined])[] {
  const [first, second] = call.arguments;
  const name = textOf(graph, module, first);
  if (name === undefined || second === undefined) return [];
  const pipeline = pipelineOf(graph, module, call);
  if (pipeline !== undefined) {
    return isCallOf(graph, module, second, 'task') ? [[taskId(pipeline, name), second.arguments[0]]] : [];
  }
  const called = headraceName(graph, module, call.callee);
  if (called === undefined) return [];
  const ofNode = NODE_FUNCTIONS[called];
  if (ofNode !== undefined) {
    const run = functionIn(propertyOf(second, ofNode));
    return run === undefined ? [] : [[nodeId(name), run]];
  }
  const transform = functionIn(propertyOf(second, 'transform'));
  const derive = propertyOf(second, 'derive')?.value;
  return [
    ...(transform === undefined ? [] : [[transformId(name), transform] as const]),
    ...derivedIn(derive).map(([column, node]) => [deriveId(name, column), node] as const),
  ];
}

function derivedIn(derive: Node | undefined): (readonly [string, Node | undefined])[] {
  if (derive?.type !== 'ObjectExpression') return [];
  return derive.properties.flatMap((property) => {
    const column = property.type === 'Property' && !property.computed ? keyName(property.key) : undefined;
    const entry = column === undefined ? undefined : propertyOf(derive, column)?.value;
    if (column === undefined || entry?.type !== 'ArrayExpression') return [];
    const [type, by] = entry.elements;
    const isPlain = type?.type !== 'SpreadElement' && by?.type !== 'SpreadElement';
    return by === null || by === undefined || !isPlain ? [] : [[column, by] as const];
  });
}

function functionIn(property: Extract<Node, { type: 'Property' }> | undefined): Node | undefined {
  if (property === undefined) return undefined;
  // `transform(inputs) { … }`, which without its name is no expression.
  return property.method ? property : property.value;
}

/** The name of the pipeline whose step a call declares, itself or in a group. */
function pipelineOf(graph: ModuleGraph, module: SourceModule, call: Call, method = 'step'): string | undefined {
  const { callee } = call;
  if (callee.type !== 'MemberExpression' || callee.object.type !== 'Identifier') return undefined;
  if (callee.computed || callee.property.type !== 'Identifier' || callee.property.name !== method) return undefined;
  const group = groupOf(module, call, callee.object.name);
  if (group !== undefined) return pipelineOf(graph, module, group.call, 'foreach');
  const target = targetAt(graph, module, callee.object);
  const declared = target === undefined ? undefined : initOf(target);
  if (declared === undefined || !isCallOf(graph, declared.module, declared.node, 'pipeline')) return undefined;
  return textOf(graph, declared.module, declared.node.arguments[0]);
}

/** The function that adds a group's steps, and the call that it is given to. */
interface Group {
  readonly build: FunctionNode;
  readonly call: Call;
}

/** The group around a node whose function calls what it is given by `name`: `p.foreach('country', items, (name) => …)`. */
function groupOf(module: SourceModule, node: Node, name?: string): Group | undefined {
  for (let at = module.parents.get(node); at !== undefined; at = module.parents.get(at)) {
    if (!isFunction(at)) continue;
    const [given] = at.params;
    const call = module.parents.get(at);
    const isBuild = call?.type === 'CallExpression' && call.arguments[2] === at && given?.type === 'Identifier';
    if (!isBuild || (name === undefined ? false : given.name !== name)) continue;
    const { start, end } = at;
    const named = module.innerNames.filter((one) => one.name === given.name && one.at >= start && one.at < end);
    // Another of the same name in it would be another thing.
    return named.length === 1 ? { build: at, call } : undefined;
  }
  return undefined;
}

function isCallOf(graph: ModuleGraph, module: SourceModule, node: Node, name: string): node is Call {
  return node.type === 'CallExpression' && headraceName(graph, module, node.callee) === name;
}

/** Which authoring function a callee is: `parquet`, `headrace.parquet`. */
function headraceName(graph: ModuleGraph, module: SourceModule, callee: Node): string | undefined {
  const head = callee.type === 'MemberExpression' ? callee.object : callee;
  if (head.type !== 'Identifier') return undefined;
  const reference = referenceAt(module, head);
  const found = reference === undefined ? undefined : graph.targetOf(module, reference);
  if (found?.target.kind !== 'headrace') return undefined;
  return found.isMember === (callee.type === 'MemberExpression') ? found.target.name : undefined;
}

function textOf(graph: ModuleGraph, module: SourceModule, node: Node | undefined): string | undefined {
  if (node?.type !== 'Identifier') return constantText(node);
  const target = targetAt(graph, module, node);
  return target === undefined ? undefined : constantText(initOf(target)?.node);
}

function targetAt(graph: ModuleGraph, module: SourceModule, node: Node): Target | undefined {
  const reference = node.type === 'Identifier' ? referenceAt(module, node) : undefined;
  return reference === undefined ? undefined : graph.targetOf(module, reference)?.target;
}

/** What a name was declared to be, when it is that for good. */
function initOf(target: Target): { readonly module: SourceModule; readonly node: Node } | undefined {
  if (target.kind !== 'local' || target.binding.isReassigned) return undefined;
  const declaration = target.binding.units[0]?.node;
  if (declaration?.type !== 'VariableDeclarator' || declaration.id.type !== 'Identifier') return undefined;
  return declaration.init ? { module: target.module, node: declaration.init } : undefined;
}

const STRAIGHT: ReadonlySet<string> = new Set([
  'ArrayExpression',
  'CallExpression',
  'ExportDefaultDeclaration',
  'ExportNamedDeclaration',
  'ExpressionStatement',
  'MemberExpression',
  'ObjectExpression',
  'Program',
  'Property',
  'SpreadElement',
  'VariableDeclaration',
  'VariableDeclarator',
]);

/** What stands there beside, in a group's function. */
const STRAIGHT_IN_GROUP: ReadonlySet<string> = new Set([...STRAIGHT, 'BlockStatement', 'ReturnStatement']);

/**
 * Whether a call is evaluated exactly once, when its module is, in no block with names of its own that `node`, a part of it,
 * means. A group's function is such a block.
 */
function standsPlainly(graph: ModuleGraph, module: SourceModule, call: Call, node: Node): boolean {
  let outermost: Node | undefined;
  let isInGroup = groupOf(module, call) !== undefined;
  for (let at = module.parents.get(call); at !== undefined; at = module.parents.get(at)) {
    if (isFunction(at)) {
      const parent = module.parents.get(at);
      const isBuild = parent?.type === 'CallExpression' && pipelineOf(graph, module, parent, 'foreach') !== undefined;
      if (!isBuild || parent.arguments[2] !== at) return false;
      outermost = at;
      isInGroup = groupOf(module, parent) !== undefined;
    } else if (!(isInGroup ? STRAIGHT_IN_GROUP : STRAIGHT).has(at.type)) return false;
  }
  if (outermost === undefined) return true;
  const isWithin = (place: number): boolean => place >= node.start && place < node.end;
  return module.innerNames.every(({ at, uses }) => isWithin(at) || !uses.some(isWithin));
}
