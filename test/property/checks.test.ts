// Rules of `expect` over random tables of every type: what the rows of a push are held to, what SQL says of a column, and the
// report of a source are all what a naive checker says.

import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokenBy, compileValueChecks } from '../../src/checks/index.ts';
import { compareValues, type DataType, type Field, type Row, toJson, type Value } from '../../src/core/index.ts';
import { type Expectation, showRule } from '../../src/definitions/index.ts';
import { checkFacts } from '../../src/offline/checks/check-facts.ts';
import { openFacts } from '../../src/offline/facts/open-facts.ts';
import { ALL_EVENTS } from '../../src/offline/sources/event-range.ts';
import { pinSource } from '../../src/offline/sources/pin-source.ts';
import { NOTHING_COVERED } from '../../src/online/index.ts';
import {
  fields,
  openOfflineWorld,
  type OfflineWorld,
  sourceOf,
  TYPES,
  writeParquet,
} from '../support/offline-world.ts';
import { runs } from '../support/tier.ts';

let world: OfflineWorld;
beforeAll(async () => {
  world = await openOfflineWorld();
});
afterAll(() => world.close());

const { timestamp, int32, int64, float32, float64, string, bool } = TYPES;
const numbers = { i32: int32, i64: int64, f32: float32, f64: float64 };
const COLUMNS = fields({ at: timestamp, ...numbers, s: string, flag: bool, ts: timestamp });
const BASE = 1_700_000_000_000_000;

// Few values, so that they meet the ends of ranges and each other.
const VALUES: Readonly<Record<string, fc.Arbitrary<Value>>> = {
  at: fc.integer({ min: 0, max: 5 }).map((n) => BASE + n),
  i32: fc.integer({ min: -3, max: 3 }),
  i64: fc.constantFrom(2n ** 53n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n, 0n, 7n),
  f32: fc.constantFrom(0.1, -1.25, 3, 0, -0, Number.NaN, Infinity).map(Math.fround),
  f64: fc.constantFrom(0.1, 0.2, -0.3, 1e9, 0, -0, Number.NaN, Infinity, -Infinity, 5e-324),
  s: fc.constantFrom('x', 'y', 'é', '', "'", 'a\0b'),
  flag: fc.boolean(),
  ts: fc.integer({ min: -2, max: 2 }).map((n) => BASE + n),
};
const typeOf = (name: string): DataType => (COLUMNS.find((one) => one.name === name) as Field).type;
const RANGED = ['at', 'i32', 'i64', 'f32', 'f64', 'ts'];
const finite = (name: string) => (VALUES[name] as fc.Arbitrary<Value>).filter((value) => !Number.isNaN(value));
const json = (name: string, value: Value): unknown => (value === null ? null : toJson(typeOf(name), value));

const row = fc.record(
  Object.fromEntries(
    Object.entries(VALUES).map(([name, value]) => [
      name,
      name === 'at' ? value : fc.option(value, { freq: 5, nil: null }),
    ]),
  ),
) as fc.Arbitrary<Row>;

interface Rule {
  readonly spec: Expectation;
  /** The naive checker of a value; of all rows: how many break it. */
  readonly isBroken?: (row: Row) => boolean;
  readonly count?: (rows: readonly Row[]) => number;
}

const onFail = fc.constantFrom('warn' as const, 'fail' as const);
const column = fc.constantFrom(...COLUMNS.map(({ name }) => name));

