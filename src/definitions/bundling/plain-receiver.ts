// Whether a method that is called like one of the language's own is that one: `rules.map(…)` of an array is, `registry.with(…)`
// of an object of the user's may be anything.

import { CALLING_METHODS, CALM_GLOBALS, CALM_METHODS } from './calm-names.ts';
import type { ModuleGraph, Target } from './module-graph.ts';
import { referenceAt, type SourceModule } from './source-module.ts';
import { headOf, isFunction, keyName, memberName, type Node, propertyOf } from './syntax.ts';

/** How far names are followed; what lies further is taken to be anything. */
const MOST_STEPS = 8;

/** Whether `method` of what `node` is can only be the language's own. Names of a function's own are taken to hold plain data. */
export function isPlainReceiver(
  graph: ModuleGraph,
  module: SourceModule,
  node: Node,
  method: string,
  steps = MOST_STEPS,
): boolean {
  if (steps === 0) return false;
  const isPlain = (one: Node, from = module): boolean => isPlainReceiver(graph, from, one, method, steps - 1);
  switch (node.type) {
    case 'Literal':
    case 'TemplateLiteral':
    case 'BinaryExpression':
    case 'UnaryExpression':
      return true;
    case 'ArrayExpression':
      return node.elements.every((element) => element === null || isPlain(element));
    case 'ObjectExpression':
      return node.properties.every((property) => {
        if (property.type !== 'Property') return isPlain(property.argument);
        return !property.computed && keyName(property.key) !== method && isPlain(property.value);
      });
    case 'SpreadElement':
      return isPlain(node.argument);
    case 'ChainExpression':
      return isPlain(node.expression);
    case 'ConditionalExpression':
      return isPlain(node.consequent) && isPlain(node.alternate);
    case 'LogicalExpression':
      return isPlain(node.left) && isPlain(node.right);
    case 'NewExpression':
      return isCalmGlobal(module, node.callee);
    case 'CallExpression':
      return isPlainCall(graph, module, node, isPlain);
    case 'MemberExpression':
      return isCalmGlobal(module, node.object) || isPlain(memberOf(graph, module, node) ?? node.object);
    case 'Identifier': {
      const reference = referenceAt(module, node);
      if (reference === undefined || reference.isGlobal) return true;
      const target = graph.targetOf(module, reference)?.target;
      if (target === undefined || target.kind === 'namespace') return false;
      const made = madeAs(target);
      return target.kind !== 'local' || (made !== undefined && isPlain(made.node, made.module));
    }
    default:
      return isFunction(node);
  }
}

function isPlainCall(
  graph: ModuleGraph,
  module: SourceModule,
  { callee }: Extract<Node, { type: 'CallExpression' }>,
  isPlain: (node: Node) => boolean,
): boolean {
  const head = headOfCalls(callee);
  const reference = head === undefined ? undefined : referenceAt(module, head);
  // What the authoring functions give has no method of such a name.
  if (reference !== undefined && graph.targetOf(module, reference)?.target.kind === 'headrace') return true;
  if (callee.type !== 'MemberExpression') return isCalmGlobal(module, callee);
  if (isCalmGlobal(module, callee.object) || isGlobal(module, callee.object, 'Object')) return true;
  const name = memberName(callee) ?? '';
  return (CALM_METHODS.has(name) || CALLING_METHODS.has(name)) && isPlain(callee.object);
}

function headOfCalls(node: Node): ReturnType<typeof headOf> {
  let at = node;
  while (at.type === 'CallExpression' || at.type === 'MemberExpression')
    at = at.type === 'CallExpression' ? at.callee : at.object;
  return headOf(at);
}

/** What `all.name` is, where `all` is an object that is written out. */
function memberOf(
  graph: ModuleGraph,
  module: SourceModule,
  node: Extract<Node, { type: 'MemberExpression' }>,
): Node | undefined {
  const name = memberName(node);
  const reference = node.object.type === 'Identifier' ? referenceAt(module, node.object) : undefined;
  const target = reference === undefined ? undefined : graph.targetOf(module, reference)?.target;
  const made = target === undefined ? undefined : madeAs(target);
  // Of another module, its names would have to be looked up there.
  if (name === undefined || made === undefined || made.module !== module) return undefined;
  return propertyOf(made.node, name)?.value;
}

/** What a name was declared to be, if it is that for good. */
function madeAs(target: Target): { readonly module: SourceModule; readonly node: Node } | undefined {
  if (target.kind !== 'local' || target.binding.isReassigned) return undefined;
  const { node } = target.binding.units[0] ?? {};
  if (node?.type !== 'VariableDeclarator') return node === undefined ? undefined : { module: target.module, node };
  return node.id.type === 'Identifier' && node.init ? { module: target.module, node: node.init } : undefined;
}

function isCalmGlobal(module: SourceModule, node: Node): boolean {
  return node.type === 'Identifier' && CALM_GLOBALS.has(node.name) && isGlobal(module, node, node.name);
}

function isGlobal(module: SourceModule, node: Node, name: string): boolean {
  return node.type === 'Identifier' && node.name === name && referenceAt(module, node)?.isGlobal === true;
}
