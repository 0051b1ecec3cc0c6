// The estimate of a run's time, whatever runs are seen to take: it stays a time, and finds its way back to the truth.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRunCost } from '../../src/models/queue/run-cost.ts';

const measured = fc.record({
  fixedMicros: fc.constantFrom(0, 1, 20, 5000),
  rowMicros: fc.constantFrom(0, 0.01, 3, 900),
  loadMicros: fc.constant(0),
});
/** A clock that stands still says 0. */
const took = fc.record({ rows: fc.integer({ min: 1, max: 5000 }), ms: fc.constantFrom(0, 0, 1e-4, 0.01, 1, 50, 1e5) });

it('is a time above 0, and a batch has some rows, whatever was seen', () => {
  fc.assert(
    fc.property(measured, fc.array(took, { maxLength: 60 }), (measured, seen) => {
      const cost = createRunCost({ measured, maxBatchRows: 256, longestRunMs: () => 250 });
      for (const { rows, ms } of seen) {
        cost.observe(rows, ms);
        const batchRows = cost.batchRows();
        expect(batchRows).toBeGreaterThanOrEqual(1);
        expect(batchRows).toBeLessThanOrEqual(256);
        for (const count of [0, 1, batchRows]) {
          expect(cost.runMs(count)).toBeGreaterThan(0);
          expect(cost.runMs(count)).toBeLessThan(Infinity);
        }
      }
    }),
  );
});

it('comes to what runs take, however far off it was', () => {
  fc.assert(
    fc.property(measured, fc.array(took, { maxLength: 20 }), fc.constantFrom(0.5, 3, 40), (measured, seen, ms) => {
      const cost = createRunCost({ measured, maxBatchRows: 256, longestRunMs: () => 250 });
      for (const one of seen) cost.observe(one.rows, one.ms);
      for (let run = 0; run < 300; run++) cost.observe(10, ms);
      expect(cost.runMs(10) / ms).toBeGreaterThan(0.9);
      expect(cost.runMs(10) / ms).toBeLessThan(1.1);
    }),
  );
});
