// The hash of what a function reaches: of the syntax, so that comments, types, line breaks and quotes don't count, and of
// what every name means, so that it is the same wherever the declarations lie.

import { sha256Hex } from '../../core/index.ts';
import type { Effects } from './effects.ts';
import type { ModuleGraph, Target } from './module-graph.ts';
import { exportedBy, meaningsIn, membersOf, type Piece, type Reach } from './reach.ts';
import type { Unit } from './source-module.ts';
import { isFunction, type Node } from './syntax.ts';

// A change of how things are told here changes every hash, and with it every view that a function feeds.
const FORMAT = 1;

type Namespace = Extract<Target, { kind: 'namespace' }>;

/** `contents` tells the content of foreign modules, by path. */
export function hashReach(
  graph: ModuleGraph,
  effects: Effects,
  reach: Reach,
  contents: ReadonlyMap<string, string>,
): string {
  // Everything is told once, under its number, in the order in which it is first met.
  const numbers = new Map<Unit | Namespace | string, number>();
  const numberOf = (thing: Unit | Namespace | string): number => {
    const known = numbers.get(thing) ?? numbers.size;
    numbers.set(thing, known);
    return known;
  };
  const met = new Set<Target>();
  const changes: unknown[] = [];
  const mention = (target: Target): unknown => {
    const mentioned = mentionOf(target);
    if (!met.has(target)) {
      met.add(target);
      const changing = effects.on(target).map(numberOf);
      if (changing.length > 0) changes.push([mentioned, changing]);
    }
    return mentioned;
  };
  const mentionOf = (target: Target): unknown => {
    switch (target.kind) {
      case 'local':
        return [target.name, ...target.binding.units.map(numberOf)];
      case 'namespace':
        return ['*', numberOf(target)];
      case 'foreign':
        return [target.name, numberOf(target.from)];
      case 'builtin':
        return [target.from, target.name];
      case 'headrace':
        return ['headrace', target.name];
    }
  };
  const tellPiece = (piece: Piece): unknown => {
    const meanings = new Map<Node, unknown>();
    for (const { node, target } of meaningsIn(graph, piece))
      if (target !== undefined) meanings.set(node, mention(target));
    return tellNode(piece.node, meanings);
  };
  const tell = (thing: Unit | Namespace | string): unknown => {
    if (typeof thing === 'string') return contents.get(thing);
    if (!('names' in thing)) return membersOf(graph, thing.module).map(([name, member]) => [name, mention(member)]);
    return [thing.keyword ?? thing.kind, tellPiece(thing)];
  };

  const { entry } = reach;
  const told: unknown[] = [];
  for (const unit of reach.units) if (unit.kind === 'entry') numberOf(unit);
  const first = entry.kind === 'expression' ? 'entry' : [entry.id, mention(exportedBy(graph, entry))];
  const tellMet = (): void => {
    for (const [thing, number] of numbers) if (number === told.length) told.push(tell(thing));
  };
  tellMet();
  // What no name leads to comes last, in the order of evaluation.
  for (const unit of reach.units) {
    numberOf(unit);
    tellMet();
  }
  const order = reach.units.filter((unit) => !isInert(unit)).map(numberOf);
  const bareImports = reach.bareImports.map((path) => contents.get(path));
  return sha256Hex(JSON.stringify([FORMAT, first, told, changes, order, bareImports]));
}

// Where a node stands, and how its author wrote what means the same.
const UNTOLD: ReadonlySet<string> = new Set(['type', 'start', 'end', 'range', 'loc', 'raw', 'directive', 'shorthand']);

function tellNode(node: Node, meanings: ReadonlyMap<Node, unknown>): unknown {
  const meaning = meanings.get(node);
  if (meaning !== undefined) return ['#', meaning];
  if (node.type === 'Literal') {
    if (node.regex !== undefined) return ['regex', node.regex.pattern, node.regex.flags];
    return [typeof node.value, String(node.bigint ?? node.value)];
  }
  if (node.type === 'TemplateElement') return [node.value.raw, node.value.cooked];
  const told: unknown[] = [node.type];
  for (const [key, value] of Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1))) {
    // Newer parsers may tell more, and tell what isn't there.
    const isThere =
      value !== null && value !== undefined && value !== false && !(Array.isArray(value) && !value.length);
    if (isThere && !UNTOLD.has(key)) told.push(key, tellValue(value, meanings));
  }
  return told;
}

function tellValue(value: unknown, meanings: ReadonlyMap<Node, unknown>): unknown {
  if (Array.isArray(value)) return value.map((item) => tellValue(item, meanings));
  if (value === null || typeof value !== 'object') return value;
  // Literals are told above: all other objects in a tree are nodes.
  return tellNode(value as Node, meanings);
}

/** Whether it makes no difference when a declaration is evaluated. */
function isInert({ kind, node }: Unit): boolean {
  if (kind === 'function' || (kind === 'entry' && (isFunction(node) || node.type === 'Property'))) return true;
  return node.type === 'VariableDeclarator' && (node.init === null || node.init === undefined || isPlain(node.init));
}

function isPlain(node: Node): boolean {
  switch (node.type) {
    case 'Literal':
      return true;
    case 'TemplateLiteral':
      return node.expressions.length === 0;
    case 'UnaryExpression':
      return isPlain(node.argument);
    case 'ArrayExpression':
      return node.elements.every((element) => element === null || isPlain(element));
    case 'ObjectExpression':
      return node.properties.every(
        (property) => property.type === 'Property' && !property.computed && isPlain(property.value),
      );
    default:
      return isFunction(node);
  }
}
