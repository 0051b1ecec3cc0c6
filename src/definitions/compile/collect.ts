// Finds every object of a feature repository: what its files export, and what those objects lead to.

import { compareTexts } from '../../core/index.ts';
import { ACTION_KINDS } from '../actions/action-kinds.ts';
import {
  type AnyMetricOptions,
  type AnySourceOptions,
  type Authored,
  authored,
  type AuthoredAction,
  type AuthoredNode,
  type AuthoredOf,
} from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import type { NodeOutput } from '../authoring/graph-node.ts';
import { triggerOf } from '../authoring/trigger.ts';
import { describeResult } from '../calling/user-value.ts';
import { aKind, describeAuthored, kindName, type Mistakes } from './mistakes.ts';

/** One export of a file, as its module gives it. */
export interface Exported {
  /** Relative to the repository, for messages. */
  readonly file: string;
  readonly name: string;
  readonly value: unknown;
}

type NamedKind =
  | 'entity'
  | 'source'
  | 'view'
  | 'onDemandView'
  | 'service'
  | 'model'
  | 'node'
  | 'endpoint'
  | 'pipeline'
  | 'experiment'
  | 'rollout';

/** Every named object once, sorted by name: neither the order of files nor of exports shows. */
export type Collected = { readonly [K in NamedKind]: readonly AuthoredOf<K>[] };

/** By file and name. */
export function inOrder(exports: Iterable<Exported>): Exported[] {
  return [...exports].sort((a, b) => compareTexts(a.file, b.file) || compareTexts(a.name, b.name));
}

export function collect(exports: Iterable<Exported>, mistakes: Mistakes): Collected {
  const seen = new Set<Authored>();
  const visit = (value: unknown, file: string): void => {
    const object = authored(value);
    if (object === undefined || seen.has(object)) return;
    seen.add(object);
    mistakes.locate(object, file);
    if ('call' in object && object.kind !== 'step' && object.kind !== 'group')
      mistakes.addSlips(object, object.call.slips);
    for (const next of leadsTo(object)) visit(next, file);
  };
  const sorted = inOrder(exports);
  // Exported objects first, so that each is reported under its own file and not under one that uses it.
  for (const { file, value } of sorted) {
    const object = authored(value);
    if (object !== undefined) mistakes.locate(object, file);
  }
  for (const { file, value } of sorted) visit(value, file);
  const ofKind = <K extends NamedKind>(kind: K): readonly AuthoredOf<K>[] => {
    const objects = [...seen].filter((object): object is AuthoredOf<NamedKind> => object.kind === kind);
    const named = objects.filter((object) => hasName(object, mistakes));
    named.sort((a, b) => compareTexts(a.name, b.name));
    // The filter left the objects of that kind only.
    return unique(named, mistakes) as unknown as AuthoredOf<K>[];
  };
  const collected = {
    entity: ofKind('entity'),
    source: ofKind('source'),
    view: ofKind('view'),
    onDemandView: ofKind('onDemandView'),
    service: ofKind('service'),
    model: ofKind('model'),
    node: ofKind('node'),
    endpoint: ofKind('endpoint'),
    pipeline: ofKind('pipeline'),
    experiment: ofKind('experiment'),
    rollout: ofKind('rollout'),
  };
  refuseSharedPrefixes([...collected.view, ...collected.onDemandView], mistakes);
  return collected;
}

// Nothing can be said of an object whose name is no text, but that.
function hasName(object: AuthoredOf<NamedKind>, mistakes: Mistakes): boolean {
  if (typeof object.name === 'string') return true;
  mistakes.add(object, `its name must be text, got ${describeResult(object.name)}`, [0]);
  return false;
}

function unique<T extends AuthoredOf<NamedKind>>(sorted: readonly T[], mistakes: Mistakes): T[] {
  return sorted.filter((object, at) => {
    const previous = sorted[at - 1];
    if (previous === undefined || previous.name !== object.name) return true;
    mistakes.add(
      object,
      `the name is already taken by another ${kindName(object.kind)}${mistakes.whereIs(previous)}. Rename one of them`,
      [0],
    );
    return false;
  });
}

