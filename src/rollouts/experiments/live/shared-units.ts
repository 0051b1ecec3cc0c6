// Experiments on one endpoint share a namespace: else the one that is asked first takes the other's units, and nobody is told.

import { HeadraceError } from '../../../core/index.ts';
import type { LiveExperiment } from '../../../registry/index.ts';

/** Throws HR_CONFLICT where another experiment of the endpoint may want the same units. */
export function refuseSharedUnits(
  endpoint: string,
  live: LiveExperiment,
  others: readonly Pick<LiveExperiment, 'name' | 'namespace'>[],
): void {
  const other = others.find(({ namespace }) => !isApart(live.namespace, namespace));
  if (other === undefined) return;
  throw new HeadraceError(
    'HR_CONFLICT',
    `experiment "${other.name}" runs on endpoint "${endpoint}" and may want the units of "${live.name}". Give both one namespace, each its part of it: namespace: { name: 'shared', range: [0, 0.5] } and [0.5, 1]; or stop "${other.name}" first.`,
  );
}

type Namespace = LiveExperiment['namespace'];

function isApart(one: Namespace, other: Namespace): boolean {
  if (one === null || other === null || one.seed !== other.seed) return false;
  return one.ranges.every(([from, to]) => other.ranges.every(([start, end]) => to <= start || end <= from));
}
