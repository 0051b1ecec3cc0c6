// Every op over every type, in any order of arrival, split and merged and stored in any way, is what the oracle says.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Aggregator, type TileState } from '../../src/aggregation/index.ts';
import { compareValues, encodeOrder, HeadraceError, type DataType, type Value } from '../../src/core/index.ts';
import type { WindowOp } from '../../src/definitions/index.ts';
import { toEventColumns } from '../support/event-columns.ts';
import { rationalMean, rationalSum, rationalVariance } from '../support/rational.ts';
import { runs } from '../support/tier.ts';
import { type WindowAggregation, type WindowEvent, windowOracle } from '../support/window-oracle.ts';
import { aggregatorOf, folded } from '../support/window-view.ts';

const TYPES: Readonly<Record<string, DataType>> = {
  flag: { kind: 'bool' },
  small: { kind: 'int32' },
  large: { kind: 'int64' },
  single: { kind: 'float32' },
  double: { kind: 'float64' },
  text: { kind: 'string' },
  blob: { kind: 'bytes' },
  moment: { kind: 'timestamp' },
  tags: { kind: 'list', of: { kind: 'string' } },
  vector: { kind: 'vector', size: 2 },
};

const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null, freq: 5 });
const ARBITRARY: Readonly<Record<string, fc.Arbitrary<Value>>> = {
  flag: maybe(fc.boolean()),
  small: maybe(fc.oneof(fc.integer({ min: -5, max: 5 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }))),
  large: maybe(
    fc.oneof(
      fc.bigInt({ min: -9n, max: 9n }),
      fc.bigInt({ min: -(2n ** 61n), max: 2n ** 61n }),
      fc.constantFrom(2n ** 53n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n),
    ),
  ),
  single: maybe(fc.integer({ min: -1000, max: 1000 }).map((value) => Math.fround(value / 7))),
  double: maybe(
    fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: -1000, max: 1000 }).map((value) => value / 8) },
      { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Infinity, -Infinity, -0, 0) },
    ),
  ),
  text: maybe(
    fc.oneof(fc.constantFrom('', 'a', 'é', '\u{1f600}', '\uffff'), fc.string({ maxLength: 3, unit: 'grapheme' })),
  ),
  blob: maybe(fc.uint8Array({ maxLength: 3 })),
  moment: maybe(fc.integer({ min: -1000, max: 1000 })),
  tags: maybe(fc.array(fc.option(fc.constantFrom('x', 'y')), { maxLength: 2 })),
  vector: maybe(fc.tuple(fc.constantFrom(0, 1, -1), fc.constantFrom(0, 2)).map((pair) => Float32Array.from(pair))),
};

const ANY: readonly WindowOp[] = ['count', 'first', 'last', 'lastN', 'countDistinct', 'min', 'max'];
const NUMERIC: readonly WindowOp[] = ['sum', 'mean', 'variance', 'stddev'];
const opsOf = (column: string) =>
  ['small', 'large', 'single', 'double'].includes(column) ? [...ANY, ...NUMERIC] : ANY;

const WINDOWS = [
  { windowMicros: 100, hopMicros: 10 },
  { windowMicros: 35, hopMicros: 10 },
  { windowMicros: 1000, hopMicros: 250 },
];

const aggregationsOf = (columns: readonly string[]): WindowAggregation[] =>
  WINDOWS.flatMap((window) => [
    { op: 'count' as const, column: null, ...window },
    ...columns.flatMap((column) => opsOf(column).map((op) => ({ op, column, n: 3, ...window }))),
  ]);

const valuesOf = (columns: readonly string[]) =>
  fc.record(Object.fromEntries(columns.map((column) => [column, ARBITRARY[column] as fc.Arbitrary<Value>])));

const events = (columns: readonly string[]): fc.Arbitrary<WindowEvent[]> =>
  fc.array(
    fc
      .record({
        eventMicros: fc.integer({ min: -600, max: 600 }),
        lag: fc.constantFrom(0, 0, 7, 50),
        values: valuesOf(columns),
      })
      .map(({ eventMicros, lag, values }) => ({ eventMicros, knownMicros: eventMicros + lag, values })),
    { maxLength: 40 },
  );

