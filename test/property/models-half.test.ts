import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fromHalf, toHalf } from '../../src/models/binding/half.ts';
import { runs } from '../support/tier.ts';

// Of the runtime, where it has them: the language's own half-precision numbers.
const { f16round } = Math as unknown as { f16round(value: number): number };

it('rounds to the nearest half-precision number as the language does', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.float(),
        fc.float({ min: -70_000, max: 70_000 }),
        fc.float({ min: Math.fround(-1e-4), max: Math.fround(1e-4) }),
      ),
      (value) => {
        expect(fromHalf(toHalf(value))).toBe(f16round(value));
      },
    ),
    { numRuns: runs(5000) },
  );
});

it('keeps every half-precision number as it is', () => {
  for (let bits = 0; bits < 65_536; bits++) {
    const value = fromHalf(bits);
    if (Number.isNaN(value)) expect(toHalf(value)).toBe(0x7e00);
    else expect(toHalf(value)).toBe(bits);
  }
});
