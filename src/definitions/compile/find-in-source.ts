// Finds, in the text of a user's file, the part of a call that a mistake is about: the option, the feature, the argument. It
// runs only when there are mistakes, so the parser is loaded when it is first needed.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { CallExpression, Expression, Program, SpreadElement } from 'acorn';
import type { MethodCall, Path } from '../authoring/call.ts';
import { keyName, type Node, walk } from '../bundling/syntax.ts';

const require = createRequire(import.meta.url);

/** Line and column in a file, from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Finds the part at the end of `path` in the call that stands at `call`; as near to it as the text shows it. */
export type PartFinder = (call: Position, path: Path) => Position;

/** The file's text, parsed; its types are gone, in place. Throws as the parser does where the file is broken. */
export function parseFile(file: string): Program {
  const text = readFileSync(file, 'utf8');
  // Both are the packages of these names.
  const { parse } = require('acorn') as typeof import('acorn');
  const { transformSync } = require('amaro') as typeof import('amaro');
  const plain = /\.m?ts$/.test(file) ? transformSync(text, { mode: 'strip-only' }).code : text;
  return parse(plain, { ecmaVersion: 'latest', sourceType: 'module', locations: true, allowHashBang: true });
}

/** A finder in one file. Where the file cannot be read any more it gives the call itself. */
export function createPartFinder(file: string): PartFinder {
  let found: FileIndex;
  try {
    found = indexFile(parseFile(file));
  } catch {
    return (call) => call;
  }
  return (position, path) => {
    const call = found.calls.get(`${position.line}:${position.column}`);
    if (call === undefined) return position;
    let here: Part = { place: call, value: call };
    for (const step of path) {
      const next = stepInto(here.value, step, found);
      if (next === undefined) break;
      here = next;
    }
    return here.place === call ? position : (positionOf(here.place) ?? position);
  };
}

/** What a file calls and declares. */
export interface FileIndex {
  /** By the place that a stack names: where the name of what is called stands. */
  readonly calls: ReadonlyMap<string, CallExpression>;
  /** What each name is declared as; undefined when it is declared more than once. */
  readonly values: ReadonlyMap<string, Node | undefined>;
}

/** Where a part stands, and the expression that is its value. */
interface Part {
  readonly place: Node;
  readonly value: Node;
}

export function indexFile(program: Program): FileIndex {
  const calls = new Map<string, CallExpression>();
  const values = new Map<string, Node | undefined>();
  walk(program, (node) => {
    if (node.type === 'CallExpression') {
      const { callee } = node;
      const at = positionOf(callee.type === 'MemberExpression' ? callee.property : callee);
      if (at !== undefined) calls.set(`${at.line}:${at.column}`, node);
    } else if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier') {
      const { name } = node.id;
      values.set(name, values.has(name) ? undefined : (node.init ?? undefined));
    }
  });
  return { calls, values };
}

/** Where a node begins. */
export function positionOf(node: Node): Position | undefined {
  return node.loc ? { line: node.loc.start.line, column: node.loc.start.column + 1 } : undefined;
}

function stepInto(from: Node, step: Path[number], index: FileIndex): Part | undefined {
  const value = declared(from, index);
  if (typeof step === 'string') return member(value, step, index);
  if (typeof step === 'object') return chained(value, step);
  const items =
    value.type === 'CallExpression' ? value.arguments : value.type === 'ArrayExpression' ? value.elements : [];
  return item(items, step);
}

/** A name in place of a value: what it is declared as, in this file. */
export function declared(node: Node, index: FileIndex): Node {
  let value = node;
  for (let depth = 0; value.type === 'Identifier' && depth < 5; depth++) {
    value = index.values.get(value.name) ?? value;
  }
  return value;
}

function item(items: readonly (Expression | SpreadElement | null)[], at: number): Part | undefined {
  const found = items[at];
  if (found === undefined || found === null) return undefined;
  // What a spread gives shifts all that comes after it.
  return items.slice(0, at + 1).some((one) => one?.type === 'SpreadElement')
    ? undefined
    : { place: found, value: found };
}

function member(value: Node, name: string, index: FileIndex): Part | undefined {
  if (value.type !== 'ObjectExpression') return undefined;
  for (const property of value.properties.toReversed()) {
    if (property.type === 'SpreadElement') {
      const found = member(declared(property.argument, index), name, index);
      if (found !== undefined) return found;
    } else if (!property.computed && keyName(property.key) === name) {
      return { place: property, value: property.value };
    }
  }
  return undefined;
}

function chained(value: Node, { method }: MethodCall): Part | undefined {
  let call = value;
  while (call.type === 'CallExpression') {
    const { callee } = call;
    if (callee.type === 'MemberExpression') {
      if (method !== null && !callee.computed && keyName(callee.property) === method) {
        return { place: callee.property, value: call };
      }
      if (callee.object.type === 'CallExpression') {
        call = callee.object;
        continue;
      }
    }
    return method === null ? { place: call, value: call } : undefined;
  }
  return undefined;
}