const compiled = (aggregations: readonly WindowAggregation[]): Aggregator =>
  aggregatorOf(
    TYPES,
    aggregations.map((aggregation, i) => ({ name: `f${i}`, type: { kind: 'int64' }, aggregation })),
  );

function expectSame(
  aggregator: Aggregator,
  state: TileState,
  aggregations: readonly WindowAggregation[],
  arrived: readonly WindowEvent[],
  at: number,
): void {
  aggregations.forEach((aggregation, feature) => {
    const type = TYPES[aggregation.column ?? ''] ?? { kind: 'int64' as const };
    const read = () => aggregator.value(state, feature, at);
    let expected: Value;
    try {
      expected = windowOracle(aggregation, type, arrived, at);
    } catch {
      expect(read).toThrow(HeadraceError);
      return;
    }
    const actual = read();
    const what = `${aggregation.op}(${aggregation.column}) over ${aggregation.windowMicros} at ${at}`;
    expect(isClose(actual, expected, aggregation.op), `${what}: ${String(actual)} is not ${String(expected)}`).toBe(
      true,
    );
    const readNumber = aggregator.numberReaders[feature]?.(state, at);
    if (readNumber !== undefined) {
      expect(readNumber, what).toEqual(actual === null ? null : Number(actual));
    }
  });
}

function isClose(a: Value, b: Value, op: WindowOp): boolean {
  if (compareValues(a, b) === 0 || (a === 0 && b === 0)) return true;
  if (!NUMERIC.includes(op) || typeof a !== 'number' || typeof b !== 'number') return false;
  // A spread near zero carries the rounding of the values it came from.
  const scale = op === 'stddev' ? 1e-6 : 1e-9;
  return Math.abs(a - b) <= scale * Math.max(1, Math.abs(a), Math.abs(b)) * (Math.abs(b) > 1e15 ? 10 : 1);
}

const at = fc.integer({ min: -700, max: 1800 });

const upTo = (rows: readonly WindowEvent[], time: number) => rows.filter(({ eventMicros }) => eventMicros <= time);

describe.each(Object.keys(TYPES))('windows over a column of %s', (column) => {
  const aggregations = aggregationsOf([column]);
  const aggregator = compiled(aggregations);

  it('are what the oracle says, whatever the order of arrival', () => {
    fc.assert(
      fc.property(events([column]), at, (arrived, time) => {
        const visible = upTo(arrived, time);
        expectSame(aggregator, folded(aggregator, visible), aggregations, visible, time);
      }),
      { numRuns: runs(100) },
    );
  });

  it('are the same for merged parts, where ties of the second part arrived later', () => {
    fc.assert(
      fc.property(events([column]), events([column]), at, (first, second, time) => {
        const [earlier, later] = [upTo(first, time), upTo(second, time)];
        const state = folded(aggregator, earlier);
        aggregator.merge(state, folded(aggregator, later));
        const all = [...earlier, ...later];
        expectSame(aggregator, state, aggregations, all, time);
      }),
      { numRuns: runs(100) },
    );
  });

  it('are the same after a round trip through bytes, a trim, and reuse of the state', () => {
    const reused = aggregator.create();
    fc.assert(
      fc.property(events([column]), events([column]), at, (before, after, time) => {
        const visible = upTo(before, time);
        const bytes = aggregator.encode(folded(aggregator, visible));
        const padded = Buffer.concat([Buffer.from([1, 2, 3]), bytes, Buffer.from([9])]);
        aggregator.reset(reused);
        expect(aggregator.decode(padded, 3, reused)).toBe(3 + bytes.length);
        expect(Buffer.from(aggregator.encode(reused)).equals(bytes)).toBe(true);
        expectSame(aggregator, reused, aggregations, visible, time);
        aggregator.trim(reused, time);
        expectSame(aggregator, reused, aggregations, visible, time);
        const more = upTo(after, time);
        const columns = toEventColumns(aggregator.inputs, more);
        more.forEach((_, row) => aggregator.update(reused, columns, row));
        expectSame(aggregator, reused, aggregations, [...visible, ...more], time);
      }),
      { numRuns: runs(100) },
    );
  });
});

