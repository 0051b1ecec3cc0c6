// A profile's lines: bars that show what is there, spreads of numbers, shares of values.

import { describe, expect, it } from 'vitest';
import { bars } from '../../src/cli/bars.ts';
import { profileTable } from '../../src/cli/profile-table.ts';

describe('bars', () => {
  it('are full for the greatest, and show the least', () => {
    expect(bars([0, 1, 500, 1000, 250, 999])).toBe(' ▁▅█▃█');
    expect(bars([7])).toBe('█');
    expect([bars([0.001, 0.02], 0.25), bars([0.125, 0.5], 0.25)]).toEqual(['▁▁', '▃█']);
  });
});

describe('a profile’s table', () => {
  it('has a line a feature: numbers with their spread, values with their shares, an old set with its null rates', () => {
    const quantiles = { p01: -30, p05: -12.3456, p25: 0, p50: 8, p75: 20, p95: 1234567.8, p99: 3e6 };
    const histogram = { edges: [0, 1, 2], counts: [1, 3] };
    const text = profileTable([
      { name: 'delay', type: 'float64', nullRate: 0.015, rows: 1000, nulls: 15, distinct: 12345, quantiles, histogram },
      {
        name: 'carrier',
        type: 'string',
        nullRate: 0.5,
        rows: 200,
        nulls: 100,
        distinct: 3,
        top: [
          { value: 'AA', rows: 60 },
          { value: 'D"L', rows: 30 },
          { value: 'UA', rows: 10 },
        ],
      },
      { name: 'at', type: 'timestamp', nullRate: 0, rows: 1, nulls: 0, distinct: 1, min: 1.7e15, max: 1.7e15 + 1 },
      { name: 'old', type: 'int64', nullRate: 1 },
    ]);
    expect(text.split('\n').map((one) => one.trimEnd().replaceAll(/ {2,}/g, '  '))).toEqual([
      '  delay  float64  1.5 % null  12,345 values  ▃█  -12.35 … 8 … 1.235e+6',
      '  carrier  string  50.0 % null  3 values  █▅▂  "AA" 60 %, "D\\"L" 30 %, "UA" 10 %',
      '  at  timestamp  0.0 % null  1 value  2023-11-14T22:13:20Z … 2023-11-14T22:13:20.000001Z',
      '  old  int64  100.0 % null',
    ]);
  });
});
