// Slots of pools, which the tasks of all runs share: a run claims no more than it holds, asks for what it could use besides, and
// gives back what it can not use, or what others wait for, with the batch that ends the tasks.

import { noteSlots } from './changes.ts';
import type { Command, EngineEvent } from './events.ts';
import type { Node } from './graph.ts';
import type { RunInHand } from './run-in-hand.ts';

/** Slots of one pool, as a run has them. */
export interface PoolInHand {
  readonly name: string;
  /** The run's own, by rows that are written: no more of its tasks are claimed. */
  held: number;
  /** As many as it may go on to hold: for those above it others wait. */
  share: number;
  /** Tasks of its steps that run. */
  running: number;
  /** As many as it could use now. */
  wanted: number;
  /** The most of which it is known elsewhere that they are wanted, since slots were given back last. */
  told: number;
  /** Nothing is given back meanwhile, which the answer would not know of. */
  isAsking: boolean;
  /** Others took or gave since it asked last. */
  isStale: boolean;
}

/** Slots of a pool that a run has by its rows. */
export interface KeptSlots {
  readonly pool: string;
  readonly slots: number;
}

/** Of the pools that a graph names, and those that the run still has slots of. */
export function poolsInHand(nodes: Iterable<Node>, kept: readonly KeptSlots[]): ReadonlyMap<string, PoolInHand> {
  const slots = new Map(kept.map(({ pool, slots: of }) => [pool, of]));
  for (const node of nodes)
    if (node.kind === 'step' && node.spec.pool !== undefined && !slots.has(node.spec.pool))
      slots.set(node.spec.pool, 0);
  return new Map([...slots].map(([name, held]) => [name, newPool(name, held)]));
}

// What another driver held is wanted until it is known how much of it is.
function newPool(name: string, held: number): PoolInHand {
  return { name, held, share: Infinity, running: 0, wanted: held, told: held, isAsking: false, isStale: false };
}

export function poolOf({ pools }: Pick<RunInHand, 'pools'>, node: Node): PoolInHand | undefined {
  return node.kind === 'step' && node.spec.pool !== undefined ? pools.get(node.spec.pool) : undefined;
}

/** How many more tasks of its steps may be claimed; Infinity without a pool. */
export function freeSlots(pool: PoolInHand | undefined): number {
  return pool === undefined ? Infinity : Math.min(pool.held, pool.share) - pool.running;
}

export function hearOfPools(
  { pools }: RunInHand,
  event: Extract<EngineEvent, { kind: 'wanted' | 'slots' | 'pools changed' }>,
): void {
  if (event.kind === 'pools changed') {
    for (const pool of pools.values()) pool.isStale = pool.held > 0 || pool.wanted > 0;
    return;
  }
  const pool = pools.get(event.pool);
  if (pool === undefined) return;
  if (event.kind === 'wanted') pool.wanted = event.slots;
  else if (pool.isAsking) Object.assign(pool, { held: event.held, share: event.share, isAsking: false });
}

/** Gives back and asks, as far as there is something to. */
export function settlePools(run: RunInHand, commands: Command[]): void {
  for (const pool of run.pools.values()) {
    if (pool.isAsking) continue;
    const { name, held, share, running, wanted } = pool;
    const kept = Math.max(running, Math.min(wanted, share));
    if (kept < held) {
      Object.assign(pool, { held: kept, told: wanted });
      noteSlots(run, { pool: name, slots: kept, wanted });
    }
    if (!pool.isStale && (wanted <= pool.held || wanted <= pool.told)) continue;
    Object.assign(pool, { isAsking: true, isStale: false, told: wanted });
    commands.push({ kind: 'ask', pool: name, slots: wanted });
  }
}
