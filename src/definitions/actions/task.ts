// A TypeScript function as a step.

import { createRequire } from 'node:module';
import type { parseExpressionAt } from 'acorn';
import { Type } from 'typebox';
import type { Action, AnyNeeds } from '../authoring/action.ts';
import type { AuthoredAction } from '../authoring/authored.ts';
import { closed, functionRef } from '../compile/schema-parts.ts';
import { keyName, memberName, type Node, walk } from '../bundling/syntax.ts';
import { taskId } from '../function-id.ts';
import type { FunctionRef, UserFunction } from '../manifest.ts';
import type { ActionKind } from './action-kind.ts';

/** What a task of a cached step gets beside its needs: a step that says `index: true` gets a `TaskContext`. */
export interface CachedTaskContext {
  /** The run's parameters. */
  // oxlint-disable-next-line typescript/no-explicit-any -- declared by the pipeline, which is not known here
  readonly params: Readonly<Record<string, any>>;
  /** With `foreach`: this task's item. */
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the list holds
  readonly item: any;
  /** In a group, and in those around it: the item of each by the group's name. */
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the lists hold
  readonly items: Readonly<Record<string, any>>;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Aborted at a timeout or a cancel; the process ends soon after. */
  readonly signal: AbortSignal;
}

/** What a task gets beside its needs. */
export interface TaskContext extends CachedTaskContext {
  /** With `foreach`: the item's place in the list, from 0; 0 without. A cached step has it only with `index: true`. */
  readonly index: number;
}

/**
 * A TypeScript function of the results of the needed steps. It may be async; its result must be plain JSON data.
 * Name the input's type to have it checked: `task((input: { fit: Fit[] }) => …)`; in a cached step name the context's, too, which
 * has no index: `task((input: { fit: Fit[] }, { item }: CachedTaskContext) => …)`. A function that reads it there is refused by `apply`.
 */
export function task<I = AnyNeeds, R = unknown>(run: (needs: I, context: TaskContext) => R): Action<I, Awaited<R>> {
  return { action: { kind: 'task', given: { run }, slips: [] } };
}

/** The function of an action that has one. */
export function functionOfTask(action: AuthoredAction | undefined): UserFunction | undefined {
  if (action?.kind !== 'task') return undefined;
  const { run } = action.given as Given;
  // Its arguments are what the pipeline's graph gives; its result is checked to be JSON when it runs.
  return typeof run === 'function' ? (run as UserFunction) : undefined;
}

const require = createRequire(import.meta.url);

/** Whether a task's function can be seen to read `index` of its context: where it takes that apart, or reads it as a member. */
export function readsIndex(fn: UserFunction): boolean {
  const context = contextOf(String(fn));
  if (context === undefined) return false;
  const { param, body } = context;
  if (param.type === 'ObjectPattern') return takesIndex(param);
  if (param.type !== 'Identifier') return false;
  let isRead = false;
  walk(body, (node) => {
    if (node.type === 'MemberExpression' && isNamed(node.object, param.name)) isRead ||= memberName(node) === 'index';
    if (node.type === 'VariableDeclarator' && isNamed(node.init, param.name)) isRead ||= takesIndex(node.id);
  });
  return isRead;
}

/** The second parameter of a function's text, and the function's body. */
function contextOf(text: string): { readonly param: Node; readonly body: Node } | undefined {
  // Loaded where a cached step has a function, as most programs have none.
  const acorn = require('acorn') as { readonly parseExpressionAt: typeof parseExpressionAt };
  // An expression; the other is a method of an object.
  for (const written of [`(${text})`, `({ ${text} })`]) {
    try {
      let found = acorn.parseExpressionAt(written, 0, { ecmaVersion: 'latest' }) as Node;
      if (found.type === 'ObjectExpression') {
        const [property] = found.properties;
        if (property?.type === 'Property') found = property.value;
      }
      if (found.type !== 'ArrowFunctionExpression' && found.type !== 'FunctionExpression') continue;
      const [, param] = found.params;
      if (param === undefined) return undefined;
      return { param: param.type === 'AssignmentPattern' ? param.left : param, body: found.body };
    } catch {
      // It may be the other.
    }
  }
  return undefined;
}

function takesIndex(pattern: Node): boolean {
  return (
    pattern.type === 'ObjectPattern' &&
    pattern.properties.some((one) => one.type === 'Property' && !one.computed && keyName(one.key) === 'index')
  );
}

function isNamed(node: Node | null | undefined, name: string): boolean {
  return node?.type === 'Identifier' && node.name === name;
}

interface Given {
  readonly run: unknown;
}

export interface TaskSpec {
  readonly kind: 'task';
  readonly function: FunctionRef;
}

export const taskKind: ActionKind<Given, TaskSpec> = {
  kind: 'task',
  schema: Type.Object({ kind: Type.Literal('task'), function: functionRef }, closed),
  compile({ run }, { pipeline, step, report, addFunction }) {
    const id = taskId(pipeline, step);
    // As above.
    if (typeof run === 'function') return { kind: 'task', function: addFunction(id, run as UserFunction) };
    report(': task(…) needs a function', [1, 0]);
    return { kind: 'task', function: { id, hash: '' } };
  },
};
