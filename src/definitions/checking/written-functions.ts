// The functions of definitions as they stand in a user's file: whose each one is, what it is to give, what it gives as far as
// the text shows it. The compiler knows the place of a mistake, and not what stands there.

import type { Program } from 'acorn';
import {
  type FunctionNode,
  isFunction,
  keyName,
  constantText,
  type Node,
  propertyOf,
  walk,
} from '../bundling/syntax.ts';
import {
  declared,
  type FileIndex,
  indexFile,
  parseFile,
  type Position,
  positionOf,
} from '../compile/find-in-source.ts';
import { deriveId, titleOf, transformId } from '../function-id.ts';

export interface WrittenFunction {
  /** `the transform of on-demand view "trip"` */
  readonly title: string;
  readonly kind: 'transform' | 'derive';
  /** The option that it is given as. */
  readonly property: Node;
  readonly node: FunctionNode | undefined;
  /** What it is to give, by name, with the text of its type where that shows: each feature; empty where none shows. */
  readonly declared: ReadonlyMap<string, string | undefined>;
  /** What a transform gets, by name. */
  readonly inputs: ReadonlyMap<string, Node>;
  /** Of a transform, each object that it returns; undefined where that is no plain literal. */
  readonly results: readonly WrittenResult[] | undefined;
}

export interface WrittenResult {
  readonly position: Position;
  readonly members: readonly { readonly name: string; readonly position: Position }[];
}

export interface WrittenFile {
  readonly program: Program;
  /** The function of a definition that stands at the place, or around it. */
  functionAt(place: Position): WrittenFunction | undefined;
}

/** Undefined where the file can't be read. */
export function readWritten(file: string): WrittenFile | undefined {
  let program: Program;
  try {
    program = parseFile(file);
  } catch {
    return undefined;
  }
  const functions = findFunctions(program);
  return { program, functionAt: (place) => functions.find(({ property }) => holds(property, place)) };
}

function findFunctions(program: Program): WrittenFunction[] {
  const index = indexFile(program);
  const names = importedNames(program);
  const found: WrittenFunction[] = [];
  walk(program, (node) => {
    if (node.type !== 'CallExpression' || node.callee.type !== 'Identifier') return;
    const called = names.get(node.callee.name);
    const [name, options] = node.arguments;
    if (called === undefined || name === undefined || options === undefined) return;
    const title = constantText(declared(name, index)) ?? '…';
    const given = declared(options, index);
    if (called === 'onDemandView') found.push(...transformOf(title, given, index));
    else found.push(...derivedOf(title, given, index));
  });
  return found;
}

function transformOf(view: string, options: Node, index: FileIndex): WrittenFunction[] {
  const property = propertyOf(options, 'transform');
  if (property === undefined) return [];
  const node = isFunction(property.value) ? property.value : undefined;
  return [
    {
      title: titleOf(transformId(view)),
      kind: 'transform',
      property,
      node,
      declared: typesOf(propertyOf(options, 'features')?.value, index),
      inputs: membersOf(propertyOf(options, 'inputs')?.value, index),
      results: node === undefined ? undefined : resultsOf(node),
    },
  ];
}

function derivedOf(source: string, options: Node, index: FileIndex): WrittenFunction[] {
  return [...membersOf(propertyOf(options, 'derive')?.value, index)].flatMap(([name, entry]): WrittenFunction[] => {
    if (entry.type !== 'ArrayExpression') return [];
    const [type, by] = entry.elements;
    return [
      {
        title: titleOf(deriveId(source, name)),
        kind: 'derive',
        property: entry,
        node: isFunction(by) ? by : undefined,
        declared: new Map([[name, type === undefined || type === null ? undefined : typeText(type)]]),
        inputs: new Map(),
        results: undefined,
      },
    ];
  });
}

/** The names that a file has for what `headrace` exports, which it may import under others. */
function importedNames(program: Program): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const node of program.body) {
    if (node.type !== 'ImportDeclaration' || node.source.value !== 'headrace') continue;
    for (const one of node.specifiers) {
      if (one.type === 'ImportSpecifier') names.set(one.local.name, keyName(one.imported) ?? one.local.name);
    }
  }
  return names;
}

function membersOf(value: Node | undefined, index: FileIndex): ReadonlyMap<string, Node> {
  const object = value === undefined ? undefined : declared(value, index);
  // What a spread gives is not looked for.
  if (object?.type !== 'ObjectExpression' || object.properties.some(({ type }) => type === 'SpreadElement'))
    return new Map();
  return new Map(
    object.properties.flatMap((property): [string, Node][] => {
      const name = property.type === 'Property' && !property.computed ? keyName(property.key) : undefined;
      return name === undefined || property.type !== 'Property' ? [] : [[name, declared(property.value, index)]];
    }),
  );
}

function typesOf(value: Node | undefined, index: FileIndex): ReadonlyMap<string, string | undefined> {
  return new Map([...membersOf(value, index)].map(([name, type]) => [name, typeText(type)]));
}

/** `t.float64()`, where that is how it is written; with a default, too. */
function typeText(node: Node): string | undefined {
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return undefined;
  const { object, property } = node.callee;
  if (object.type === 'CallExpression') return typeText(object);
  const name = keyName(property);
  return object.type === 'Identifier' && name !== undefined && node.arguments.length === 0
    ? `${object.name}.${name}()`
    : undefined;
}

function resultsOf(node: FunctionNode): WrittenResult[] | undefined {
  const returned = returnedBy(node).flatMap(branches);
  const results = returned.map(resultOf);
  return results.every((result) => result !== undefined) ? results : undefined;
}

function returnedBy({ body }: FunctionNode): Node[] {
  if (body.type !== 'BlockStatement') return [body];
  const found: Node[] = [];
  walk(body, (node) => {
    if (isFunction(node)) return false;
    if (node.type === 'ReturnStatement' && node.argument) found.push(node.argument);
    return true;
  });
  return found;
}

function branches(node: Node): Node[] {
  return node.type === 'ConditionalExpression' ? [node.consequent, node.alternate].flatMap(branches) : [node];
}

function resultOf(node: Node): WrittenResult | undefined {
  const position = positionOf(node);
  if (node.type !== 'ObjectExpression' || position === undefined) return undefined;
  const members = node.properties.flatMap((property) => {
    const name = property.type === 'Property' && !property.computed ? keyName(property.key) : undefined;
    const at = positionOf(property);
    return name === undefined || at === undefined ? [] : [{ name, position: at }];
  });
  return members.length === node.properties.length ? { position, members } : undefined;
}

/** Whether a node stands around the place. */
export function holds({ loc }: Node, { line, column }: Position): boolean {
  if (!loc) return false;
  const { start, end } = loc;
  const isAfterStart = line > start.line || (line === start.line && column > start.column);
  return isAfterStart && (line < end.line || (line === end.line && column <= end.column + 1));
}
