// Which calls change nothing but what they made themselves. Only then may a call at a module's top level be left out of
// the bundle of a function that does not use its result.

import type { ModuleGraph, Target } from './module-graph.ts';
import { isPlainReceiver } from './plain-receiver.ts';
import { declaredNames, referenceAt, type SourceModule } from './source-module.ts';
import { CALLING_METHODS, CALM_GLOBALS, CALM_METHODS, CALM_OF_OBJECT } from './calm-names.ts';
import { type FunctionNode, headOf, isFunction, memberName, type Node, walk } from './syntax.ts';

type ClassNode = Extract<Node, { type: 'ClassDeclaration' | 'ClassExpression' }>;

export interface Calmness {
  /** Whether a call, `new`, or a tagged template changes nothing but what it makes. */
  isCalm(module: SourceModule, call: Node): boolean;
}

export function createCalmness(graph: ModuleGraph): Calmness {
  const judged = new Map<FunctionNode | ClassNode, boolean>();

  const targetOf = (module: SourceModule, node: Node): Target | 'global' | undefined => {
    if (node.type !== 'Identifier') return undefined;
    const reference = referenceAt(module, node);
    if (reference === undefined) return undefined;
    return reference.isGlobal ? 'global' : graph.targetOf(module, reference)?.target;
  };

  const isCalm = (module: SourceModule, call: Node): boolean => {
    if (call.type === 'TaggedTemplateExpression') return isHeadrace(module, call.tag) || isCalmCallee(module, call.tag);
    if (call.type !== 'CallExpression' && call.type !== 'NewExpression') return false;
    // The authoring functions call nothing that they are given.
    if (isHeadrace(module, call.callee)) return true;
    if (!isCalmCallee(module, call.callee)) return false;
    // What is handed to these is called: `rows.map(register)`. The user's own functions are judged by what they call.
    const called = calledArgument(call);
    return called === undefined || isCalmArgument(module, called);
  };

  const isCalmCallee = (module: SourceModule, callee: Node): boolean => {
    if (isFunction(callee)) return isCalmFunction(module, callee);
    if (callee.type === 'Identifier') {
      const target = targetOf(module, callee);
      if (target === 'global') return CALM_GLOBALS.has(callee.name);
      const made = target === undefined ? undefined : (functionOf(target) ?? classOf(target));
      return made !== undefined && isCalmFunction(made.module, made.node);
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
    const isKnown = CALM_METHODS.has(name) || CALLING_METHODS.has(name);
    return isKnown && isPlainReceiver(graph, module, callee.object, name);
  };

  const isCalmArgument = (module: SourceModule, argument: Node): boolean => {
    if (isFunction(argument)) return isCalmFunction(module, argument);
    if (/Literal|Template|Binary|Unary|^(Array|Object)Expression/.test(argument.type)) return true;
    if (argument.type === 'Identifier') {
      const target = targetOf(module, argument);
      if (target === 'global') return true;
      const fn = target === undefined ? undefined : functionOf(target);
      return fn !== undefined && isCalmFunction(fn.module, fn.node);
    }
    const head = headOf(argument);
    return head !== undefined && targetOf(module, head) === 'global';
  };

  // Their calls chain: mean('x').over('7d').
  const isHeadrace = (module: SourceModule, callee: Node): boolean => {
    let at: Node = callee;
    while (at.type === 'CallExpression' || at.type === 'MemberExpression')
      at = at.type === 'CallExpression' ? at.callee : at.object;
    const target = targetOf(module, at);
    return target !== undefined && target !== 'global' && target.kind === 'headrace';
  };

  const isCalmFunction = (module: SourceModule, fn: FunctionNode | ClassNode): boolean => {
    const known = judged.get(fn);
    if (known !== undefined) return known;
    const before = judged.size;
    // One that calls itself is as calm as the rest of it.
    judged.set(fn, true);
    const calm = isCalmCode(module, fn);
    if (!calm) {
      // Those that were judged while this one was taken to be calm may not be so.
      for (const [other] of [...judged].slice(before)) judged.delete(other);
      judged.set(fn, false);
    }
    return calm;
  };

  const isCalmCode = (module: SourceModule, fn: FunctionNode | ClassNode): boolean => {
    // Of a class that extends another, the other's constructor runs too.
    if (isFunction(fn) ? fn.async || fn.generator : fn.superClass) return false;
    const fresh = freshNames(fn);
    // Of what it made itself, the members: what these hold may be another's.
    const isOwn = (node: Node): boolean => {
      if (node.type !== 'MemberExpression') return false;
      // What a constructor makes is its own: this.x = …
      if (node.object.type === 'ThisExpression') return !isFunction(fn);
      const { object } = node;
      return object.type === 'Identifier' && fresh.has(object.name) && referenceAt(module, object) === undefined;
    };
    // A name of the function's own may be given another value; what it holds, only if the function made it.
    const changesOwn = (target: Node): boolean =>
      target.type === 'Identifier' ? referenceAt(module, target) === undefined : isOwn(target);
    const isCalmNode = (node: Node): boolean => {
      switch (node.type) {
        case 'AssignmentExpression':
          return changesOwn(node.left);
        case 'UpdateExpression':
          return changesOwn(node.argument);
        case 'UnaryExpression':
          return node.operator !== 'delete' || isOwn(node.argument);
        case 'CallExpression':
          return isCalm(module, node) || isOwn(node.callee);
        case 'NewExpression':
        case 'TaggedTemplateExpression':
          return isCalm(module, node);
        case 'YieldExpression':
        case 'AwaitExpression':
        case 'ImportExpression':
        case 'Super':
          return false;
        default:
          return true;
      }
    };
    let calm = true;
    walk(fn, (node, parent) => {
      // What it gives back is called later, if at all; and so are a class's methods.
      if (!calm || (isFunction(node) && (isGiven(node, parent) || isMethod(parent)))) return false;
      calm = isCalmNode(node);
      return calm;
    });
    return calm;
  };

  return { isCalm };
}

/** The argument of a call that the method calls, if it does. */
function calledArgument(call: Extract<Node, { type: 'CallExpression' | 'NewExpression' }>): Node | undefined {
  const name = call.callee.type === 'MemberExpression' ? (memberName(call.callee) ?? '') : '';
  if (!CALLING_METHODS.has(name)) return undefined;
  return call.arguments[/^(from|groupBy|parse|replace|replaceAll|stringify)$/.test(name) ? 1 : 0];
}

function isMethod(parent: Node | undefined): boolean {
  return parent?.type === 'MethodDefinition' && parent.kind !== 'constructor';
}

function isGiven(node: FunctionNode, parent: Node | undefined): boolean {
  return parent?.type === 'ReturnStatement' || (parent?.type === 'ArrowFunctionExpression' && parent.body === node);
}

/** Names that stand for nothing but what the function itself made: `const out = []`, `new Map()`. */
function freshNames(fn: Node): Set<string> {
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

/** The class that a name stands for, for good. */
function classOf(target: Target): { readonly module: SourceModule; readonly node: ClassNode } | undefined {
  if (target.kind !== 'local' || target.binding.isReassigned) return undefined;
  const { node } = target.binding.units[0] ?? {};
  return node?.type === 'ClassDeclaration' ? { module: target.module, node } : undefined;
}
