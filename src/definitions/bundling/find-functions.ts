// The functions that objects of the authoring API hold, by id, and those of the objects that they lead to.

import { functionOfTask } from '../actions/task.ts';
import { type Authored, authored } from '../authoring/authored.ts';
import { leadsTo } from '../compile/collect.ts';
import { deriveId, nodeId, taskId, transformId } from '../function-id.ts';
import type { UserFunction } from '../manifest.ts';

export interface FoundFunction {
  readonly id: string;
  readonly fn: UserFunction;
}

/** What `values` hold, and what they lead to, the nearest first. Values that are no objects of the API hold nothing. */
export function* findFunctions(values: Iterable<unknown>): Generator<FoundFunction> {
  const seen = new Set<Authored>();
  for (const value of values) {
    for (const one of objectsIn(value)) {
      const object = authored(one);
      if (object !== undefined) seen.add(object);
    }
  }
  for (const object of seen) {
    yield* functionsOf(object);
    for (const next of leadsTo(object)) {
      const led = authored(next);
      if (led !== undefined) seen.add(led);
    }
  }
}

/** What an export holds: itself, or what lies in it where it is a list or a record, as of views that a loop makes. */
export function objectsIn(value: unknown): readonly unknown[] {
  if (authored(value) !== undefined || typeof value !== 'object' || value === null) return [value];
  if (Array.isArray(value)) return value;
  return Object.getPrototypeOf(value) === Object.prototype ? Object.values(value) : [value];
}

/** The functions of the object that a value is. */
export function* ownFunctions(value: unknown): Generator<FoundFunction> {
  const object = authored(value);
  if (object !== undefined) yield* functionsOf(object);
}

function* functionsOf(object: Authored): Generator<FoundFunction> {
  if (object.kind === 'source') {
    for (const [column, entry] of Object.entries(object.options.derive ?? {})) {
      const by: unknown = Array.isArray(entry) ? entry[1] : undefined;
      if (isFunction(by)) yield { id: deriveId(object.name, column), fn: by };
    }
  } else if (object.kind === 'onDemandView') {
    if (isFunction(object.transform)) yield { id: transformId(object.name), fn: object.transform };
  } else if (object.kind === 'node') {
    const { run, choose } = object.options;
    const fn = object.nodeKind === 'router' ? choose : run;
    if (isFunction(fn)) yield { id: nodeId(object.name), fn };
  } else if (object.kind === 'step') {
    const fn = functionOfTask(object.action);
    if (fn !== undefined) yield { id: taskId(object.pipeline, object.name), fn };
  }
}

function isFunction(value: unknown): value is UserFunction {
  return typeof value === 'function';
}
