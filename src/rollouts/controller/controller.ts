// Looks at each rollout that is under way and does the one thing that is next: with its row, the weights, the event and the
// audit log in one transaction, which the lease's epoch and the row's version guard.

import { type Clock, HeadraceError, type Logger, messageOf, type Micros, MICROS_PER_MINUTE } from '../../core/index.ts';
import type { Registry } from '../../registry/index.ts';
import { type Database, holdsLease, type LeaseToken } from '../../storage/index.ts';
import type { MaturedOutcomes, RolloutEvidence } from './arm-minute.ts';
import { type Command, decide, type Seen } from './decide.ts';
import { SLOW_FACTOR } from './guard.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { guardsOf } from './plan.ts';
import { CONTROLLER, type Guardrail, NOTHING_WARM, type Phase, type Rollout, weightAt } from './rollout.ts';
import { readRollouts, type RolloutChange, type RolloutDb, writeProgress } from './rollout-rows.ts';
import { createMoves, type Moves } from './moves.ts';
import { see } from './see-traffic.ts';
import type { RolloutTables } from './tables.ts';
import { takeUp } from './take-up.ts';
import { tellEvents, type TellRollout } from './tell-events.ts';
import { judge } from './verdicts.ts';
import { readWarmEvents } from './warm-events.ts';

export interface ControllerDeps {
  readonly database: Database;
  readonly registry: Pick<Registry, 'endpoints' | 'servers' | 'auditLog'>;
  readonly evidence: RolloutEvidence;
  readonly clock: Clock;
  /** Milliseconds that no one sets back. */
  readonly steadyMs?: () => number;
  readonly logger: Logger;
  /** Hears what happened to each rollout, oftener than once where a process ended meanwhile. */
  readonly tell?: TellRollout;
}

export interface Controller {
  /** One look at every rollout, as the one that holds the lease. Throws what the database throws when it is away. */
  look(held: LeaseToken, signal?: AbortSignal): Promise<void>;
}

/** Outcomes that ripen are asked of the log so often. */
const MATURED_EVERY_MS = 60_000;
const SLOW_EVERY_MICROS: Micros = MICROS_PER_MINUTE;
const SLOW_BY_MICROS: Micros = 10 * MICROS_PER_MINUTE;

/** What a controller knows of a rollout beyond its row; all of it can be lost. */
interface Known {
  readonly ledger: Ledger;
  /** Whose servers were told what is slow. */
  slowEndpoint: string | undefined;
  lookedMs: number | undefined;
  wasLate: boolean;
  matured: { readonly atMs: number; readonly outcomes: readonly MaturedOutcomes[] } | undefined;
}

