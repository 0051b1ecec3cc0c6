// How a rollout starts: its plan compiled and pinned, its endpoint's traffic claimed, in one transaction with the row.

import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import { type Clock, formatTimestamp, HeadraceError, type Micros } from '../../core/index.ts';
import type { Manifest, RolloutSpec } from '../../definitions/index.ts';
import type { Registry, Variant } from '../../registry/index.ts';
import type { Database } from '../../storage/index.ts';
import { cooledFrom } from './cooldown.ts';
import { compilePlan, type PlanInput, type RolloutPlan } from './plan.ts';
import { type Rollout, trafficOwner } from './rollout.ts';
import { insertRollout, readRollouts, type RolloutDb, tablesIn } from './rollout-rows.ts';

export interface StartRollout extends PlanInput {
  readonly endpoint: string;
  /** A number, an alias or `latest`. */
  readonly candidate: string | number;
  /** The model that the candidate is a version of. Left out: the endpoint's, whichever that is. */
  readonly model?: string | undefined;
  /** A plan of the feature repository. Left out: the endpoint's, where it has one. */
  readonly plan?: string | undefined;
  /** The hash of the definitions that have it. Left out: those that are applied. */
  readonly definitions?: string | undefined;
  /** Although the version was rolled back lately. */
  readonly force?: boolean | undefined;
}

export interface Operator {
  readonly actor: string;
  readonly reason?: string | undefined;
  /** Whether it may promote what a guard stopped. */
  readonly isAdmin: boolean;
  /** The version of the row that it saw, as its ETag has it; left out: whichever. */
  readonly ifMatch?: string | undefined;
}

export interface RolloutsDeps {
  readonly database: Database;
  readonly registry: Pick<Registry, 'endpoints' | 'servers' | 'auditLog' | 'models' | 'definitions'>;
  readonly clock: Clock;
  readonly newId?: () => string;
}

/** Gives its id. What it throws is told at `Rollouts.start`. */
export async function start(
  { registry, clock, newId = () => randomBytes(6).toString('hex') }: RolloutsDeps,
  input: StartRollout,
  by: Operator,
): Promise<string> {
  const endpoint = await registry.endpoints.get(input.endpoint);
  if (input.model !== undefined && input.model !== endpoint.model) {
    const sentence = `endpoint "${endpoint.name}" serves model "${endpoint.model}" by now, and version ${input.candidate} is one of model "${input.model}": apply definitions in which the endpoint serves "${input.model}", or promote a version of "${endpoint.model}"`;
    throw new HeadraceError('HR_CONFLICT', sentence);
  }
  const { version: candidate } = await registry.models.resolve(endpoint.model, String(input.candidate));
  const { definitions } = input;
  const manifest =
    definitions === undefined
      ? (await registry.definitions.current())?.manifest
      : await registry.definitions.byHash(definitions);
  const plan = compilePlan(input, planOf(manifest, input), outcomesOf(manifest, input.endpoint));
  // Said first: its weights are what else would be found wrong.
  if (endpoint.rollout !== null) {
    const sentence = `rollout "${endpoint.rollout}" of endpoint "${endpoint.name}" is under way. Abort it first, or wait.`;
    throw new HeadraceError('HR_ROLLOUT_UNDERWAY', sentence);
  }
  const [stable, ...others] = endpoint.variants.filter(({ weight }) => weight > 0);
  if (stable === undefined || others.length > 0) {
    const sentence = `a rollout starts from one variant that has all traffic; endpoint "${endpoint.name}" has ${others.length === 0 ? 'none' : `${others.length + 1}`}. Set its traffic first`;
    throw new HeadraceError('HR_CONFLICT', sentence);
  }
  if (stable.version === candidate)
    throw new HeadraceError('HR_CONFLICT', `version ${candidate} has all traffic of endpoint "${endpoint.name}"`);
  if (endpoint.change?.state === 'preparing') {
    const { revision, actor } = endpoint.change;
    const sentence = `servers still load revision ${revision} of endpoint "${endpoint.name}", which ${actor} asked for; start the rollout once it is active`;
    throw new HeadraceError('HR_CONFLICT', sentence);
  }
  const now = clock.nowMicros();
  const rollout = newRollout({ id: newId(), endpoint: endpoint.name, candidate, stable, plan, by, now });
  const { name, version } = stable;
  const claimed = registry.endpoints.setTraffic(
    endpoint.name,
    { variants: [{ name, version, weight: 100 }] },
    {
      actor: by.actor,
      reason: by.reason ?? `rollout of version ${candidate}`,
      ifMatch: endpoint.etag,
      rollout: trafficOwner(rollout),
      isAtOnce: true,
      waitMs: 0,
      async also(trx, change) {
        const own = tablesIn(trx);
        await refuseWhileLive(own, rollout);
        if (input.force !== true) await refuseHot(own, rollout, now);
        const happened = { atMicros: now, actor: by.actor, reason: by.reason ?? null };
        await insertRollout(own, { ...rollout, revision: change.revision }, happened);
        // The registry's database is the rollouts', too.
        await registry.auditLog.recordIn(trx as unknown as Kysely<unknown>, {
          actor: by.actor,
          action: 'rollout.start',
          object: `rollout/${rollout.id}`,
          after: { endpoint: rollout.endpoint, candidate, stable: stable.version, plan },
          reason: by.reason,
        });
      },
    },
  );
  await claimed.catch((error: unknown) => {
    // The ETag is this function's own: whoever starts has sent none.
    if (!(error instanceof HeadraceError) || error.code !== 'HR_PRECONDITION') throw error;
    const sentence = `somebody changed the traffic of endpoint "${endpoint.name}" at the same moment; see what it is now, and start the rollout again`;
    throw new HeadraceError('HR_CONFLICT', sentence, { cause: error });
  });
  return rollout.id;
}

