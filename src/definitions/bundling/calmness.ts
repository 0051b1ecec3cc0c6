// Which calls change nothing but what they made themselves. Only then may a call at a module's top level be left out of
// the bundle of a function that does not use its result.

import type { ModuleGraph, Target } from './module-graph.ts';
import { declaredNames, referenceAt, type SourceModule } from './source-module.ts';
import { type FunctionNode, headOf, isFunction, memberName, type Node, walk } from './syntax.ts';

/** Functions of the language that change nothing that they are given. */
const CALM_GLOBALS: ReadonlySet<string> = new Set([
  'Array',
  'BigInt',
  'Boolean',
  'Date',
  'Error',
  'Float32Array',
  'Float64Array',
  'Int32Array',
  'Intl',
  'JSON',
  'Map',
  'Math',
  'Number',
  'RangeError',
  'RegExp',
  'Set',
  'String',
  'Symbol',
  'TypeError',
  'URL',
  'Uint8Array',
  'WeakMap',
  'WeakSet',
  'console',
  'encodeURIComponent',
  'isFinite',
  'isNaN',
  'parseFloat',
  'parseInt',
  'structuredClone',
]); // prettier-ignore

const CALM_OF_OBJECT: ReadonlySet<string> = new Set([
  'entries',
  'freeze',
  'fromEntries',
  'getOwnPropertyNames',
  'groupBy',
  'hasOwn',
  'is',
  'keys',
  'values',
]); // prettier-ignore

/** Methods of arrays, maps, sets, text, numbers and dates that change nothing; those that call back call what they are given. */
const CALM_METHODS: ReadonlySet<string> = new Set([
  'at',
  'charAt',
  'charCodeAt',
  'codePointAt',
  'concat',
  'endsWith',
  'entries',
  'every',
  'exec',
  'filter',
  'find',
  'findIndex',
  'findLast',
  'findLastIndex',
  'flat',
  'flatMap',
  'forEach',
  'get',
  'getTime',
  'getUTCDay',
  'getUTCFullYear',
  'getUTCHours',
  'getUTCMonth',
  'has',
  'includes',
  'indexOf',
  'join',
  'keys',
  'lastIndexOf',
  'localeCompare',
  'map',
  'match',
  'matchAll',
  'normalize',
  'padEnd',
  'padStart',
  'reduce',
  'reduceRight',
  'repeat',
  'replace',
  'replaceAll',
  'slice',
  'some',
  'split',
  'startsWith',
  'substring',
  'test',
  'toFixed',
  'toISOString',
  'toLowerCase',
  'toPrecision',
  'toReversed',
  'toSorted',
  'toSpliced',
  'toString',
  'toUpperCase',
  'trim',
  'trimEnd',
  'trimStart',
  'values',
  'with',
]); // prettier-ignore

export interface Calmness {
  /** Whether a call, `new`, or a tagged template changes nothing but what it makes. */
  isCalm(module: SourceModule, call: Node): boolean;
}

