// Tells what happened to rollouts, from the rows that the transitions wrote: whoever dies in between tells it when another looks
// next, and one that was told already is known by its time.

import type { Json, Micros } from '../../core/index.ts';
import { CONTROLLER, type Guardrail } from './rollout.ts';
import type { RolloutDb } from './rollout-rows.ts';

export interface RolloutNews {
  readonly endpoint: string;
  /** Something that a person should look at; else what was wrong with the endpoint's rollouts is over. */
  readonly isWrong: boolean;
  /** Of the transition: the same however often it is told. */
  readonly atMicros: Micros;
  readonly evidence: { readonly [name: string]: Json };
}

export type TellRollout = (news: RolloutNews) => Promise<void>;

const MOST_A_LOOK = 200;

/** All that nobody was told of yet, in their order. Throws what `tell` throws; those before it count as told. */
export async function tellEvents(db: RolloutDb, tell: TellRollout): Promise<void> {
  const rows = await db
    .selectFrom('rollout_events')
    .innerJoin('rollouts', 'rollouts.id', 'rollout_events.rollout')
    .select(['rollout_events.id as event', 'rollout', 'endpoint', 'candidate', 'at', 'from_state', 'to_state'])
    .select(['rollout_events.reason as reason', 'actor', 'evidence'])
    .where('told', '=', 0)
    .orderBy('rollout_events.id')
    .limit(MOST_A_LOOK)
    .execute();
  for (const { event, ...row } of rows) {
    const news = newsOf(row);
    if (news !== undefined) await tell(news);
    // One by one: of events that others write now a lower id may come later.
    await db.updateTable('rollout_events').set({ told: 1 }).where('id', '=', event).execute();
  }
}

interface Happened {
  readonly rollout: string;
  readonly endpoint: string;
  readonly candidate: number;
  readonly at: Micros;
  readonly from_state: string | null;
  readonly to_state: string;
  readonly reason: string | null;
  readonly actor: string;
  readonly evidence: string | null;
}

/** Undefined of what changes nothing for somebody who waits. */
function newsOf(happened: Happened): RolloutNews | undefined {
  const { rollout, endpoint, candidate, at, from_state: from, to_state: to, reason, evidence } = happened;
  // `writeEvent` wrote it from guardrails.
  const guardrails = evidence === null ? [] : (JSON.parse(evidence) as readonly Guardrail[]);
  const wrong = guardrails.filter(({ verdict }) => verdict === 'breached' || verdict === 'blind');
  const isWrong = isWrongAt(happened, wrong);
  if (isWrong === undefined) return undefined;
  const open = guardrails.filter(({ verdict }) => verdict !== 'healthy');
  const told = to === 'paused' && wrong.length === 0 ? open : wrong;
  const [first] = told;
  return {
    endpoint,
    isWrong,
    atMicros: at,
    evidence: {
      id: rollout,
      candidate,
      state: to,
      from,
      reason,
      guard: first?.metric ?? null,
      value: first?.value ?? null,
      limit: first?.limit ?? null,
      guards: told.map(({ metric, verdict, value, limit }) => ({ metric, verdict, value, limit })),
    },
  };
}

function isWrongAt(
  { from_state: from, to_state: to, actor }: Happened,
  wrong: readonly Guardrail[],
): boolean | undefined {
  const isByItself = actor === CONTROLLER;
  if (to === 'rolling_back') return true;
  // The rollback was told.
  if (to === 'rolled_back') return undefined;
  // Whoever pauses it knows.
  if (to === 'paused') return isByItself ? true : undefined;
  // Stable can't be had back. Else somebody has taken the traffic, or ended it.
  if (to === 'aborted') return isByItself && from === 'rolling_back';
  // What a watch found, or for how long it has been blind; or that this is over.
  if (from === to) return isByItself ? wrong.length > 0 : undefined;
  return false;
}