interface NewRollout {
  readonly id: string;
  readonly endpoint: string;
  readonly candidate: number;
  readonly stable: Pick<Variant, 'name' | 'version'>;
  readonly plan: RolloutPlan;
  readonly by: Operator;
  readonly now: Micros;
}

function newRollout({ id, endpoint, candidate, stable, plan, by, now }: NewRollout): Rollout {
  return {
    id,
    endpoint,
    candidate,
    stable: stable.version,
    stableName: stable.name,
    candidateName: stable.name === 'candidate' ? 'next' : 'candidate',
    plan,
    state: 'pending',
    step: 0,
    stateVersion: 1,
    leaseEpoch: 0,
    revision: null,
    phases: [],
    heldMicros: 0,
    stepMicros: 0,
    blindMicros: 0,
    lookedMicros: null,
    reason: by.reason ?? null,
    guardrails: [],
    pausedFrom: null,
    pausedBy: null,
    slowLimitMicros: null,
    slowSetMicros: null,
    createdMicros: now,
    createdBy: by.actor,
    endedMicros: null,
  };
}

async function refuseWhileLive(db: RolloutDb, { endpoint }: Rollout): Promise<void> {
  const live = (await readRollouts(db, { endpoint, isLive: true })).find(({ state }) => state !== 'promoted');
  if (live === undefined) return;
  const sentence = `rollout ${live.id} of version ${live.candidate} is under way at endpoint "${endpoint}" (${live.state}). Abort it first, or wait`;
  throw new HeadraceError('HR_CONFLICT', sentence);
}

async function refuseHot(db: RolloutDb, { endpoint, candidate, plan }: Rollout, now: Micros): Promise<void> {
  const from = cooledFrom(await readRollouts(db, { endpoint }), candidate, plan.cooldownMicros);
  if (from === undefined || now >= from) return;
  const sentence = `version ${candidate} was rolled back at endpoint "${endpoint}" and may start again from ${formatTimestamp(from)}, or with force (--force)`;
  throw new HeadraceError('HR_CONFLICT', sentence);
}

function planOf(manifest: Manifest | undefined, { plan, endpoint }: StartRollout): RolloutSpec | undefined {
  // Of other endpoints nothing is said: whoever asks may be kept to this one.
  const plans = Object.values(manifest?.rollouts ?? {}).filter((one) => one.endpoint === endpoint);
  if (plan === undefined) return plans[0];
  const named = plans.find(({ name }) => name === plan);
  if (named !== undefined) return named;
  const known = plans.length === 0 ? 'It has none' : `It has ${plans.map(({ name }) => name).join(', ')}`;
  const sentence = `the applied definitions have no rollout plan "${plan}" of endpoint "${endpoint}". ${known}`;
  throw new HeadraceError('HR_UNKNOWN_PLAN', sentence);
}

/** Metrics of experiments that are the endpoint's outcome, by whatever name. */
function outcomesOf(manifest: Manifest | undefined, endpoint: string): readonly string[] {
  const metrics = Object.values(manifest?.experiments ?? {}).flatMap((experiment) => [
    ...experiment.metrics.goal,
    ...experiment.metrics.secondary,
    ...experiment.metrics.guardrail,
  ]);
  const isOutcome = ({ parts }: (typeof metrics)[number]): boolean => {
    const [only] = parts;
    return parts.length === 1 && only?.values.kind === 'outcome' && only.values.endpoint === endpoint;
  };
  return [...new Set(metrics.filter(isOutcome).map(({ name }) => name))];
}
