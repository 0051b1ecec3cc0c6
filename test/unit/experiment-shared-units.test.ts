import { expect, it } from 'vitest';
import type { LiveExperiment } from '../../src/registry/index.ts';
import { refuseSharedUnits } from '../../src/rollouts/experiments/live/shared-units.ts';

const part = (seed: string, from: number, to: number): LiveExperiment['namespace'] => ({ seed, ranges: [[from, to]] });

function clash(one: LiveExperiment['namespace'], other: LiveExperiment['namespace']): string | undefined {
  const live: LiveExperiment = { name: 'new', phase: 1, seed: 's', unit: ['u'], namespace: one, when: null, arms: [] };
  try {
    refuseSharedUnits('rank', live, [{ name: 'old', namespace: other }]);
    return undefined;
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

it('lets experiments of one endpoint start whose parts of a namespace are apart', () => {
  expect(clash(part('shared', 0, 0.5), part('shared', 0.5, 1))).toBeUndefined();
  expect(clash(part('shared', 0.7, 1), part('shared', 0, 0.7))).toBeUndefined();
});

it.each([
  [null, null],
  [part('shared', 0, 0.5), null],
  [null, part('shared', 0, 0.5)],
  [part('shared', 0, 0.5), part('shared', 0.4, 1)],
  [part('a', 0, 0.5), part('b', 0.5, 1)],
])('refuses one that may want the units of another: %j and %j', (one, other) => {
  expect(clash(one, other)).toContain('experiment "old" runs on endpoint "rank"');
});
