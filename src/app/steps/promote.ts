// A promotion as a step: a version gets an alias, or a rollout of it starts.

import { HeadraceError, type Json, stringifyJson } from '../../core/index.ts';
import type { StepAction } from '../../definitions/index.ts';
import type { BuiltInTaskContext } from '../../orchestrator/index.ts';
import type { AuditRecord, ModelVersion } from '../../registry/index.ts';
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

interface AliasMove {
  readonly model: string;
  readonly alias: string;
  readonly version: number;
}

/** Of a model's, the newest: a repeat comes soon after what it repeats. */
const MOST_CHANGES = 1000;

/** Throws as `ModelRegistry.setAlias`. */
export async function moveAlias(
  app: App,
  { model, alias, version }: AliasMove,
  context: BuiltInTaskContext,
): Promise<unknown> {
  const { log } = context;
  const { models } = await app.registry();
  // A repeat after a kill leaves the alias where somebody has moved it since.
  const reason = `by ${placeOf(context)}`;
  const isOwn = ({ action, reason: why, after }: AuditRecord): boolean =>
    action === 'model.alias' && why === reason && stringifyJson(after) === stringifyJson({ alias, version });
  const own = (await changesOf(app, model)).find(isOwn);
  if (own !== undefined) {
    log(`${alias} of ${model} was moved to version ${version} ${reason} before`);
    return { model, version, alias, previous: versionOf(own.before) };
  }
  const before = (await models.list()).find(({ name }) => name === model)?.aliases ?? {};
  const previous = Object.hasOwn(before, alias) ? (before[alias] ?? null) : null;
  await models.setAlias(model, alias, version, app.environment.actor, reason);
  log(`${alias} of ${model} is version ${version}${previous === null ? '' : `, and was version ${previous}`}`);
  return { model, version, alias, previous };
}

/** Whether the version was registered with the alias, wherever that is by now. */
export async function isRegisteredWith(app: App, { model, alias, version }: AliasMove): Promise<boolean> {
  return (await changesOf(app, model)).some(({ action, after }) => {
    if (action !== 'model.register') return false;
    const made = after as unknown as Pick<ModelVersion, 'version' | 'aliases'>; // as the registry records it
    return made.version === version && made.aliases.includes(alias);
  });
}

async function changesOf(app: App, model: string): Promise<readonly AuditRecord[]> {
  const { auditLog } = await app.registry();
  return auditLog.list({ object: `model/${model}`, limit: MOST_CHANGES });
}

async function startRollout(
  app: App,
  o: { readonly model: string; readonly endpoint: string; readonly plan?: string; readonly version: number },
  context: BuiltInTaskContext,
): Promise<unknown> {
  const { log } = context;
  const rollouts = await app.rollouts();
  const reason = `version ${o.version} by ${placeOf(context)}`;
  const isOwn = ({ events, rollout }: ShownRollout): boolean =>
    rollout.candidate === o.version && events.some((event) => event.from === null && event.reason === reason);
  const before = (await rollouts.list({ endpoint: o.endpoint })).find(isOwn);
  const by = { actor: app.environment.actor, reason, isAdmin: false };
  const asked = {
    endpoint: o.endpoint,
    model: o.model,
    candidate: o.version,
    ...(context.order.definitions === undefined ? {} : { definitions: context.order.definitions }),
    ...(o.plan === undefined ? {} : { plan: o.plan }),
  };
  const { rollout } = before ?? (await rollouts.start(asked, by));
  log(
    `rollout ${rollout.id} of version ${o.version} at ${o.endpoint}: ${before === undefined ? 'started' : rollout.state}`,
  );
  return { model: o.model, version: o.version, endpoint: o.endpoint, rollout: rollout.id, state: rollout.state };
}

/** The run's own mark in a history: a repeat after a kill finds what it did, whatever became of that since. */
function placeOf({ runId, step, order, index }: BuiltInTaskContext): string {
  const scope = order.scope === '' ? '' : `${order.scope}/`;
  return `step "${step}"[${scope}${index}] of run ${runId}`;
}

function versionOf(before: Json): Json {
  return before !== null && typeof before === 'object' && 'version' in before ? (before['version'] ?? null) : null;
}