// A stored view and an on-demand view of one name would give their features the same full names.
function refuseSharedPrefixes(views: readonly AuthoredOf<'view' | 'onDemandView'>[], mistakes: Mistakes): void {
  const byName = new Map<string, Authored>();
  for (const view of views) {
    const other = byName.get(view.name);
    if (other !== undefined)
      mistakes.add(
        view,
        `the name is already taken by ${aKind(other.kind)}${mistakes.whereIs(other)}. Rename one of them`,
        [0],
      );
    byName.set(view.name, view);
  }
}

export function leadsTo(object: Authored): readonly unknown[] {
  switch (object.kind) {
    case 'entity':
      return [];
    case 'source':
      return object.sourceKind === 'query' ? queriedObjects(object.options) : [];
    case 'view':
      return [object.entity, object.source];
    case 'viewMember':
    case 'onDemandMember':
      return [object.view];
    case 'onDemandView':
      return Object.values(object.inputs ?? {}).map(resolveLazy);
    case 'service':
      return Array.isArray(object.members) ? object.members : [];
    case 'model':
      return [object.features, object.graph];
    case 'node':
      return nodeLeadsTo(object);
    case 'endpoint':
      return [object.model];
    case 'metric':
      return metricLeadsTo(object.options);
    case 'experiment':
      return [...itemsOf(object.endpoints), ...Object.values(object.metrics ?? {}).flatMap(itemsOf)];
    case 'rollout':
      return [object.options.endpoint];
    case 'pipeline':
      return [...object.steps, ...itemsOf(object.on).map((one) => triggerOf(one)?.trigger.of)];
    case 'step':
      return actionLeadsTo(object.action);
    // Its steps are its pipeline's.
    case 'group':
      return [];
  }
}

function nodeLeadsTo({ of, options }: AuthoredNode): readonly unknown[] {
  const membersOf = (value: unknown): readonly unknown[] =>
    value !== null && typeof value === 'object' && authored(value) === undefined ? Object.values(value) : [];
  return [of, ...itemsOf(of), ...membersOf(options.cases), ...membersOf(options.inputs).map(nodeIn)];
}

/** What `node.out(…)` gives is of a node; anything else is itself. */
export function nodeIn(value: unknown): unknown {
  return isNodeOutput(value) ? value.node : value;
}

/** Whether a value is what `node.out(…)` gives. */
export function isNodeOutput(value: unknown): value is NodeOutput {
  return value !== null && typeof value === 'object' && 'node' in value && authored(value.node)?.kind === 'node';
}

function queriedObjects(options: AnySourceOptions | undefined): readonly unknown[] {
  return [...itemsOf(options?.over), ...itemsOf(options?.static)];
}

function metricLeadsTo(options: AnyMetricOptions): readonly unknown[] {
  // In plain JavaScript anything may stand there.
  const parts = itemsOf(options.ratio).filter(
    (part): part is AnyMetricOptions => typeof part === 'object' && part !== null,
  );
  return [options, ...parts].flatMap(({ outcome, endpoint, over, static: still, prePeriod }) => [
    outcome,
    endpoint,
    ...itemsOf(over),
    ...itemsOf(still),
    prePeriod,
  ]);
}

function itemsOf(list: unknown): readonly unknown[] {
  return Array.isArray(list) ? list : [];
}

function actionLeadsTo(action: AuthoredAction | undefined): readonly unknown[] {
  const kind = action === undefined ? undefined : ACTION_KINDS.get(action.kind);
  // What was given came by the kind's own authoring function.
  return kind?.leadsTo?.(action?.given as never) ?? [];
}

/** An input may be given as a function, to name a view that is declared further down. */
export function resolveLazy(input: unknown): unknown {
  if (typeof input !== 'function') return input;
  try {
    return input();
  } catch {
    // Reported where the input is compiled: it is then no view.
    return undefined;
  }
}

/** The object of kind `kind` that `value` is; else reports what came and gives undefined. */
export function expectKind<K extends Authored['kind']>(
  value: unknown,
  kind: K,
  owner: Authored,
  member: string,
  at: Path,
  mistakes: Mistakes,
  of?: Authored,
): AuthoredOf<K> | undefined {
  const object = authored(value);
  // The kind was compared.
  if (object?.kind === kind) return object as AuthoredOf<K>;
  mistakes.add(owner, `${member} must be ${aKind(kind)}, got ${describeAuthored(value)}`, at, of);
  return undefined;
}
