// What in a function's code can't travel, and what makes it other than pure: each told at its place, with what to do
// instead.

import { own } from '../own.ts';
import type { ModuleGraph, Target } from './module-graph.ts';
import { isPureBuiltin } from './pure-code.ts';
import { type Meaning, meaningsIn, type Reach } from './reach.ts';
import { referenceAt, type SourceModule, type Unit } from './source-module.ts';
import { constantText, isFunction, memberName, type Node, walk } from './syntax.ts';

/** Something in a user's file that must not be there. */
export interface CodeMistake {
  readonly module: SourceModule;
  readonly node: Node;
  readonly message: string;
}

type Report = (node: Node, message: string) => void;

/** The mistakes in the user's own code that a function reaches. */
export function judgeCode(graph: ModuleGraph, reach: Reach, isPure: boolean): CodeMistake[] {
  const mistakes: CodeMistake[] = [];
  for (const unit of reach.units) {
    const report: Report = (node, message) => mistakes.push({ module: unit.module, node, message });
    judgeTravel(unit, report);
    if (!isPure) continue;
    judgeForms(unit, report);
    for (const meaning of meaningsIn(graph, unit)) {
      if (meaning.target === undefined) judgeGlobal(unit.module, meaning, report);
      else judgeTarget(unit.module, meaning.node, meaning.target, report);
    }
  }
  return mistakes;
}

/** What no bundle can hold. */
function judgeTravel({ module, node: piece }: Unit, report: Report): void {
  walk(piece, (node) => {
    if (node.type === 'ImportExpression' && constantText(node.source) === undefined)
      report(
        node,
        'import(…) of a computed name: what it will load is not known when the code is bundled. Write the name out',
      );
    if (node.type === 'MetaProperty' && node.meta.name === 'import')
      report(node, 'import.meta: the code runs without its file. Import what it needs, or hand it in');
    if (node.type === 'CallExpression' && isGlobalName(module, node.callee, 'require'))
      report(node, 'require(…): it is not there in a module. Use `import`');
    const isTopLevelAwait = node.type === 'AwaitExpression' || (node.type === 'ForOfStatement' && node.await);
    if (isTopLevelAwait && !isInFunction(module, node))
      report(node, 'await at the top level of a module: the code is loaded in one go. Await in the function');
  });
}

function isInFunction(module: SourceModule, node: Node): boolean {
  for (let at: Node | undefined = node; at !== undefined; at = module.parents.get(at))
    if (/Function/.test(at.type)) return true;
  return false;
}

function isGlobalName(module: SourceModule, node: Node, name: string): boolean {
  return node.type === 'Identifier' && node.name === name && referenceAt(module, node)?.isGlobal === true;
}

const SYNCHRONOUS = 'but its result must be there at once. What takes time is for a pipeline’s task';

function judgeForms({ node: piece }: Unit, report: Report): void {
  walk(piece, (node) => {
    if (isFunction(node) && node.async) report(node, `an async function, ${SYNCHRONOUS}`);
    if (node.type === 'ImportExpression') report(node, `import(…), ${SYNCHRONOUS}. Or use \`import … from\``);
  });
}

const CLOCK = 'the clock: the same row would give another value later. Take a time from the row or the request';
const CHANCE = 'chance: the same row would give another value each time. Derive it from the row’s own values';
const NETWORK =
  'the network: it would be asked for every row, and may answer otherwise later. Put the data into a source';
const MACHINE = 'the process it runs in: that is another one on another machine. Write the value into the code';
const TIMERS = 'a timer: its result must be there at once';
const ANYTHING = 'code that is made while it runs: what it does can’t be known before. Write it out';
const EVERYONES = 'the global object: it is everyone’s. Use a constant or a parameter';
const BROWSER = 'storage outside of it: it changes by itself. Put the data into a source';