export function createCalmness(graph: ModuleGraph): Calmness {
  const judged = new Map<FunctionNode, boolean>();

  const targetOf = (module: SourceModule, node: Node): Target | 'global' | undefined => {
    if (node.type !== 'Identifier') return undefined;
    const reference = referenceAt(module, node);
    if (reference === undefined) return undefined;
    return reference.isGlobal ? 'global' : graph.targetOf(module, reference)?.target;
  };

  const isCalm = (module: SourceModule, call: Node): boolean => {
    if (call.type === 'TaggedTemplateExpression') return isCalmCallee(module, call.tag);
    if (call.type !== 'CallExpression' && call.type !== 'NewExpression') return false;
    // The authoring functions call nothing that they are given.
    if (isHeadrace(module, call.callee)) return true;
    // What is handed over may be called: `rows.map(register)`.
    return (
      isCalmCallee(module, call.callee) &&
      call.arguments.every((argument) => argument.type !== 'Identifier' || isCalmIfFunction(module, argument)) &&
      call.arguments.every((argument) => !isFunction(argument) || isCalmFunction(module, argument))
    );
  };

  const isCalmCallee = (module: SourceModule, callee: Node): boolean => {
    if (isFunction(callee)) return isCalmFunction(module, callee);
    if (callee.type === 'Identifier') {
      const target = targetOf(module, callee);
      if (target === 'global') return CALM_GLOBALS.has(callee.name);
      const fn = target === undefined ? undefined : functionOf(target);
      return fn !== undefined && isCalmFunction(fn.module, fn.node);
    }
    if (callee.type !== 'MemberExpression') return false;
    const name = memberName(callee);
    if (name === undefined) return false;
    const head = headOf(callee);
    const target = head === undefined ? undefined : targetOf(module, head);
    if (target === 'global' && callee.object.type === 'Identifier') {
      if (callee.object.name === 'Object') return CALM_OF_OBJECT.has(name);
      if (CALM_GLOBALS.has(callee.object.name)) return true;
    }
    if (target !== undefined && target !== 'global' && target.kind === 'namespace') {
      const member = graph.exportOf(target.module, name);
      const fn = member === undefined ? undefined : functionOf(member);
      return fn !== undefined && isCalmFunction(fn.module, fn.node);
    }
    return CALM_METHODS.has(name);
  };

  // Their calls chain: mean('x').over('7d').
  const isHeadrace = (module: SourceModule, callee: Node): boolean => {
    let at: Node = callee;
    while (at.type === 'CallExpression' || at.type === 'MemberExpression')
      at = at.type === 'CallExpression' ? at.callee : at.object;
    const target = targetOf(module, at);
    return target !== undefined && target !== 'global' && target.kind === 'headrace';
  };

  const isCalmIfFunction = (module: SourceModule, node: Node): boolean => {
    const target = targetOf(module, node);
    if (target === undefined || target === 'global') return true;
    const fn = functionOf(target);
    return fn === undefined || isCalmFunction(fn.module, fn.node);
  };

  const isCalmFunction = (module: SourceModule, fn: FunctionNode): boolean => {
    const known = judged.get(fn);
    if (known !== undefined) return known;
    // One that calls itself is as calm as the rest of it.
    judged.set(fn, true);
    const fresh = freshNames(fn);
    let calm = !fn.async && !fn.generator;
    const isOwn = (node: Node): boolean => {
      const head = headOf(node);
      return head !== undefined && fresh.has(head.name) && referenceAt(module, head) === undefined;
    };
    walk(fn, (node, parent) => {
      // What it gives back is called later, if at all.
      if (!calm || (isFunction(node) && isGiven(node, parent))) return false;
      switch (node.type) {
        case 'AssignmentExpression':
          calm = changesOwn(node.left);
          break;
        case 'UpdateExpression':
          calm = changesOwn(node.argument);
          break;
        case 'UnaryExpression':
          calm = node.operator !== 'delete' || isOwn(node.argument);
          break;
        case 'CallExpression':
          calm = isCalm(module, node) || (node.callee.type === 'MemberExpression' && isOwn(node.callee));
          break;
        case 'NewExpression':
        case 'TaggedTemplateExpression':
          calm = isCalm(module, node);
          break;
        case 'YieldExpression':
        case 'AwaitExpression':
        case 'ImportExpression':
          calm = false;
          break;
        default:
      }
      return undefined;
    });
    judged.set(fn, calm);
    return calm;

    // A name of the function's own may be given another value; what it holds, only if the function made it.
    function changesOwn(target: Node): boolean {
      if (target.type === 'Identifier') return referenceAt(module, target) === undefined;
      return target.type === 'MemberExpression' && isOwn(target);
    }
  };

  return { isCalm };
}

function isGiven(node: FunctionNode, parent: Node | undefined): boolean {
  return parent?.type === 'ReturnStatement' || (parent?.type === 'ArrowFunctionExpression' && parent.body === node);
}

/** Names that stand for nothing but what the function itself made: `const out = []`, `new Map()`. */
function freshNames(fn: FunctionNode): Set<string> {
  const fresh = new Set<string>();
  const others = new Set<string>();
  walk(fn, (node) => {
    if (isFunction(node)) for (const param of node.params) for (const name of declaredNames(param)) others.add(name);
    if (node.type !== 'VariableDeclarator') return;
    const isFresh = node.id.type === 'Identifier' && isMadeHere(node.init);
    for (const name of declaredNames(node.id)) (isFresh ? fresh : others).add(name);
  });
  return new Set([...fresh].filter((name) => !others.has(name)));
}

function isMadeHere(init: Node | null | undefined): boolean {
  if (init?.type === 'ArrayExpression' || init?.type === 'ObjectExpression') return true;
  return init?.type === 'NewExpression' && init.callee.type === 'Identifier' && CALM_GLOBALS.has(init.callee.name);
}

/** The function that a name stands for, for good. */
export function functionOf(target: Target): { readonly module: SourceModule; readonly node: FunctionNode } | undefined {
  if (target.kind !== 'local' || target.binding.isReassigned) return undefined;
  const { node } = target.binding.units[0] ?? {};
  if (node === undefined) return undefined;
  const made = node.type === 'VariableDeclarator' && node.id.type === 'Identifier' ? node.init : node;
  return isFunction(made) ? { module: target.module, node: made } : undefined;
}
