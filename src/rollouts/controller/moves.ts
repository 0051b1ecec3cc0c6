// The transitions of a rollout, whoever makes them: each one transaction of the row, the event, the audit log, and the weights
// where they change. What was decided by another version of the row changes nothing.

import type { Kysely } from 'kysely';
import { HeadraceError } from '../../core/index.ts';
import type { EndpointState, Registry, TrafficChange } from '../../registry/index.ts';
import { type Database, holdsLease, type LeaseToken } from '../../storage/index.ts';
import {
  FOLLOWING,
  type Guardrail,
  NOTHING_WARM,
  type Rollout,
  type RolloutState,
  trafficOwner,
  weightAt,
} from './rollout.ts';
import { type RolloutChange, tablesIn, writeTransition } from './rollout-rows.ts';

export interface By {
  readonly actor: string;
  readonly reason: string | null;
  /** Of the controller; a person holds none. */
  readonly held?: LeaseToken;
  readonly evidence?: readonly Guardrail[];
}

export interface Moves {
  /** A transition that leaves the traffic as it is. */
  move(rollout: Rollout, change: RolloutChange & { readonly state: RolloutState }, by: By): Promise<void>;
  /** Asks for the weights of a step: `preparing`. */
  ask(
    rollout: Rollout,
    asked: { readonly step: number; readonly weight: number },
    change: RolloutChange,
    by: By,
  ): Promise<void>;
  /**
   * Holds it where it is: weights that servers are still loading are taken back, and asked for again when it goes on. What somebody
   * else set in their place is left.
   */
  pause(
    rollout: Rollout,
    change: RolloutChange & { readonly pausedBy: 'person' | 'controller' },
    by: By,
  ): Promise<void>;
  /** All traffic to stable: at once, as every server has it loaded until the promotion. */
  rollBack(rollout: Rollout, change: RolloutChange, by: By, to?: 'rolling_back' | 'aborted'): Promise<void>;
  /** All traffic to the candidate, under stable's name. */
  promote(rollout: Rollout, change: RolloutChange, by: By): Promise<void>;
}

export interface MovesDeps {
  readonly database: Database;
  readonly registry: Pick<Registry, 'endpoints' | 'auditLog'>;
  readonly clock: { nowMicros(): number };
}

