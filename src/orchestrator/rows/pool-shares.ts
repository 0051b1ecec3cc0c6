// Who of those that use a pool may have how many of its slots: as even as it goes, and nobody waits for ever.

import { compareTexts, type Micros } from '../../core/index.ts';

/** What one run has of a pool, and wants. */
export interface PoolClaim {
  readonly run: string;
  readonly slots: number;
  /** Those that it has with them. */
  readonly wanted: number;
  /** Since when it has some, or waits for its first. */
  readonly since: Micros;
  /** Its driver may be at work. What another left running holds its slots, and nothing is kept free for it. */
  readonly isDriven: boolean;
  /** How many slots the pool has, by the settings of its driver. */
  readonly size: number;
}

export interface PoolShare {
  /** By the settings of those who use it: the least. */
  readonly size: number;
  /** Slots that it has from now on. */
  readonly held: number;
  /** As many as it may go on to hold: others wait for what is above it. */
  readonly share: number;
}

/** `run` is one of the claims, and driven. No grant takes the sum of all slots above the size. */
export function shareOf(claims: readonly PoolClaim[], run: string): PoolShare {
  const driven = claims.filter((claim) => claim.isDriven && (claim.wanted > 0 || claim.slots > 0 || claim.run === run));
  const size = Math.min(...driven.map((claim) => claim.size));
  const total = claims.reduce((sum, { slots }) => sum + slots, 0);
  const left = claims.reduce((sum, { slots, isDriven }) => sum + (isDriven ? 0 : slots), 0);
  const turns = driven.filter(({ wanted }) => wanted > 0).sort(byTurn);
  const shares = sharesOf(turns, size - left);
  const mine = claims.find((claim) => claim.run === run);
  const { slots, wanted } = mine ?? { slots: 0, wanted: 0 };
  const share = shares.get(run) ?? 0;
  // Whoever waits for its first comes before those that have some, and before who has waited for less.
  const waiting = turns.filter((claim) => claim.slots === 0 && (shares.get(claim.run) ?? 0) > 0);
  const at = waiting.findIndex((claim) => claim.run === run);
  const free = Math.max(0, size - total - (at < 0 ? waiting.length : at));
  const more = Math.min(free, Math.min(wanted, share) - slots);
  return { size, held: slots + Math.max(0, more), share };
}

/** One each in turn while there are any, then a second, and so on: of those past the first, the same come first whoever asks. */
function sharesOf(turns: readonly PoolClaim[], capacity: number): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  const byRun = turns.toSorted((a, b) => compareTexts(a.run, b.run));
  let left = capacity;
  for (let order = turns; left > 0 && order.length > 0; ) {
    // As many rounds at once as all of them can take.
    const least = Math.min(...order.map(({ run, wanted }) => wanted - (shares.get(run) ?? 0)));
    const rounds = order === turns ? 1 : Math.max(1, Math.min(least, Math.floor(left / order.length)));
    for (const { run } of order) {
      const given = Math.min(rounds, left);
      shares.set(run, (shares.get(run) ?? 0) + given);
      left -= given;
    }
    order = byRun.filter(({ run, wanted }) => wanted > (shares.get(run) ?? 0));
  }
  return shares;
}

/** Those first that wait for their first slot, the longest first; of those that have some, who has had them longest gives way first. */
function byTurn(a: PoolClaim, b: PoolClaim): number {
  const [waitsA, waitsB] = [a.slots === 0, b.slots === 0];
  if (waitsA !== waitsB) return waitsA ? -1 : 1;
  return (waitsA ? a.since - b.since : b.since - a.since) || compareTexts(a.run, b.run);
}
