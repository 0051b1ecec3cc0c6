// Profiles: parts merge to what the whole gives, in whatever order, and what is told of a column is what a naive count of its
// values tells, exactly or within the stated error.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataType, Value } from '../../src/core/index.ts';
import {
  addNumbers,
  addValue,
  type ColumnSketch,
  createColumnSketch,
  mergeProfiles,
  type Profile,
  profileFromJson,
  profileToJson,
  summarizeProfile,
} from '../../src/profiles/index.ts';
import { runs } from '../support/tier.ts';

const number = fc.oneof(
  fc.double(),
  fc.double({ min: -1000, max: 1000, noNaN: true }),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(0, -0, Infinity, -Infinity, Number.NaN, 1e300, 5e-324, 12345678901234567000),
  // Their sums leave the range of doubles.
  fc.constantFrom(Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** 1023, -(2 ** 1023), 1.5e308),
);
const KINDS: readonly (readonly [DataType, fc.Arbitrary<Value>])[] = [
  [{ kind: 'float64' }, number],
  [{ kind: 'int32' }, fc.integer()],
  [
    { kind: 'int64' },
    fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -9n, max: 9n })),
  ],
  [{ kind: 'timestamp' }, fc.integer({ min: -1e15, max: 1e15 })],
  [{ kind: 'string' }, fc.oneof(fc.string(), fc.constantFrom('a', 'b', ''))],
  [{ kind: 'bool' }, fc.boolean()],
  [{ kind: 'bytes' }, fc.uint8Array()],
];
const column = fc.oneof(
  ...KINDS.map(([type, value]) =>
    fc.array(fc.option(value, { freq: 5 }), { maxLength: 60 }).map((values) => ({ type, values })),
  ),
);

function sketchOf(type: DataType, values: readonly Value[]): ColumnSketch {
  const sketch = createColumnSketch(type);
  for (const value of values) addValue(sketch, value);
  return sketch;
}

const profileOf = (type: DataType, values: readonly Value[]): Profile => ({
  rows: values.length,
  sampled: values.length,
  columns: new Map([['c', sketchOf(type, values)]]),
});

describe('a profile', () => {
  it('of the whole is that of its parts, merged in any order, as text too', () => {
    fc.assert(
      fc.property(column, fc.array(fc.nat(2), { minLength: 60, maxLength: 60 }), fc.nat(5), (one, places, turn) => {
        const { type, values } = one;
        const parts = [0, 1, 2].map((part) =>
          profileOf(
            type,
            values.filter((_, i) => places[i] === part),
          ),
        );
        const order = ['012', '021', '102', '120', '201', '210'][turn] as string;
        const [a, b, c] = [...order].map((part) => parts[Number(part)]) as [Profile, Profile, Profile];
        const before = profileToJson(a);
        const whole = profileToJson(profileOf(type, values));
        expect(profileToJson(mergeProfiles(mergeProfiles(a, b), c))).toBe(whole);
        expect(profileToJson(mergeProfiles(a, mergeProfiles(b, c)))).toBe(whole);
        expect(profileToJson(a)).toBe(before);
        expect(profileToJson(profileFromJson(whole))).toBe(whole);
        expect(summarizeProfile(profileFromJson(whole))).toEqual(summarizeProfile(profileOf(type, values)));
      }),
      { numRuns: runs(400) },
    );
  });

  it('counts nulls, distinct and most frequent values as a naive count does', () => {
    fc.assert(
      fc.property(column, ({ type, values }) => {
        const [told] = summarizeProfile(profileOf(type, values));
        const nulls = values.filter((value) => value === null).length;
        expect(told).toMatchObject({
          rows: values.length,
          nulls,
          nullRate: values.length === 0 ? 0 : nulls / values.length,
        });
        if (type.kind === 'bytes') return;
        const counts = new Map<Value, number>();
        for (const value of values) {
          if (value === null || (typeof value === 'number' && !Number.isFinite(value))) continue;
          const own = typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
          const key = own === 0 ? 0 : own;
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
        expect(told?.distinct).toBe(counts.size);
        const most = Math.max(0, ...counts.values());
        expect(told?.top?.[0]?.rows ?? 0).toBe(most);
        for (const { value, rows } of told?.top ?? []) {
          const own = type.kind === 'int64' && typeof value === 'string' ? BigInt(value) : value;
          expect(counts.get(own)).toBe(rows);
        }
      }),
      { numRuns: runs(300) },
    );
  });

  it('has quantiles within 1 % of a value that lies there, the ends exactly, and a histogram of all', () => {
    fc.assert(
      fc.property(fc.array(fc.option(number), { maxLength: 200 }), (values) => {
        const [told] = summarizeProfile(profileOf({ kind: 'float64' }, values));
        const finite = values
          .filter((value): value is number => value !== null && Number.isFinite(value))
          .toSorted((a, b) => a - b);
        expect(told?.notFinite ?? 0).toBe(values.filter((value) => value !== null && !Number.isFinite(value)).length);
        if (finite.length === 0) expect(told?.quantiles).toBeUndefined();
        if (finite.length === 0) return;
        expect([told?.min, told?.max].map(Number)).toEqual([(finite[0] as number) + 0, (finite.at(-1) as number) + 0]);
        expect(told?.histogram?.counts.reduce((sum, count) => sum + count, 0)).toBe(finite.length);
        for (const name of ['p25', 'p50', 'p99'] as const) {
          const quantile = Number(name.slice(1)) / 100;
          const exact = finite[Math.floor(quantile * (finite.length - 1))] as number;
          const found = told?.quantiles?.[name] as number;
          // Of the least doubles the buckets are as wide as doubles lie apart.
          expect(Math.abs(found - exact)).toBeLessThanOrEqual(Math.abs(exact) * 0.0101 + 1e-320);
        }
      }),
      { numRuns: runs(300) },
    );
  });

  it('is the same of a column of doubles as of its values one by one, and of values with their counts', () => {
    const values = [1, 2.5, -3, 0, 1, 1e9, 7];
    const byColumn = createColumnSketch({ kind: 'float64' });
    addNumbers(byColumn, Float64Array.from([...values, Number.NaN]), values.length + 1);
    const byCount = createColumnSketch({ kind: 'float64' });
    for (const value of new Set(values)) addValue(byCount, value, values.filter((one) => one === value).length);
    const text = (sketch: ColumnSketch) => profileToJson({ rows: 7, sampled: 7, columns: new Map([['c', sketch]]) });
    expect(text(byColumn)).toBe(text(sketchOf({ kind: 'float64' }, values)));
    expect(text(byCount)).toBe(text(byColumn));
  });

  it('knows how many values there are of many within a few percent, and lists none of them', () => {
    const [told] = summarizeProfile(
      profileOf(
        { kind: 'string' },
        Array.from({ length: 50_000 }, (_, i) => `user ${i}`),
      ),
    );
    expect(Math.abs((told?.distinct as number) / 50_000 - 1)).toBeLessThan(0.06);
    expect(told?.top).toBeUndefined();
  });
});
