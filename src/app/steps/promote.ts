// A promotion as a step: a version gets an alias, or a rollout of it starts.

import { HeadraceError } from '../../core/index.ts';
import type { StepAction } from '../../definitions/index.ts';
import type { BuiltInTaskContext } from '../../orchestrator/index.ts';
import type { ShownRollout } from '../../rollouts/index.ts';
import type { App } from '../open-app.ts';
import { onlyRegisteredVersion } from './registered-versions.ts';

type PromoteAction = Extract<StepAction, { kind: 'promote' }>;

/**
 * Gives `{ model, version, alias, previous }`, or `{ model, version, endpoint, rollout, state }` of a rollout that servers
 * move from then on. Throws HR_STEP_FAILED without one version among the needs, and as `ModelRegistry.setAlias` and
 * `Rollouts.start`.
 */
export async function runPromote(app: App, action: PromoteAction, context: BuiltInTaskContext): Promise<unknown> {
  const { model, alias, endpoint } = action;
  const version = onlyRegisteredVersion(context.needs, { kind: 'promote', model });
  if (alias !== undefined) return moveAlias(app, { model, alias, version }, context);
  if (endpoint !== undefined) return startRollout(app, { ...action, endpoint, version }, context);
  throw new HeadraceError('HR_STEP_FAILED', `promote of model "${model}" names neither an alias nor an endpoint`);
}

async function moveAlias(
  app: App,
  { model, alias, version }: { readonly model: string; readonly alias: string; readonly version: number },
  { log }: BuiltInTaskContext,
): Promise<unknown> {
  const { models } = await app.registry();
  const before = (await models.list()).find(({ name }) => name === model)?.aliases ?? {};
  const previous = Object.hasOwn(before, alias) ? (before[alias] ?? null) : null;
  await models.setAlias(model, alias, version, app.environment.actor);
  log(`${alias} of ${model} is version ${version}${previous === null ? '' : `, and was version ${previous}`}`);
  return { model, version, alias, previous };
}

async function startRollout(
  app: App,
  o: { readonly model: string; readonly endpoint: string; readonly plan?: string; readonly version: number },
  { runId, step, order, index, log }: BuiltInTaskContext,
): Promise<unknown> {
  const rollouts = await app.rollouts();
  const scope = order.scope === '' ? '' : `${order.scope}/`;
  // The run's own mark in the history: a repeat after a kill finds what it started, whatever became of that since.
  const reason = `version ${o.version} by step "${step}"[${scope}${index}] of run ${runId}`;
  const isOwn = ({ events, rollout }: ShownRollout): boolean =>
    rollout.candidate === o.version && events.some((event) => event.from === null && event.reason === reason);
  const before = (await rollouts.list({ endpoint: o.endpoint })).find(isOwn);
  const by = { actor: app.environment.actor, reason, isAdmin: false };
  const asked = {
    endpoint: o.endpoint,
    candidate: o.version,
    ...(o.plan === undefined ? {} : { plan: o.plan }),
  };
  const { rollout } = before ?? (await rollouts.start(asked, by));
  log(
    `rollout ${rollout.id} of version ${o.version} at ${o.endpoint}: ${before === undefined ? 'started' : rollout.state}`,
  );
  return { model: o.model, version: o.version, endpoint: o.endpoint, rollout: rollout.id, state: rollout.state };
}
