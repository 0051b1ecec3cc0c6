// What a store's nodes say of how they keep what they are given: as one text a state, and as lines of the log.

import type { Logger } from '../core/index.ts';
import type { NodeGuard } from './online-store.ts';

/** One guard of the nodes that say the same of it. */
export interface GuardGroup extends Pick<NodeGuard, 'guard' | 'state' | 'fix'> {
  /** Names the nodes. */
  readonly says: string;
  readonly nodes: readonly string[];
}

/** In the order of the guards; what is kept too. */
export function groupGuards(guards: readonly NodeGuard[]): readonly GuardGroup[] {
  const groups = Map.groupBy(guards, ({ guard, state, says }) => JSON.stringify([guard, state, says]));
  return [...groups.values()].map((all) => {
    const [{ guard, state, says, fix }] = all as [NodeGuard, ...NodeGuard[]];
    const nodes = all.map(({ node, place }) => `${node} (${place})`);
    return { guard, state, says: `${nodes.join(', ')}: ${says}`, nodes, ...(fix === undefined ? {} : { fix }) };
  });
}

/** A warning where any node lacks a guard, another where any could not be checked; nothing where all are kept. */
export function reportGuards(guards: readonly NodeGuard[], logger: Logger): void {
  const groups = groupGuards(guards);
  for (const [state, begins] of [
    ['lacking', 'the online store may lose what it was given'],
    ['unknown', 'whether the online store keeps what it is given could not be checked'],
  ] as const) {
    const own = groups.filter((group) => group.state === state);
    if (own.length === 0) continue;
    const sentences = own.map(({ says, fix }) => (fix === undefined ? says : `${says}; ${fix}`));
    const fields = own.map(({ guard, nodes }) => ({ guard, nodes }));
    logger.warn({ guards: fields }, `${begins}: ${sentences.join('. ')}`);
  }
}