export function createController(deps: ControllerDeps): Controller {
  const { database, registry, evidence, clock, logger, steadyMs = () => performance.now() } = deps;
  const known = new Map<string, Known>();
  const moves = createMoves(deps);

  const knownOf = (id: string): Known => {
    const one = known.get(id) ?? {
      ledger: createLedger(evidence),
      slowEndpoint: undefined,
      lookedMs: undefined,
      wasLate: false,
      matured: undefined,
    };
    known.set(id, one);
    return one;
  };

  const judged = async (rollout: Rollout, of: Known): Promise<readonly Guardrail[]> => {
    // Nobody has been sent to the candidate by this rollout yet.
    if (rollout.phases.length === 0 || rollout.state === 'rolling_back') return rollout.guardrails;
    // Who was silent before has never heard of it.
    const since = rollout.phases[0]?.fromMicros ?? Infinity;
    const late = rollout.state === 'promoted' ? [] : await evidence.lateServers(since);
    // What they held back comes for minutes that were counted.
    if (of.wasLate && late.length === 0) of.ledger.forget();
    of.wasLate = late.length > 0;
    const tally = await of.ledger.look(rollout, clock.nowMicros());
    return judge(rollout, { tally, late, matured: await maturedOf(rollout, of) });
  };

  const maturedOf = async (rollout: Rollout, of: Known): Promise<readonly MaturedOutcomes[] | undefined> => {
    const { maturityMicros } = rollout.plan;
    if (maturityMicros === 0 || !guardsOf(rollout.plan).some(({ metric }) => metric === 'outcome')) return undefined;
    if (of.matured === undefined || steadyMs() - of.matured.atMs >= MATURED_EVERY_MS) {
      const fromMicros = rollout.createdMicros;
      const outcomes = await evidence.matured({ endpoint: rollout.endpoint, fromMicros, maturityMicros });
      of.matured = { atMs: steadyMs(), outcomes };
    }
    return of.matured.outcomes;
  };

  /** What is slow follows stable; the servers are told each minute. */
  const slowOf = async ({ id, endpoint, stable, plan, slowSetMicros, state }: Rollout): Promise<RolloutChange> => {
    const now = clock.nowMicros();
    if (slowSetMicros !== null && Math.abs(now - slowSetMicros) < SLOW_EVERY_MICROS) return {};
    if (state === 'promoted' || state === 'rolling_back') return {};
    const guard = guardsOf(plan).find(({ metric }) => metric === 'slow_rate' || metric === 'latency');
    if (guard === undefined) return {};
    const { metric, bound } = guard;
    const factor = metric === 'latency' && bound.kind === 'relative' ? 1 + bound.tolerance : SLOW_FACTOR;
    const limit =
      metric === 'latency' && bound.kind === 'limit'
        ? bound.value
        : await evidence.slowLimit({ endpoint, version: stable, fromMicros: now - SLOW_BY_MICROS, factor });
    if (limit === undefined) return {};
    await evidence.tellSlowLimit(endpoint, limit);
    knownOf(id).slowEndpoint = endpoint;
    return { slowLimitMicros: limit, slowSetMicros: now };
  };

  const lookAt = async (rollout: Rollout, held: LeaseToken): Promise<void> => {
    // Another took over, and this process was paused meanwhile.
    if (rollout.leaseEpoch > held.epoch) return;
    const of = knownOf(rollout.id);
    if (rollout.slowSetMicros !== null) of.slowEndpoint = rollout.endpoint;
    const nowMs = steadyMs();
    const passedMicros = of.lookedMs === undefined ? 0 : Math.round((nowMs - of.lookedMs) * 1000);
    const traffic = await see(rollout, registry);
    const guardrails = await judged(rollout, of);
    const seen: Seen = { traffic, guardrails, passedMicros };
    const command = decide(rollout, seen);
    const slow = await slowOf(rollout);
    await act(rollout, command, guardrails, slow, held);
    of.lookedMs = nowMs;
  };

  const act = async (
    rollout: Rollout,
    command: Command,
    guardrails: readonly Guardrail[],
    slow: RolloutChange,
    held: LeaseToken,
  ): Promise<void> => {
    const lookedMicros = clock.nowMicros();
    const seen: RolloutChange = { ...slow, guardrails, lookedMicros, leaseEpoch: held.epoch };
    const by = { actor: CONTROLLER, held, evidence: guardrails };
    switch (command.kind) {
      case 'stay':
        return whileHeld(held, (trx) => writeProgress(trx, rollout, { ...seen, ...command.progress }));
      case 'note': {
        const { reason } = command;
        const change = { ...seen, ...command.progress, state: rollout.state, reason: command.isOver ? null : reason };
        return moves.move(rollout, change, { ...by, reason });
      }
      case 'ask':
        return ask(moves, rollout, command.step, seen, { ...by, reason: command.reason });
      case 'move':
        return moves.move(
          rollout,
          { ...seen, ...(await movedTo(rollout, command.to)) },
          { ...by, reason: command.reason },
        );
      case 'take up': {
        const { change, said } = takeUp(rollout, command.overridden, lookedMicros);
        return moves.move(rollout, { ...seen, ...change }, { ...by, actor: command.overridden.actor, reason: said });
      }
      case 'pause':
        return moves.pause(rollout, { ...seen, pausedBy: 'controller' }, { ...by, reason: command.reason });
      case 'rollback':
        return moves.rollBack(rollout, seen, { ...by, reason: command.reason });
      case 'promote':
        return moves.promote(rollout, seen, { ...by, reason: command.reason });
      case 'abort': {
        const change = { ...seen, state: 'aborted', endedMicros: lookedMicros } as const;
        return moves.move(rollout, change, { ...by, reason: command.reason });
      }
      case 'end': {
        if (command.alert !== null) {
          logger.warn({ rollout: rollout.id, endpoint: rollout.endpoint, reason: command.alert }, 'a rollout alerts');
          const change = { ...seen, state: rollout.state, endedMicros: lookedMicros };
          return moves.move(rollout, change, { ...by, reason: command.alert });
        }
        return whileHeld(held, (trx) => writeProgress(trx, rollout, { ...seen, endedMicros: lookedMicros }));
      }
    }
  };

  /** What a state begins with. */
  const movedTo = async (
    rollout: Rollout,
    to: Rollout['state'],
  ): Promise<RolloutChange & { state: Rollout['state'] }> => {
    const now = clock.nowMicros();
    const begun = { state: to, heldMicros: 0, blindMicros: 0 };
    const last = rollout.phases.at(-1);
    const phases = (change: Partial<Phase>): readonly Phase[] =>
      last === undefined ? [] : [...rollout.phases.slice(0, -1), { ...last, ...change }];
    if (to === 'settling') return { ...begun, phases: phases({ fromMicros: now }) };
    if (to === 'watching' || to === 'baking') {
      const warm = rollout.plan.warmupMicros === 0 ? NOTHING_WARM : await readWarmEvents(rollout, evidence);
      return { ...begun, phases: phases({ warm }) };
    }
    if (to === 'rolled_back') return { ...begun, endedMicros: now };
    return begun;
  };

  const whileHeld = (held: LeaseToken, work: (trx: RolloutDb) => Promise<void>): Promise<void> =>
    database.transaction<RolloutTables, void>(async (trx) => {
      if (!(await holdsLease(trx, database.kind, held))) throw leaseLost(held);
      await work(trx);
    });

  return {
    async look(held, signal) {
      const live = await readRollouts(database.tables(), { isLive: true });
      for (const [id, { slowEndpoint }] of known) {
        if (live.some((rollout) => rollout.id === id)) continue;
        // A person may have ended it.
        if (slowEndpoint !== undefined && !live.some(({ endpoint }) => endpoint === slowEndpoint))
          await evidence.tellSlowLimit(slowEndpoint, null);
        known.delete(id);
      }
      for (const rollout of live) {
        if (signal?.aborted === true) return;
        try {
          await lookAt(rollout, held);
        } catch (thrown) {
          // A person was quicker, or another controller: the next look sees what they did.
          if (thrown instanceof HeadraceError && thrown.code === 'HR_CONFLICT') continue;
          if (thrown instanceof HeadraceError && thrown.status >= 500) throw thrown;
          logger.error({ rollout: rollout.id, reason: messageOf(thrown) }, 'a rollout could not be looked at');
        }
      }
      if (deps.tell !== undefined) await tellEvents(database.tables(), deps.tell);
    },
  };
}