const notNull = fc.tuple(column, onFail).map(([of, severity]): Rule => {
  return { spec: { rule: 'notNull', column: of, onFail: severity }, isBroken: (one) => one[of] === null };
});
const end = (of: string) => fc.option(finite(of), { nil: null });
const between = fc.constantFrom(...RANGED).chain((of) =>
  fc
    .tuple(end(of), end(of), onFail)
    .filter(([min, max]) => min !== null || max !== null)
    .map(([a, b, severity]): Rule => {
      const [min, max] = a !== null && b !== null && compareValues(a, b) > 0 ? [b, a] : [a, b];
      return {
        spec: { rule: 'between', column: of, min: json(of, min), max: json(of, max), onFail: severity },
        isBroken: (one) => {
          const value = one[of] as Value;
          if (value === null) return false;
          if (Number.isNaN(value)) return true;
          const below = min !== null && (value as number) < (min as number);
          return below || (max !== null && (value as number) > (max as number));
        },
      };
    }),
);
const oneOf = column.chain((of) =>
  fc.tuple(fc.array(finite(of), { minLength: 1, maxLength: 3 }), onFail).map(([values, severity]): Rule => {
    return {
      spec: { rule: 'oneOf', column: of, values: values.map((value) => json(of, value)), onFail: severity },
      isBroken: (one) => one[of] !== null && !values.some((value) => value === one[of]),
    };
  }),
);
const unique = fc
  .tuple(fc.uniqueArray(column, { minLength: 1, maxLength: 2 }), onFail)
  .map(([columns, severity]): Rule => {
    const text = (value: unknown) => `${typeof value} ${String(value === 0 ? 0 : value)}`;
    const count = (rows: readonly Row[]) => {
      const whole = rows.filter((one) => columns.every((name) => one[name] !== null));
      return whole.length - new Set(whole.map((one) => columns.map((name) => text(one[name])).join('|'))).size;
    };
    return { spec: { rule: 'unique', columns, onFail: severity }, count };
  });
const rowCount = fc.tuple(fc.nat(6), fc.nat(6), onFail).map(([a, b, severity]): Rule => {
  const [min, max] = [Math.min(a, b), Math.max(a, b)];
  const count = ({ length }: readonly Row[]) => (length >= min && length <= max ? 0 : 1);
  return { spec: { rule: 'rowCount', min, max, onFail: severity }, count };
});
const fresh = fc.tuple(fc.integer({ min: 1, max: 8 }), onFail).map(([withinMicros, severity]): Rule => {
  const isFresh = (at: number) => at <= BASE + 4 && BASE + 4 - at <= withinMicros;
  const count = (rows: readonly Row[]) => (rows.some((one) => isFresh(one['at'] as number)) ? 0 : 1);
  return { spec: { rule: 'fresh', withinMicros, onFail: severity }, count };
});
const rule: fc.Arbitrary<Rule> = fc.oneof(notNull, between, oneOf, unique, rowCount, fresh);

describe('rules', () => {
  it('say of rows what a naive checker says, one by one, by column, and all together', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(rule, { minLength: 1, maxLength: 5 }),
        fc.array(row, { maxLength: 8 }),
        async (rules, rows) => {
          const specs = rules.map(({ spec }) => spec);
          const values = rules.filter(({ isBroken }) => isBroken !== undefined);
          const checks = compileValueChecks(COLUMNS, specs);
          expect(checks.map((one) => one.rule)).toEqual(values.map(({ spec }) => showRule(spec)));
          for (const one of rows) {
            const broken = brokenBy(checks, one).map((check) => checks.indexOf(check));
            expect(broken).toEqual(values.flatMap(({ isBroken }, i) => (isBroken?.(one) === true ? [i] : [])));
          }
          const source = sourceOf('t', 'rows.parquet', COLUMNS, { expect: specs });
          await writeParquet(world.connection, join(world.directory, 'rows.parquet'), COLUMNS, rows);
          const snapshot = await pinSource(source, ALL_EVENTS, world.deps);
          try {
            const request = { snapshot, boundary: Infinity, coverage: NOTHING_COVERED };
            const facts = await openFacts(world.connection, source, world.deps, request);
            const findings = await checkFacts(world.connection, facts, { now: BASE + 4 });
            expect(findings.map(({ rule: text, failed }) => [text, failed])).toEqual(
              rules.map(({ spec, isBroken, count }) => [
                showRule(spec),
                isBroken === undefined ? count?.(rows) : rows.filter(isBroken).length,
              ]),
            );
            // In two halves, as an incremental run looks at what came.
            const halves = [0, 1].map((half) => `(FROM ${facts.relation} WHERE __hr_row % 2 = ${half})`);
            const inHalves = await checkFacts(world.connection, facts, { now: BASE + 4, rows: halves });
            expect(inHalves.map(({ failed }) => failed)).toEqual(findings.map(({ failed }) => failed));
          } finally {
            await snapshot.close();
          }
        },
      ),
      { numRuns: runs(150) },
    );
  }, 120_000);
});
