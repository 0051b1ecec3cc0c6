// Figures of shadows against the pairs that they are of: whatever processes counted them, and whenever they told.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shadowFigures } from '../../src/monitoring/shadows/shadow-figures.ts';
import { binOf } from '../../src/monitoring/shadows/score-sketch.ts';
import {
  addShadow,
  createShadowTally,
  packShadow,
  type PackedShadow,
  shadowMeter,
  type ShadowTally,
  takeShadow,
} from '../../src/monitoring/shadows/shadow-tally.ts';
import { runs } from '../support/tier.ts';

const OF = { endpoint: 'e', version: 2 };

interface Pair {
  readonly answered: number;
  readonly shadowed: number;
}
const pair = ({ answered, shadowed }: Pair) => ({
  isAgreed: answered === shadowed,
  difference: Math.abs(answered - shadowed),
  answered,
  shadowed,
});

function figuresOf(pairs: readonly Pair[]) {
  const tally = createShadowTally(OF);
  const meter = shadowMeter(tally);
  for (const one of pairs) meter.pair(pair(one), 100, 200);
  return shadowFigures(tally);
}

describe('figures of a shadow', () => {
  it('are the same whichever process counted what, and in whatever parts they were told', () => {
    const score = fc.integer({ min: -50, max: 50 });
    const one = fc.record({ process: fc.nat(2), answered: score, shadowed: score, isTold: fc.boolean() });
    const events = fc.array(one, { maxLength: 60 });
    fc.assert(
      fc.property(events, (all) => {
        const processes = [0, 1, 2].map(() => createShadowTally(OF));
        const sums = new Map<string, ShadowTally>();
        const tell = (packed: PackedShadow | undefined): void => {
          if (packed !== undefined) addShadow(sums, structuredClone(packed));
        };
        let before = 0;
        for (const { process, isTold, ...one } of all) {
          const tally = processes[process] as ShadowTally;
          shadowMeter(tally).pair(pair(one), 100, 200);
          shadowMeter(tally).dropped('busy', 1);
          if (isTold) tell(takeShadow(tally));
          const now = [...sums.values()][0]?.pairs ?? 0;
          expect(now).toBeGreaterThanOrEqual(before);
          before = now;
        }
        for (const tally of processes) tell(takeShadow(tally));
        const [sum] = [...sums.values()];
        const dropped = new Map(all.length === 0 ? [] : [['busy', all.length]]);
        expect(shadowFigures(sum as ShadowTally)).toEqual({ ...figuresOf(all), dropped });
        // And so from one who owns the totals to the next.
        const told = new Map<string, ShadowTally>();
        addShadow(told, packShadow(sum as ShadowTally));
        expect(shadowFigures([...told.values()][0] as ShadowTally)).toEqual(shadowFigures(sum as ShadowTally));
      }),
    );
  });

  it('put numbers into bins in their order, each within 1 % of its others', () => {
    const numbers = fc.double({ noNaN: true, min: -1e9, max: 1e9 });
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        if (a < b) expect(binOf(a)).toBeLessThanOrEqual(binOf(b));
        const isApart = Math.abs(a - b) > 0.0203 * Math.max(Math.abs(a), Math.abs(b)) && Math.abs(a - b) > 2.1e-6;
        if (isApart) expect(binOf(a)).not.toBe(binOf(b));
      }),
      { numRuns: runs(2000) },
    );
    expect(binOf(NaN)).toBe(0);
    expect(binOf(0)).toBe(binOf(-0));
    expect(binOf(Infinity)).toBe(binOf(1e12));
  });

  it('have a PSI of next to nothing where both are drawn alike, and of much where one has moved', () => {
    const draw = (seed: number) => {
      let state = seed;
      return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
    };
    const [one, other] = [draw(1), draw(2)];
    const alike = Array.from({ length: 4000 }, () => ({ answered: one(), shadowed: other() }));
    expect(figuresOf(alike).psi).toBeLessThan(0.02);
    const moved = alike.map(({ answered, shadowed }) => ({ answered, shadowed: shadowed ** 2 }));
    expect(figuresOf(moved).psi).toBeGreaterThan(0.25);
  });

  it('have a PSI that sees a constant move, to either side, and to no number', () => {
    const constant = (shadowed: number) =>
      figuresOf(Array.from({ length: 100 }, () => ({ answered: 0.5, shadowed }))).psi ?? NaN;
    expect(constant(0.5)).toBe(0);
    for (const shadowed of [0.1, 0.9, -0.5, NaN]) expect(constant(shadowed)).toBeGreaterThan(1);
  });

  it('are null without pairs', () => {
    expect(figuresOf([])).toMatchObject({ pairs: 0, agreement: null, meanAbsDifference: null, psi: null });
  });
});
