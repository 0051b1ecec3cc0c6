// How long predictions are kept, as it is written in the configuration.

import { describe, expect, it } from 'vitest';
import { MICROS_PER_DAY } from '../../src/core/index.ts';
import { keepOf, parseKeep } from '../../src/monitoring/prediction-log/keep-rules.ts';

describe('how long predictions are kept', () => {
  it('is one time for all, another for endpoints that have their own, the longest for what is of any', () => {
    const keep = parseKeep('90d, delay=400d,short = 2h');
    const days = ['delay', 'short', 'other', undefined].map((name) => keepOf(keep, name) / MICROS_PER_DAY);
    expect(days).toEqual([400, 2 / 24, 90, 400]);
    expect(keepOf(parseKeep('delay=1d'), 'other')).toBe(Infinity);
    expect(keepOf(parseKeep('1d, delay=forever'), undefined)).toBe(Infinity);
    expect(keepOf(parseKeep('1d'), '__proto__')).toBe(MICROS_PER_DAY);
  });

  it.each([
    ['90', '"90" is no rule'],
    ['1m', '"1m" is no rule: expected "90d", "delay=400d" or "delay=forever", of at least an hour'],
    ['90d,', '"" is no rule'],
    ['90d, 80d', '"80d" says again what stands before it'],
    ['a=1d, a=2d', '"a=2d" says again'],
    ['a=b=1d', '"a=b=1d" is no rule'],
    ['a.b=1d', '"a.b=1d" is no rule'],
  ])('%s is a mistake that is told', (text, message) => {
    expect(() => parseKeep(text)).toThrow(message);
  });
});
