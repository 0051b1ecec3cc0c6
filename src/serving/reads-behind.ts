// Which reads of the store a feature is made from.

import type { ResolvedService } from '../definitions/index.ts';

/** By feature of the service: indexes into its reads, its own or those of its transform and of what that takes in turn. */
export function readsBehind({ features, onDemand }: ResolvedService): readonly (readonly number[])[] {
  const behind: (readonly number[])[] = [];
  // In an order in which each transform comes after what it takes.
  for (const { inputs } of onDemand) {
    const reads = inputs.flatMap((input) => {
      if (input.kind === 'request') return [];
      return input.kind === 'read' ? [input.read] : (behind[input.transform] ?? []);
    });
    behind.push([...new Set(reads)]);
  }
  return features.map(({ from }) => (from.kind === 'read' ? [from.read] : (behind[from.transform] ?? [])));
}
