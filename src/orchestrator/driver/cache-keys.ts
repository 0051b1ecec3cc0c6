// What the outputs of a cached step's tasks go by: named parts, each a value by its content. The key of a task is the hash of its
// parts, and `runs show --why` compares them by name, so that a key can't change without a part that says why.

import { canonicalJson, compareTexts, sha256Hex } from '../../core/index.ts';
import type { StepAction } from '../../definitions/index.ts';
import { actionParts } from '../action-parts.ts';
import { hidesIndex, itemOf, placeOf, type StepOrder } from '../step/order.ts';

/** The canonical JSON of each part by its name: `params.seed`, `code.files.fit.py`, `needs.data`. */
export type CacheParts = ReadonlyMap<string, string>;

/**
 * The parts that all tasks of an order share. The run, the step's name, how long it may take and where its files lie are not
 * among them.
 */
export function sharedParts(order: StepOrder): CacheParts {
  const { action, params, items, needs, env, secrets, cache } = order;
  const parts: (readonly [string, unknown])[] = [
    ...codeParts(action),
    ...members('params', params),
    ...members('items', items),
    ...members('needs', needs).map(([name, need]) => [name, byContent(need)] as const),
    ...members('env', env),
    ...members('secrets', secrets),
    ...Object.entries(cache?.reads ?? {}),
  ];
  return new Map(parts.map(([name, value]) => [name, canonicalJson(value ?? null)]));
}

/** The parts of one task: its item, and its place where the step is given that. */
export function taskParts(order: StepOrder, index: number): CacheParts {
  const own = new Map([['item', canonicalJson(itemOf(order, index) ?? null)]]);
  // A group's place in `scope` is known to a task that knows its own.
  return hidesIndex(order) ? own : own.set('index', canonicalJson([order.scope, placeOf(order, index)]));
}

/** The key of each task of an order. */
export function cacheKeys(order: StepOrder): (index: number) => string {
  const base = sha256Hex(canonicalJson([...sharedParts(order)].toSorted(([a], [b]) => compareTexts(a, b))));
  return (index) => sha256Hex(canonicalJson([base, ...taskParts(order, index)]));
}

function codeParts(action: StepAction): readonly (readonly [string, unknown])[] {
  // The id of a function says where it is written.
  const parts =
    action.kind === 'task'
      ? ([
          ['kind', action.kind],
          ['bundle', action.function.bundle ?? action.function.hash],
        ] as const)
      : actionParts(action);
  return parts.map(([part, value]) => [`code.${part}`, value] as const);
}

/**
 * A copy of a value in which a file is its SHA-256: its path names where this run's copy lies, and `uri` and `size` say nothing
 * more. Other members of an object that is a file, such as the labels of a training set, stay.
 */
function byContent(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(byContent);
  if (value === null || typeof value !== 'object') return value;
  const { sha256 } = value as { readonly sha256?: unknown };
  const isFile = typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256);
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) =>
      isFile && OF_A_PLACE.has(name) ? [] : [[name, byContent(member)] as const],
    ),
  );
}

const OF_A_PLACE: ReadonlySet<string> = new Set(['path', 'uri', 'size']);

function members(name: string, values: Readonly<Record<string, unknown>>): (readonly [string, unknown])[] {
  return Object.entries(values).map(([member, value]) => [`${name}.${member}`, value] as const);
}
