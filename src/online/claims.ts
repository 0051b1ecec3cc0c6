// Who holds an Idempotency-Key: the entry that claimed it first, in whatever writer's log it lies.

import { HeadraceError } from '../core/index.ts';
import type { Claim, Durable } from './online-store.ts';

/**
 * Whether an entry holds its key's claim. A keyed entry of an unsealed cut that does not is void: at a push because
 * another came first, at a settlement also because its own claim never counted, and nothing is claimed for it then.
 */
export function holdsClaim(
  entry: Pick<Claim, 'writer' | 'offset'>,
  claim: Pick<Claim, 'writer' | 'offset'> | undefined,
): boolean {
  return claim !== undefined && claim.writer === entry.writer && claim.offset === entry.offset;
}

/**
 * The store took claims, and goes on, but cannot promise that they outlive its failover or a power cut. Whoever claimed
 * gives them up (`StoreWriter.release`), so that the same key can be claimed again.
 */
export class NotDurable extends HeadraceError {
  constructor(reason: string) {
    super('HR_ONLINE_UNAVAILABLE', reason);
  }
}

/** What several writes survive together: what the least safe of them does. `all` has one at least. */
export function leastDurable(all: readonly Durable[]): Durable {
  return { disk: all.every(({ disk }) => disk), replicas: Math.min(...all.map(({ replicas }) => replicas)) };
}