describe('a view of many columns', () => {
  const columns = Object.keys(TYPES);
  const aggregations = aggregationsOf(columns);
  const aggregator = compiled(aggregations);

  it('keeps them apart', () => {
    fc.assert(
      fc.property(events(columns), at, (arrived, time) => {
        const visible = upTo(arrived, time);
        expectSame(aggregator, folded(aggregator, visible), aggregations, visible, time);
      }),
      { numRuns: runs(40) },
    );
  });

  it('shares a part between features that need the same one', () => {
    const shared = compiled([
      { op: 'mean', column: 'double', windowMicros: 100, hopMicros: 10 },
      { op: 'sum', column: 'double', windowMicros: 50, hopMicros: 10 },
      { op: 'count', column: 'double', windowMicros: 70, hopMicros: 10 },
    ]);
    expect(shared.groups).toEqual([{ hopMicros: 10, retentionMicros: 100, slotsPerTile: 3, cellsPerTile: 1 }]);
  });
});

describe('full ties', () => {
  const columns = ['text', 'double', 'large', 'flag'];
  const aggregations = WINDOWS.flatMap((window) =>
    columns.flatMap((column) => (['first', 'last', 'lastN'] as const).map((op) => ({ op, column, n: 3, ...window }))),
  );
  const aggregator = compiled(aggregations);
  const int64 = { kind: 'int64' } as const;

  interface Placed extends WindowEvent {
    /** Of the created-order column. */
    readonly created: Value;
    /** −1: a row of a file. */
    readonly writer: number;
    readonly offset: number;
  }

  // Few times, few created orders, and those beyond what a double tells apart: nearly all rows tie.
  const placed = fc
    .uniqueArray(
      fc.record({
        eventMicros: fc.constantFrom(0, 10, 12),
        lag: fc.constantFrom(0, 5),
        created: fc.constantFrom(null, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 63n)),
        writer: fc.constantFrom(-1, 0, 1, 300),
        offset: fc.integer({ min: 0, max: 400 }),
        values: valuesOf(columns),
      }),
      { maxLength: 30, selector: ({ writer, offset }) => `${writer}/${offset}` },
    )
    .map((rows) => rows.map(({ lag, ...row }): Placed => ({ ...row, knownMicros: row.eventMicros + lag })));

  /** In order of arrival, as the source tells it. */
  const inOrder = (rows: readonly Placed[], hasCreated: boolean) =>
    rows.toSorted(
      (a, b) => (hasCreated ? compareValues(a.created, b.created) : 0) || a.writer - b.writer || a.offset - b.offset,
    );

  const fold = (rows: readonly Placed[], hasCreated: boolean): TileState =>
    folded(
      aggregator,
      rows,
      rows.map(({ created, writer, offset }) => {
        const place = writer < 0 ? undefined : { writer, offset };
        return encodeOrder(hasCreated ? { type: int64, value: created } : undefined, place);
      }),
    );

  const stored = (state: TileState): TileState => {
    const read = aggregator.create();
    aggregator.decode(aggregator.encode(state), 0, read);
    return read;
  };

  it.each([true, false])(
    'are decided by the order keys in any split, fold and merge (created order: %s)',
    (created) => {
      const split = placed.chain((rows) => {
        // Rows of files tie among themselves by content, which has no key: they come in order, and in one part.
        const files = inOrder(rows, created).filter(({ writer }) => writer < 0);
        const pushed = rows.filter(({ writer }) => writer >= 0);
        return fc.record({
          files: fc.constant(files),
          pushed: fc.shuffledSubarray(pushed, { minLength: pushed.length }),
          parts: fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
          merges: fc.infiniteStream(fc.nat()),
          isStored: fc.boolean(),
        });
      });
      fc.assert(
        fc.property(split, ({ files, pushed, parts, merges, isStored }) => {
          const byPart: Placed[][] = [[...files], [], [], []];
          for (const row of pushed) (byPart[parts.next().value] as Placed[]).push(row);
          const states = byPart.map((rows) => fold(rows, created));
          while (states.length > 1) {
            const [from] = states.splice(merges.next().value % states.length, 1) as [TileState];
            const at = merges.next().value % states.length;
            const into = isStored ? stored(states[at] as TileState) : (states[at] as TileState);
            aggregator.merge(into, from);
            states[at] = into;
          }
          const all = inOrder([...files, ...pushed], created);
          expectSame(aggregator, states[0] as TileState, aggregations, all, 30);
        }),
        { numRuns: runs(300) },
      );
    },
  );

  it('take rows without an order for rows of files', () => {
    fc.assert(
      fc.property(placed, fc.boolean(), (rows, isBaseFirst) => {
        const files = inOrder(rows, false).filter(({ writer }) => writer < 0);
        const pushed = rows.filter(({ writer }) => writer >= 0);
        const [base, parts] = [folded(aggregator, files), fold(pushed, false)];
        const [into, from] = isBaseFirst ? [base, parts] : [parts, base];
        aggregator.merge(into, from);
        expectSame(aggregator, into, aggregations, inOrder(rows, false), 30);
      }),
    );
  });
});

