// What people do with rollouts: start, pause, resume, promote, abort. A person wins over the controller, says why, and of two at
// once only the one who saw how things stand.

import { HeadraceError, type Micros } from '../../core/index.ts';
import type { Registry } from '../../registry/index.ts';
import { createMoves } from './moves.ts';
import { ENDED, type Rollout, type RolloutEvent } from './rollout.ts';
import { findRollout, readEvents, readRollouts, type RolloutDb } from './rollout-rows.ts';
import { type Operator, type RolloutsDeps, start, type StartRollout } from './start-rollout.ts';
import { migrateRollouts, type RolloutTables } from './tables.ts';

/** A rollout with what a status shows of it. */
export interface ShownRollout {
  readonly rollout: Rollout;
  readonly events: readonly RolloutEvent[];
  /** Percent by variant, as the endpoint has them now; none where others set its traffic since. */
  readonly weights: Readonly<Record<string, number>>;
  /** Why nothing moves although something should; null where a controller looks. */
  readonly stopped: string | null;
}

export interface Rollouts {
  /**
   * Claims the endpoint's traffic for a rollout, which a controller then moves. Throws HR_INVALID with each mistake of the plan,
   * HR_UNKNOWN_ENDPOINT, HR_UNKNOWN_MODEL, HR_UNKNOWN_PLAN (of this endpoint), HR_CONFLICT (one is under way, the version is served, or
   * cools down, or the traffic is being changed),
   * HR_ROLLOUT_UNDERWAY.
   */
  start(input: StartRollout, by: Operator): Promise<ShownRollout>;
  /** Newest first; the newest 100 when no limit is given. `endpoints`: of these alone. */
  list(query?: {
    readonly endpoint?: string;
    readonly endpoints?: ReadonlySet<string> | undefined;
    readonly limit?: number;
  }): Promise<readonly ShownRollout[]>;
  /** By its id, or the newest of an endpoint. Throws HR_UNKNOWN_ROLLOUT, also for one of another endpoint than `endpoints`. */
  get(idOrEndpoint: string, endpoints?: ReadonlySet<string>): Promise<ShownRollout>;
  pause(id: string, by: Operator): Promise<ShownRollout>;
  /** Goes on from where it was paused. */
  resume(id: string, by: Operator): Promise<ShownRollout>;
  /** All traffic to the candidate at once. Throws HR_FORBIDDEN past a breach where `isAdmin` is false. */
  promote(id: string, by: Operator): Promise<ShownRollout>;
  /** All traffic to stable at once. */
  abort(id: string, by: Operator): Promise<ShownRollout>;
}

export type Verb = 'pause' | 'resume' | 'promote' | 'abort';

/** A controller moves a rollout once a second at most. */
const MOST_TRIES = 10;
const SILENT_MICROS: Micros = 20_000_000;

