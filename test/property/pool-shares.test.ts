// Slots of a pool among random runs that ask, give back and die: never more than there are, and each run gets its turn.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PoolClaim, shareOf } from '../../src/orchestrator/rows/pool-shares.ts';
import { createRandom } from '../support/chance.ts';
import { runs } from '../support/tier.ts';

const claim = fc.record({
  slots: fc.nat(5),
  wanted: fc.nat(9),
  since: fc.nat(20),
  isDriven: fc.boolean(),
  size: fc.integer({ min: 1, max: 12 }),
});
const claimsOf = (drawn: readonly Omit<PoolClaim, 'run'>[]): PoolClaim[] =>
  drawn.map((one, at) => ({ ...one, run: `r${at}`, isDriven: one.isDriven || at === 0 }));

const sum = (claims: readonly { readonly slots: number }[]): number =>
  claims.reduce((all, { slots }) => all + slots, 0);

describe('a grant', () => {
  it('never takes all slots together above the least size of those who use them, and takes none away', () => {
    fc.assert(
      fc.property(fc.array(claim, { minLength: 1, maxLength: 6 }), (drawn) => {
        const claims = claimsOf(drawn);
        const { held, size } = shareOf(claims, 'r0');
        const [mine] = claims;
        const isUser = (one: PoolClaim) => one.isDriven && (one.slots + one.wanted > 0 || one.run === 'r0');
        expect(size).toBe(Math.min(...claims.filter(isUser).map((one) => one.size)));
        const { slots = 0, wanted = 0 } = mine ?? {};
        expect(held).toBeGreaterThanOrEqual(slots);
        if (held > slots) {
          expect(sum(claims) - slots + held).toBeLessThanOrEqual(size);
          expect(held).toBeLessThanOrEqual(wanted);
        }
      }),
      { numRuns: runs(2000) },
    );
  });

  it('goes by shares that differ by one at most among those who want more, and together are all that there is', () => {
    fc.assert(
      fc.property(fc.array(claim, { minLength: 1, maxLength: 6 }), (drawn) => {
        const claims = claimsOf(drawn).map((one) => ({ ...one, isDriven: true, size: 12 }));
        const shares = claims.map(({ run, wanted }) => ({ wanted, share: shareOf(claims, run).share }));
        const total = shares.reduce((all, { share }) => all + share, 0);
        const wanted = claims.reduce((all, one) => all + one.wanted, 0);
        expect(total).toBe(Math.min(12, wanted));
        const unmet = shares.filter(({ share, wanted }) => share < wanted);
        const least = Math.min(...unmet.map(({ share }) => share));
        for (const { share } of shares) expect(share).toBeLessThanOrEqual(least + 1);
      }),
      { numRuns: runs(2000) },
    );
  });
});

/** Runs that all want more than there is. A step: one looks, as it is woken, or a task of one ends. */
function play(runs: number, size: number, chance: (below: number) => number, steps: number) {
  const state = Array.from({ length: runs }, (_, at) => ({
    run: `r${at}`,
    slots: 0,
    wanted: size + 1,
    since: at,
    isDriven: true,
    size,
    share: Infinity,
    running: 0,
    ended: 0,
  }));
  let longest = 0;
  const waited = new Map<string, number>();
  for (let now = runs; now < steps; now++) {
    const one = state[chance(runs)];
    if (one === undefined) continue;
    if (one.running > 0 && chance(2) === 0) {
      one.running -= 1;
      one.ended += 1;
    }
    const before = one.slots;
    const kept = Math.max(one.running, Math.min(one.slots, one.share));
    one.slots = kept;
    if (before > 0 && kept === 0) one.since = now;
    const { held, share } = shareOf(state, one.run);
    if (one.slots === 0 && held > 0) one.since = now;
    Object.assign(one, { slots: held, share });
    one.running = Math.max(one.running, Math.min(one.slots, one.share));
    if (sum(state) > size) throw new Error(`${sum(state)} slots of ${size}`);
    for (const { run, slots } of state) {
      waited.set(run, slots > 0 ? 0 : (waited.get(run) ?? 0) + 1);
      longest = Math.max(longest, waited.get(run) ?? 0);
    }
  }
  return { ended: state.map(({ ended }) => ended), longest };
}

describe('runs that all want more than there is', () => {
  it('get their turns, one as often as another, however many wait', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 5 }), fc.nat(), (runs, size, seed) => {
        const { ended, longest } = play(runs, size, createRandom(seed).below, 4000);
        const mean = ended.reduce((all, one) => all + one, 0) / runs;
        for (const one of ended) expect(one).toBeGreaterThan(mean / 2);
        expect(longest).toBeLessThan(100 * runs);
      }),
      { numRuns: runs(60) },
    );
  });
});
