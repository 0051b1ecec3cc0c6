// The name that somebody may have meant.

import { describe, expect, it } from 'vitest';
import { didYouMean, didYouMeanOf, nearestName } from '../../src/core/suggest.ts';

describe('a name that is not known', () => {
  it('is likely one that is at most two slips away, or a third of its letters, whatever its case', () => {
    expect(nearestName('stabel', ['candidate', 'stable'])).toBe('stable');
    expect([nearestName('abc', ['axy']), nearestName('abc', ['xyz'])]).toEqual(['axy', undefined]);
    expect([
      nearestName('a'.repeat(9), ['b'.repeat(3) + 'a'.repeat(6)]),
      nearestName('a'.repeat(9), ['b'.repeat(4) + 'a'.repeat(5)]),
    ]).toEqual(['bbbaaaaaa', undefined]);
    expect(nearestName('STABLE', ['stable'])).toBe('stable');
    expect(nearestName('ab', ['abcd', 'abc', 'abx'])).toBe('abc');
  });

  it('is told with the likely one, or with a few that there are, or that there are none', () => {
    expect(didYouMean('x', ['stable'])).toBe('');
    expect(didYouMeanOf('variants', 'stabel', ['stable'])).toBe(' Did you mean "stable"?');
    expect(didYouMeanOf('variants', 'x', [])).toBe(' There are no variants.');
    const names = Array.from({ length: 9 }, (_, at) => `variant-${at}`);
    expect(didYouMeanOf('variants', 'x', names.slice(0, 8))).toMatch(/^ The variants: variant-0, .*, variant-7\.$/);
    expect(didYouMeanOf('variants', 'x', names)).toMatch(/variant-7 and 1 more\.$/);
  });
});
