// The promotion of a model's version as a step: under an alias at once, or at an endpoint by a rollout.

import { Type } from 'typebox';
import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import { AUTHORED } from '../authoring/authored-mark.ts';
import type { AuthoredEndpoint, AuthoredModel, AuthoredObject, AuthoredRollout } from '../authoring/authored.ts';
import { findSlips, type OptionNames, optionsOf } from '../authoring/call.ts';
import { closed, text } from '../compile/schema-parts.ts';
import type { ActionContext, ActionKind } from './action-kind.ts';

export type PromoteOptions =
  | { readonly alias: string; readonly endpoint?: undefined; readonly plan?: undefined }
  /** Left out, the plan is the endpoint's own. */
  | {
      readonly endpoint: AuthoredObject<AuthoredEndpoint>;
      readonly plan?: AuthoredObject<AuthoredRollout>;
      readonly alias?: undefined;
    };

const PROMOTE_OPTIONS: OptionNames<{ alias: 0; endpoint: 0; plan: 0 }> = { alias: true, endpoint: true, plan: true };

/** Gives the version that a needed step registered an alias, or starts its rollout at an endpoint. */
export function promote(model: AuthoredObject<AuthoredModel>, options: PromoteOptions): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, PROMOTE_OPTIONS, [1], 'promote(…)');
  const { alias, endpoint, plan } = optionsOf(options);
  const given: Given = { model, alias, endpoint, plan };
  return { action: { kind: 'promote', given, slips } };
}

interface Given {
  readonly model: unknown;
  readonly alias: string | undefined;
  readonly endpoint: unknown;
  readonly plan: unknown;
}

export interface PromoteSpec {
  readonly kind: 'promote';
  readonly model: string;
  readonly alias?: string;
  /** Or by a rollout at this endpoint, by this plan. */
  readonly endpoint?: string;
  readonly plan?: string;
}

export const promoteKind: ActionKind<Given, PromoteSpec> = {
  kind: 'promote',
  isEffect: true,
  schema: Type.Object(
    {
      kind: Type.Literal('promote'),
      model: text,
      alias: Type.Optional(text),
      endpoint: Type.Optional(text),
      plan: Type.Optional(text),
    },
    closed,
  ),
  leadsTo: ({ model, endpoint, plan }) => [model, endpoint, plan],
  compile(given, context) {
    const { alias, endpoint, plan } = given;
    const model = context.object('model', given.model, 'model', [1, 0]);
    const name = model?.name ?? '';
    if ((alias === undefined) === (endpoint === undefined) || (alias !== undefined && plan !== undefined)) {
      context.report(
        ": promote(…) takes either { alias: 'champion' }, or { endpoint } with or without a { plan }",
        [1, 1],
      );
      return { kind: 'promote', model: name };
    }
    if (alias !== undefined) {
      context.text('alias', alias, [1, 1, 'alias']);
      return { kind: 'promote', model: name, alias };
    }
    return { kind: 'promote', model: name, ...compileRolloutOf(given, model, context) };
  },
};

/** The endpoint serves that model, and the plan is that endpoint's. */
function compileRolloutOf(
  given: Given,
  model: AuthoredModel | undefined,
  { object, report }: ActionContext,
): { readonly endpoint: string; readonly plan?: string } {
  const endpoint = object('endpoint', given.endpoint, 'endpoint', [1, 1, 'endpoint']);
  const served = endpoint?.model?.[AUTHORED];
  if (model !== undefined && served !== undefined && served !== model) {
    report(`: endpoint "${endpoint?.name}" serves model "${served.name}", and promote(…) is of "${model.name}"`, [
      1,
      1,
      'endpoint',
    ]);
  }
  if (given.plan === undefined) return { endpoint: endpoint?.name ?? '' };
  const plan = object('plan', given.plan, 'rollout', [1, 1, 'plan']);
  const planned = plan?.options.endpoint?.[AUTHORED];
  if (endpoint !== undefined && planned !== undefined && planned !== endpoint)
    report(`: plan "${plan?.name}" is of endpoint "${planned.name}", not of "${endpoint.name}"`, [1, 1, 'plan']);
  return { endpoint: endpoint?.name ?? '', plan: plan?.name ?? '' };
}