describe('sums, means and variances of any floats', () => {
  const window = { windowMicros: 1000, hopMicros: 10 };
  const ops = ['sum', 'mean', 'variance'] as const;
  const aggregator = compiled(ops.map((op) => ({ op, column: 'double', ...window })));

  const any = fc.oneof(
    fc.constantFrom(1e16, -1e16, 1, -1, 1e32, -1e32, 1e308, -1e308, 5e-324, 2 ** 1023, -(2 ** 1023), 0.1),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer({ min: -100, max: 100 }).map((steps) => 1e16 + 2 * steps),
  );
  /** Each value and its opposite but for one: nearly nothing is left of them. */
  const cancelling = fc
    .tuple(any, fc.array(any, { maxLength: 12 }))
    .chain(([one, values]) =>
      fc.shuffledSubarray([one, ...values, ...values.map((value) => -value)], { minLength: 2 * values.length + 1 }),
    );
  const rows = fc.oneof(fc.array(any, { minLength: 1, maxLength: 25 }), cancelling).chain((values) =>
    fc.record({
      values: fc.constant(values),
      times: fc.array(fc.integer({ min: 0, max: 60 }), { minLength: values.length, maxLength: values.length }),
      parts: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: values.length, maxLength: values.length }),
    }),
  );

  function foldParts({ values, times, parts }: { values: number[]; times: number[]; parts: number[] }): TileState {
    const state = aggregator.create();
    for (const part of [2, 0, 1]) {
      const own = values.flatMap((double, i) =>
        parts[i] === part ? [{ eventMicros: times[i] as number, knownMicros: 0, values: { double } }] : [],
      );
      const read = aggregator.create();
      aggregator.decode(aggregator.encode(folded(aggregator, own)), 0, read);
      aggregator.merge(state, read);
    }
    return state;
  }

  it('are the true sum, rounded once, in any order, over any tiles and parts', () => {
    fc.assert(
      fc.property(rows, (split) => {
        const state = foldParts(split);
        const sum = rationalSum(split.values);
        expect(aggregator.value(state, 0, 100)).toBe(sum);
        const mean = aggregator.value(state, 1, 100) as number;
        // Past the greatest double there is a mean nevertheless, of two roundings.
        if (Number.isFinite(sum)) expect(mean).toBe(sum / split.values.length);
        else expect(Math.abs(mean / rationalMean(split.values) - 1)).toBeLessThanOrEqual(2 ** -52);
      }),
      { numRuns: runs(1000) },
    );
  });

  it('have a variance within 1e-12 of the true one, however far from zero', () => {
    fc.assert(
      fc.property(rows, (split) => {
        // Squares of what is further apart are past the doubles.
        fc.pre(split.values.every((value) => Math.abs(value) < 1e150 && (value === 0 || Math.abs(value) > 1e-140)));
        const expected = rationalVariance(split.values);
        const actual = aggregator.value(foldParts(split), 2, 100);
        if (expected === null) expect(actual).toBeNull();
        else expect(Math.abs((actual as number) - expected)).toBeLessThanOrEqual(1e-12 * expected);
      }),
      { numRuns: runs(1000) },
    );
  });
});
