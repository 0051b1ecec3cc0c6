// What is left of a rollout when somebody sets the traffic of its endpoint.

import { describe, expect, it } from 'vitest';
import { checkOwner, overrideRollout } from '../../src/registry/override-rollout.ts';
import type { ResolvedTraffic, Variant } from '../../src/registry/traffic.ts';

const variant = (name: string, version: number, weight: number, from = 0): Variant => ({
  name,
  version,
  weight,
  ranges: weight === 0 ? [] : [[from, from + weight * 100]],
});
const split = (weight: number): Variant[] => [
  variant('stable', 1, 100 - weight),
  variant('candidate', 2, weight, 10_000 - weight * 100),
];
const traffic = (variants: readonly Variant[]): ResolvedTraffic => ({ variants, shadows: [], experiments: [] });
const UNDERWAY = { variants: split(10), rollout: 'r', candidate: { name: 'candidate', version: 2 } };

const override = (asked: readonly Variant[], before: Partial<typeof UNDERWAY> = {}) =>
  overrideRollout({ ...UNDERWAY, ...before }, traffic(asked));

describe('a rollout whose traffic somebody sets', () => {
  it('ends where its candidate is left nothing, and the candidate is no variant any more', () => {
    expect(override(split(0))).toMatchObject({ endsRollout: 'r', variants: [variant('stable', 1, 100)] });
    expect(override([variant('stable', 1, 100)])).toMatchObject({ endsRollout: 'r' });
  });

  it('goes on before its first step, where all variants stay as they are', () => {
    const before = { variants: [variant('stable', 1, 100)] };
    expect(override([variant('stable', 1, 100)], before)).not.toHaveProperty('endsRollout');
  });

  it('is none, and what is asked for is what there will be, where no rollout is under way', () => {
    expect(overrideRollout({ variants: split(10), rollout: null, candidate: null }, traffic(split(0)))).toEqual(
      traffic(split(0)),
    );
  });
});

describe('who sets the traffic of an endpoint with a rollout', () => {
  const asked = { rollout: undefined, override: false, reason: undefined };
  it('is refused, unless it is the rollout, or says that it overrides it and why', () => {
    const endpoint = { name: 'e', rollout: 'r' };
    expect(() => checkOwner(endpoint, asked)).toThrow(/rollout "r" .* is under way/);
    expect(checkOwner(endpoint, { ...asked, override: true, reason: 'on fire' })).toBe(true);
    expect(() => checkOwner(endpoint, { ...asked, override: true })).toThrow(/a reason/);
    expect(checkOwner(endpoint, { ...asked, rollout: { id: 'r', candidate: { name: 'c', version: 2 } } })).toBe(false);
    const another = { ...asked, rollout: { id: 'q', candidate: { name: 'c', version: 2 } } };
    expect(() => checkOwner(endpoint, another)).toThrow(/under way/);
    expect(checkOwner({ name: 'e', rollout: null }, { ...asked, override: true, reason: 'x' })).toBe(false);
  });
});