export function createMoves({ database, registry, clock }: MovesDeps): Moves {
  const { endpoints, auditLog } = registry;

  /** In the open transaction of whatever else changes. */
  const write = async (
    trx: Kysely<unknown>,
    rollout: Rollout,
    change: RolloutChange & { readonly state: RolloutState },
    { actor, reason, held, evidence }: By,
  ): Promise<void> => {
    if (change.state !== rollout.state && !FOLLOWING[rollout.state].includes(change.state))
      throw new HeadraceError('HR_INTERNAL', `a rollout goes from ${rollout.state} never to ${change.state}`);
    if (held !== undefined && !(await holdsLease(trx, database.kind, held)))
      throw new HeadraceError('HR_CONFLICT', `the lease "${held.name}" is no longer held by epoch ${held.epoch}`);
    const atMicros = clock.nowMicros();
    await writeTransition(tablesIn(trx), rollout, change, { atMicros, actor, reason, ...(evidence && { evidence }) });
    await auditLog.recordIn(trx, {
      actor,
      action: `rollout.${change.state}`,
      object: `rollout/${rollout.id}`,
      before: { endpoint: rollout.endpoint, state: rollout.state, step: rollout.step },
      after: { endpoint: rollout.endpoint, state: change.state, step: change.step ?? rollout.step },
      ...(reason === null ? {} : { reason }),
    });
  };

  /** Weights that are live at once where `isAtOnce`, by versions that every server has loaded. */
  const setWeights = async (
    rollout: Rollout,
    variants: readonly { readonly name: string; readonly version: number; readonly weight: number }[],
    options: { readonly isLast: boolean; readonly isAtOnce: boolean },
    changeBy: (traffic: TrafficChange) => RolloutChange & { readonly state: RolloutState },
    by: By,
  ): Promise<void> => {
    await endpoints.setTraffic(
      rollout.endpoint,
      { variants },
      {
        actor: by.actor,
        reason: by.reason ?? `rollout ${rollout.id}`,
        rollout: options.isLast ? null : trafficOwner(rollout),
        isAtOnce: options.isAtOnce,
        waitMs: 0,
        async also(trx, traffic, before) {
          refuseLost(rollout, before);
          // To give the candidate nothing is right whatever else somebody asked for.
          if (by.held !== undefined && variants.some(({ version }) => version === rollout.candidate))
            refuseOverridden(rollout, before);
          // The registry's database is the rollouts', too.
          await write(trx as unknown as Kysely<unknown>, rollout, changeBy(traffic), by);
        },
      },
    );
  };

  return {
    move: (rollout, change, by) => database.transaction<unknown, void>((trx) => write(trx, rollout, change, by)),
    ask(rollout, { step, weight }, change, by) {
      const { stable, stableName, candidate, candidateName, phases } = rollout;
      const variants = [
        { name: stableName, version: stable, weight: (10_000 - Math.round(100 * weight)) / 100 },
        { name: candidateName, version: candidate, weight },
      ];
      const begun = ({ revision }: TrafficChange): RolloutChange & { readonly state: RolloutState } => ({
        ...change,
        state: 'preparing',
        step,
        revision,
        phases: [...phases, { revision, weight, fromMicros: null, warm: null }],
        heldMicros: 0,
        stepMicros: 0,
        blindMicros: 0,
      });
      return setWeights(rollout, variants, { isLast: false, isAtOnce: false }, begun, by);
    },
    async pause(rollout, change, by) {
      const { state, step, stable, stableName, candidate, candidateName } = rollout;
      const paused = {
        ...change,
        state: 'paused',
        pausedFrom: state === 'paused' ? rollout.pausedFrom : state,
      } as const;
      const move = (to: RolloutChange & { readonly state: RolloutState }): Promise<void> =>
        database.transaction<unknown, void>((trx) => write(trx, rollout, to, by));
      if (state !== 'preparing') return move(paused);
      const before = {
        ...paused,
        pausedFrom: step === 1 ? 'pending' : 'watching',
        step: step - 1,
        phases: rollout.phases.slice(0, -1),
        heldMicros: 0,
      } as const;
      const { change: asked } = await endpoints.get(rollout.endpoint);
      if (asked?.revision !== rollout.revision) return move(before);
      const weight = weightAt(rollout, step - 1);
      const variants = [
        { name: stableName, version: stable, weight: (10_000 - Math.round(100 * weight)) / 100 },
        ...(step === 1 ? [] : [{ name: candidateName, version: candidate, weight }]),
      ];
      const held = ({ revision }: TrafficChange): RolloutChange & { readonly state: RolloutState } => ({
        ...before,
        revision,
        // Servers answer as they did: there is nothing to warm up.
        ...(step > 1 && {
          phases: [...before.phases, { revision, weight, fromMicros: clock.nowMicros(), warm: NOTHING_WARM }],
        }),
      });
      return setWeights(rollout, variants, { isLast: false, isAtOnce: true }, held, by);
    },
    async rollBack(rollout, change, by, to = 'rolling_back') {
      const { stable, stableName } = rollout;
      const variants = [{ name: stableName, version: stable, weight: 100 }];
      const ended = to === 'aborted' ? { endedMicros: clock.nowMicros() } : { endedMicros: null };
      const taken = ({ revision }: TrafficChange): RolloutChange & { readonly state: RolloutState } => ({
        ...change,
        ...ended,
        state: to,
        revision,
      });
      // Once promoted servers have let go of stable: they load it again.
      await setWeights(rollout, variants, { isLast: true, isAtOnce: rollout.state !== 'promoted' }, taken, by);
    },
    async promote(rollout, change, by) {
      const { candidate, stableName, plan } = rollout;
      const variants = [{ name: stableName, version: candidate, weight: 100 }];
      const done = ({ revision }: TrafficChange): RolloutChange & { readonly state: RolloutState } => ({
        ...change,
        state: 'promoted',
        revision,
        // What the watch counts.
        phases: [...rollout.phases, { revision, weight: 100, fromMicros: clock.nowMicros(), warm: NOTHING_WARM }],
        stepMicros: 0,
        endedMicros: plan.watchMicros > 0 ? null : clock.nowMicros(),
      });
      await setWeights(rollout, variants, { isLast: true, isAtOnce: true }, done, by);
    },
  };
}

/** Whoever took the traffic from the rollout keeps it. */
function refuseLost(
  { id, state, revision: own }: Rollout,
  { name, rollout: owner, revision, change }: Pick<EndpointState, 'name' | 'rollout' | 'revision' | 'change'>,
): void {
  const isAsLeft = state === 'promoted' && owner === null && revision === own && change?.state !== 'preparing';
  if (owner === id || isAsLeft) return;
  throw new HeadraceError('HR_CONFLICT', `the traffic of endpoint "${name}" is not rollout ${id}'s any more`);
}

/** What somebody set beside the rollout is taken up first, not taken back. */
function refuseOverridden(
  { id, revision: own }: Rollout,
  { name, revision, change }: Pick<EndpointState, 'name' | 'revision' | 'change'>,
): void {
  const isOwn = change?.revision === own || (revision === own && change?.state !== 'preparing');
  if (isOwn) return;
  throw new HeadraceError('HR_CONFLICT', `somebody changed the traffic of endpoint "${name}" beside rollout ${id}`);
}