function leaseLost({ name, epoch }: LeaseToken): HeadraceError {
  return new HeadraceError('HR_CONFLICT', `the lease "${name}" is no longer held by epoch ${epoch}`);
}

/** A candidate that can't even be asked for ends the rollout, with the reason. */
async function ask(
  moves: Moves,
  rollout: Rollout,
  step: number,
  seen: RolloutChange,
  by: Parameters<Moves['ask']>[3],
): Promise<void> {
  try {
    await moves.ask(rollout, { step, weight: weightAt(rollout, step) }, seen, by);
  } catch (thrown) {
    if (!(thrown instanceof HeadraceError)) throw thrown;
    const { code, status, message } = thrown;
    // The change was asked for, and failed at once: the next look finds it so.
    if (code === 'HR_NOT_PREPARED') return;
    if (code === 'HR_CONFLICT' || code === 'HR_ROLLOUT_UNDERWAY' || (status >= 500 && code !== 'HR_VERSION_INCOMPLETE'))
      throw thrown;
    const reason = `version ${rollout.candidate} can not be given traffic: ${message}`;
    if (code === 'HR_UNKNOWN_ENDPOINT') await moves.move(rollout, { ...seen, state: 'aborted' }, { ...by, reason });
    else await moves.rollBack(rollout, seen, { ...by, reason });
  }
}