export async function openRollouts(deps: RolloutsDeps): Promise<Rollouts> {
  const { registry, clock } = deps;
  // Opened to read it may be another: an empty one with the tables.
  const database = await migrateRollouts(deps.database);
  const db: RolloutDb = database.tables<RolloutTables>();
  const moves = createMoves({ ...deps, database });

  const shown = async (rollout: Rollout): Promise<ShownRollout> => ({
    rollout,
    events: await readEvents(db, rollout.id),
    weights: await weightsOf(rollout, registry),
    stopped: await stoppedBy(rollout, registry, clock.nowMicros()),
  });

  const find = async (idOrEndpoint: string, endpoints?: ReadonlySet<string>): Promise<Rollout> => {
    const found =
      (await findRollout(db, idOrEndpoint)) ?? (await readRollouts(db, { endpoint: idOrEndpoint, limit: 1 }))[0];
    if (found !== undefined && endpoints?.has(found.endpoint) !== false) return found;
    throw new HeadraceError('HR_UNKNOWN_ROLLOUT', `there is no rollout "${idOrEndpoint}", nor one of such an endpoint`);
  };

  /** As it is now, for somebody who saw it so and may still do something. */
  const findFor = async (verb: Verb, id: string, { ifMatch }: Operator): Promise<Rollout> => {
    const rollout = await find(id);
    if (ifMatch !== undefined && !matches(ifMatch, rollout)) {
      const sentence = `rollout ${rollout.id} is at ${etagOf(rollout)}, If-Match has ${ifMatch.slice(0, 80)}: another changed it; look at it again`;
      throw new HeadraceError('HR_CONFLICT', sentence);
    }
    if (ENDED.includes(rollout.state) || rollout.state === 'rolling_back') throw cannot(verb, rollout, 'it has ended');
    return rollout;
  };

  /** What a person does; the controller that was quicker is no reason to refuse it. */
  const act = async (
    verb: Verb,
    id: string,
    by: Operator,
    work: (rollout: Rollout) => Promise<void>,
  ): Promise<ShownRollout> => {
    for (let tries = 1; ; tries++) {
      const rollout = await findFor(verb, id, by);
      try {
        await work(rollout);
        return shown(await find(rollout.id));
      } catch (thrown) {
        const isConflict = thrown instanceof HeadraceError && thrown.code === 'HR_CONFLICT';
        if (!isConflict || tries === MOST_TRIES) throw thrown;
        const now = await find(rollout.id);
        // Refused for what it is, not for what it became meanwhile.
        if (now.stateVersion === rollout.stateVersion && now.leaseEpoch === rollout.leaseEpoch) throw thrown;
      }
    }
  };

  return {
    start: async (input, by) => shown(await find(await start(deps, input, by))),
    async list({ endpoint, endpoints, limit = 100 } = {}) {
      const rows = await readRollouts(db, { limit, endpoints, ...(endpoint === undefined ? {} : { endpoint }) });
      return Promise.all(rows.map(shown));
    },
    get: async (id, endpoints) => shown(await find(id, endpoints)),
    pause: (id, by) =>
      act('pause', id, by, (rollout) => {
        if (rollout.state === 'paused' && rollout.pausedBy === 'person') throw cannot('pause', rollout, 'it is paused');
        return moves.pause(rollout, { pausedBy: 'person' }, saidBy(by));
      }),
    resume: (id, by) =>
      act('resume', id, by, (rollout) => {
        if (rollout.state !== 'paused') throw cannot('resume', rollout, 'it is not paused');
        const state = rollout.pausedFrom ?? 'watching';
        const change = { state, pausedFrom: null, pausedBy: null, stepMicros: 0, blindMicros: 0 };
        return moves.move(rollout, change, saidBy(by));
      }),
    promote: (id, by) =>
      act('promote', id, by, async (rollout) => {
        const breached = rollout.guardrails.filter(({ verdict }) => verdict === 'breached').map(({ metric }) => metric);
        if (breached.length > 0 && !by.isAdmin) {
          const sentence = `${breached.join(', ')} of rollout ${rollout.id} breached; to promote past it takes the role admin`;
          throw new HeadraceError('HR_FORBIDDEN', sentence);
        }
        const { variants } = await registry.endpoints.get(rollout.endpoint);
        if (!variants.some(({ version, weight }) => version === rollout.candidate && weight > 0))
          throw cannot('promote', rollout, 'no server answers by its candidate yet');
        await moves.promote(rollout, {}, saidBy(by));
      }),
    abort: (id, by) =>
      act('abort', id, by, async (rollout) => {
        const isOwn = (await registry.endpoints.get(rollout.endpoint).catch(() => undefined))?.rollout === rollout.id;
        if (isOwn) return moves.rollBack(rollout, {}, saidBy(by), 'aborted');
        // Somebody took the traffic from it.
        return moves.move(rollout, { state: 'aborted', endedMicros: clock.nowMicros() }, saidBy(by));
      }),
  };
}

/** A strong ETag, quotes included. */
export function etagOf({ stateVersion }: Pick<Rollout, 'stateVersion'>): string {
  return `"s${stateVersion}"`;
}

function matches(ifMatch: string, rollout: Rollout): boolean {
  const etag = etagOf(rollout);
  const given = ifMatch.split(',').map((tag) => tag.trim());
  return given.some(
    (tag) => tag === '*' || tag === etag || `"${tag}"` === etag || tag === String(rollout.stateVersion),
  );
}

function saidBy({ actor, reason }: Operator): { readonly actor: string; readonly reason: string | null } {
  return { actor, reason: reason ?? null };
}

function cannot(verb: Verb, { id, state, reason }: Rollout, why: string): HeadraceError {
  const told = reason === null ? '' : ` (${reason})`;
  return new HeadraceError('HR_CONFLICT', `rollout ${id} can't be ${PAST[verb]}: ${why}. It is ${state}${told}`);
}

const PAST: Readonly<Record<Verb, string>> = {
  pause: 'paused',
  resume: 'resumed',
  promote: 'promoted',
  abort: 'aborted',
};

async function weightsOf(
  { id, endpoint, revision }: Rollout,
  { endpoints }: Pick<Registry, 'endpoints'>,
): Promise<Readonly<Record<string, number>>> {
  const seen = await endpoints.get(endpoint).catch((thrown: unknown) => {
    if (thrown instanceof HeadraceError && thrown.code === 'HR_UNKNOWN_ENDPOINT') return undefined;
    throw thrown;
  });
  // Those of another are not its own.
  if (seen === undefined || (seen.rollout !== id && seen.revision !== revision)) return {};
  return Object.fromEntries(seen.variants.map(({ name, weight }) => [name, weight]));
}

async function stoppedBy(
  { endedMicros, lookedMicros, createdMicros }: Rollout,
  { servers }: Pick<Registry, 'servers'>,
  now: Micros,
): Promise<string | null> {
  if (endedMicros !== null) return null;
  const isSilent = Math.abs(now - (lookedMicros ?? createdMicros)) > SILENT_MICROS;
  if (!isSilent && (lookedMicros !== null || (await servers.list()).length > 0)) return null;
  return 'no server runs the controller: nothing moves until `headrace serve` runs';
}
