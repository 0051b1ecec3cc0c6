// Syntax trees as acorn gives them: the walk over one, and the few questions that everyone here asks.

import type { AnyNode, Expression, Identifier, MemberExpression } from 'acorn';

/** A node of a user's file; positions count in the file's text. */
export type Node = AnyNode;

/** Visits `node` and what is under it, parents first. A visitor that gives false keeps out of what is under the node. */
export function walk(node: Node, visit: (node: Node, parent: Node | undefined) => boolean | void): void {
  enter(node, undefined, visit);
}

function enter(node: Node, parent: Node | undefined, visit: Parameters<typeof walk>[1]): void {
  if (visit(node, parent) === false) return;
  // Every member of a node may be looked at; only nodes and lists of them are gone into.
  for (const key in node) {
    const value = node[key as keyof Node] as unknown;
    if (value === null || typeof value !== 'object') continue;
    if (!Array.isArray(value)) {
      if (isNode(value)) enter(value, node, visit);
    } else for (const item of value) if (isNode(item)) enter(item, node, visit);
  }
}

function isNode(value: unknown): value is Node {
  return value !== null && typeof value === 'object' && 'type' in value && typeof value.type === 'string';
}

export type FunctionNode = Extract<
  Node,
  { type: 'FunctionDeclaration' | 'FunctionExpression' | 'ArrowFunctionExpression' }
>;

export function isFunction(node: Node | null | undefined): node is FunctionNode {
  return (
    node?.type === 'ArrowFunctionExpression' ||
    node?.type === 'FunctionExpression' ||
    node?.type === 'FunctionDeclaration'
  );
}

/** The text that an expression always is; undefined when it is another thing, or may vary. */
export function constantText(node: Node | null | undefined): string | undefined {
  if (node?.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined;
  if (node?.type === 'TemplateLiteral' && node.expressions.length === 0) {
    return node.quasis[0]?.value.cooked ?? undefined;
  }
  return undefined;
}

/** The name of a member that is read or written by name: `a.b`, `a['b']`. */
export function memberName(node: MemberExpression): string | undefined {
  if (node.computed) return constantText(node.property);
  return node.property.type === 'Identifier' ? node.property.name : undefined;
}

/** The identifier at the head of a chain: `a` of `a.b[c].d` and of `(a?.b).c`. */
export function headOf(node: Node): Identifier | undefined {
  let at = node;
  while (at.type === 'MemberExpression' || at.type === 'ChainExpression') {
    at = at.type === 'ChainExpression' ? at.expression : at.object;
  }
  return at.type === 'Identifier' ? at : undefined;
}

/** What an object literal gives under a name, unless a later spread or computed key may give another. */
export function propertyOf(
  node: Expression | Node | undefined,
  name: string,
): Extract<Node, { type: 'Property' }> | undefined {
  if (node?.type !== 'ObjectExpression') return undefined;
  const last = node.properties.findLastIndex(
    (property) => property.type === 'Property' && !property.computed && keyName(property.key) === name,
  );
  const found = node.properties[last];
  const isCertain = node.properties
    .slice(last + 1)
    .every((property) => property.type === 'Property' && !property.computed);
  return found?.type === 'Property' && found.kind === 'init' && isCertain ? found : undefined;
}

/** The name of a key that is not computed. */
export function keyName(key: Node): string | undefined {
  if (key.type === 'Identifier') return key.name;
  return key.type === 'Literal' ? String(key.value) : undefined;
}
