// Numbers that came through 32 bits are told as they were sent, as far as these can hold them.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sentFloat32 } from '../../src/rollouts/sent-number.ts';

it('gives back what was sent, of six digits at most', () => {
  fc.assert(
    fc.property(fc.integer({ min: -999_999, max: 999_999 }), fc.integer({ min: -20, max: 20 }), (digits, exponent) => {
      const sent = Number(`${digits}e${exponent}`);
      expect(sentFloat32(Math.fround(sent))).toBe(sent);
    }),
  );
});

it('is the same number for 32 bits, and no longer than nine digits', () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true }), (value) => {
      const sent = sentFloat32(value);
      // The text of −0 is 0, which is no unit either way.
      expect(Math.fround(sent) === value).toBe(true);
      // `===`: the text of −0 has no sign either.
      if (Number.isFinite(value)) expect(Number(sent.toPrecision(9)) === sent).toBe(true);
    }),
  );
});
