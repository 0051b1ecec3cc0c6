// Materialization as a step.

import { Type } from 'typebox';
import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import type { AuthoredObject, AuthoredView } from '../authoring/authored.ts';
import { findSlips, type OptionNames, optionsOf } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import { closed, text } from '../compile/schema-parts.ts';
import type { ActionKind } from './action-kind.ts';

interface MaterializeOptions {
  /** Default: every view that can be. */
  readonly views?: readonly AuthoredObject<AuthoredView>[];
}

const MATERIALIZE_OPTIONS: OptionNames<MaterializeOptions> = { views: true };

/** Brings views up to date in the online store, as `headrace materialize --incremental` does. */
export function materialize(options: MaterializeOptions = {}): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, MATERIALIZE_OPTIONS, [0], 'materialize(…)');
  const given: Given = { views: optionsOf(options).views };
  return { action: { kind: 'materialize', given, slips } };
}

interface Given {
  readonly views: unknown;
}

export interface MaterializeSpec {
  readonly kind: 'materialize';
  /** Left out: every view that can be. */
  readonly views?: readonly string[];
}

export const materializeKind: ActionKind<Given, MaterializeSpec> = {
  kind: 'materialize',
  isEffect: true,
  schema: Type.Object({ kind: Type.Literal('materialize'), views: Type.Optional(Type.Array(text)) }, closed),
  leadsTo: ({ views }) => (Array.isArray(views) ? views : []),
  compile({ views }, { object, report }) {
    const at = [1, 0, 'views'];
    if (views === undefined) return { kind: 'materialize' };
    if (!Array.isArray(views) || views.length === 0) {
      const came = describeResult(views);
      report(`: the views of materialize(…) must be an array of feature views, got ${came}. Leave it out for all`, at);
      return { kind: 'materialize' };
    }
    const names = views.map((view: unknown, i) => object('a view', view, 'view', [...at, i])?.name ?? '');
    return { kind: 'materialize', views: [...new Set(names)] };
  },
};