const REFUSED: Readonly<Record<string, string>> = {
  performance: CLOCK,
  crypto: CHANCE,
  fetch: NETWORK,
  WebSocket: NETWORK,
  XMLHttpRequest: NETWORK,
  EventSource: NETWORK,
  BroadcastChannel: NETWORK,
  MessageChannel: NETWORK,
  MessagePort: NETWORK,
  navigator: MACHINE,
  process: MACHINE,
  __dirname: MACHINE,
  __filename: MACHINE,
  setTimeout: TIMERS,
  setInterval: TIMERS,
  setImmediate: TIMERS,
  clearTimeout: TIMERS,
  clearInterval: TIMERS,
  clearImmediate: TIMERS,
  queueMicrotask: TIMERS,
  eval: ANYTHING,
  Function: ANYTHING,
  globalThis: EVERYONES,
  global: EVERYONES,
  caches: BROWSER,
  localStorage: BROWSER,
  sessionStorage: BROWSER,
  Promise: SYNCHRONOUS,
};

function judgeGlobal(module: SourceModule, { node, reference }: Meaning, report: Report): void {
  if (reference === undefined) return;
  const { name } = reference.node;
  const parent = module.parents.get(node);
  const why = own(REFUSED, name);
  if (why !== undefined) report(node, `${shown(name, reference.member?.name)}, ${why}`);
  else if (name === 'Date' && !isTimelessDate(node, parent)) report(node, `${dateText(node, parent)}, ${CLOCK}`);
  else if (name === 'Math' && (reference.member === undefined || reference.member.name === 'random'))
    report(node, `${shown('Math', reference.member?.name)}, ${CHANCE}`);
  else if (isChanged(module, node))
    report(node, `${name} and changes it, which is everyone’s. Make a function or a constant of your own`);
}

function shown(name: string, member: string | undefined): string {
  return member === undefined ? name : `${name}.${member}`;
}

function dateText(node: Node, parent: Node | undefined): string {
  if (parent?.type === 'NewExpression') return 'new Date()';
  if (parent?.type === 'CallExpression' && parent.callee === node) return 'Date()';
  return parent?.type === 'MemberExpression' ? shown('Date', memberName(parent)) : 'Date';
}

/** A date made of something, or what `Date` has that is no clock. */
function isTimelessDate(node: Node, parent: Node | undefined): boolean {
  if (parent?.type === 'NewExpression' && parent.callee === node) return parent.arguments.length > 0;
  if (parent?.type === 'BinaryExpression') return parent.operator === 'instanceof';
  if (parent?.type !== 'MemberExpression' || parent.object !== node) return false;
  return ['UTC', 'parse', 'prototype'].includes(memberName(parent) ?? '');
}

/** Whether a global's member is written: `Array.prototype.sum = …`. */
function isChanged(module: SourceModule, node: Node): boolean {
  let at = node;
  let parent = module.parents.get(at);
  while (parent?.type === 'MemberExpression' && parent.object === at) {
    at = parent;
    parent = module.parents.get(at);
  }
  if (parent?.type === 'CallExpression' && parent.arguments[0] === at) return isChanger(module, parent.callee);
  if (at === node) return false;
  if (parent?.type === 'AssignmentExpression') return parent.left === at;
  return parent?.type === 'UpdateExpression' || (parent?.type === 'UnaryExpression' && parent.operator === 'delete');
}

// Object.assign(Array.prototype, …)
function isChanger(module: SourceModule, callee: Node): boolean {
  if (callee.type !== 'MemberExpression') return false;
  const isOfObject = ['Object', 'Reflect'].some((name) => isGlobalName(module, callee.object, name));
  return isOfObject && /^(assign|define|set)/.test(memberName(callee) ?? '');
}

function judgeTarget(module: SourceModule, node: Node, target: Target, report: Report): void {
  if (target.kind !== 'builtin') return;
  const parent = module.parents.get(node);
  const isMember = parent?.type === 'MemberExpression' && parent.object === node;
  const name = target.name === '*' && isMember ? (memberName(parent) ?? '*') : target.name;
  if (!isPureBuiltin(target.from, name)) report(node, `${importText(target.from, name)}, ${whyRefused(target.from)}`);
}

function importText(from: string, name: string): string {
  return name === '*' ? from : `${name} of ${from}`;
}

function whyRefused(from: string): string {
  if (from.startsWith('node:fs'))
    return 'files: they are other ones elsewhere, and later. Import a JSON file instead, or put the data into a source';
  if (/^node:(https?|http2|net|tls|dns|dgram)/.test(from)) return NETWORK;
  if (from === 'node:crypto') return `${CHANCE}; createHash, createHmac and hash are fine`;
  if (/^node:(perf_hooks|timers)/.test(from)) return CLOCK;
  return MACHINE;
}
