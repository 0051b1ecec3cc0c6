// How long a record lives: past the last moment at which it could be read.

import { describe, expect, it } from 'vitest';
import { type Micros, MICROS_PER_DAY, MICROS_PER_HOUR } from '../../src/core/index.ts';
import type { ViewSpec } from '../../src/definitions/index.ts';
import { createViewCodec, lifetimesOf } from '../../src/online/index.ts';
import { eventManifest } from '../support/event-definitions.ts';

const MICROS_PER_MILLI = 1000;

/** Of a view with a `ttl` of a day and windows of at most one. */
function lifetimeMicros(freshness: ViewSpec['freshness']): Micros {
  const codec = createViewCodec(eventManifest({ freshness, ttlMicros: MICROS_PER_DAY }), 'v');
  return (lifetimesOf([codec])('e') ?? Infinity) * MICROS_PER_MILLI;
}

describe('a record', () => {
  it('lives for the longest of ttl and windows, and two days', () => {
    expect(lifetimeMicros({ kind: 'live' })).toBe(3 * MICROS_PER_DAY + MICROS_PER_HOUR);
  });

  it.fails('of a scheduled view lives longer by what lies between two runs, and by their lag (datapath/L4)', () => {
    const [everyMicros, lagMicros] = [7 * MICROS_PER_DAY, MICROS_PER_DAY];
    const scheduled = lifetimeMicros({ kind: 'scheduled', everyMicros, lagMicros });
    expect(scheduled).toBeGreaterThanOrEqual(lifetimeMicros({ kind: 'live' }) + everyMicros + lagMicros);
  });
});
