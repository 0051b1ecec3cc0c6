// Rules of values at their bounds, and what is said of what broke them.

import { describe, expect, it } from 'vitest';
import { broken, describeFinding, type Finding, suchAs, throwIfRefused } from '../../src/checks/finding.ts';
import { type HeldRow, openQuarantine } from '../../src/checks/quarantine/quarantine.ts';
import { breach, brokenBy, compileValueChecks } from '../../src/checks/value-checks.ts';
import type { DataType, Value } from '../../src/core/index.ts';
import type { Expectation } from '../../src/definitions/index.ts';
import { openDatabase } from '../../src/storage/index.ts';

const float64 = { kind: 'float64' } as const;
const int64 = { kind: 'int64' } as const;
const onFail = 'quarantine' as const;

function checkOf(expectation: Expectation, type: DataType = float64) {
  const [check] = compileValueChecks([{ name: 'x', type }], [expectation]);
  if (check === undefined) throw new Error('no rule of values');
  return check;
}
const between = (min: number | bigint | null, max: number | bigint | null, type: DataType = float64) =>
  checkOf({ rule: 'between', column: 'x', min, max, onFail } as Expectation, type);

describe('a value in a range', () => {
  it.each<[number | null, number | null, Value[], Value[]]>([
    [1, 3, [1, 2, 3, null], [0.999, 3.001, -Infinity, Infinity, NaN]],
    [1, null, [1, Infinity, null], [0.999, NaN]],
    [null, 3, [3, -Infinity, null], [3.001, NaN]],
  ])('from %s to %s has both of its ends, and NaN lies in none', (min, max, sound, bad) => {
    const { isBroken } = between(min, max);
    expect(sound.filter(isBroken)).toEqual([]);
    expect(bad.every(isBroken)).toBe(true);
  });

  it('of int64 is told to the last digit', () => {
    const { isBroken } = between(9_007_199_254_740_993n, 9_007_199_254_740_995n, int64);
    expect([2n, 3n, 4n, 5n, 6n].map((last) => isBroken(9_007_199_254_740_990n + last))).toEqual([
      true,
      false,
      false,
      false,
      true,
    ]);
  });

  it('is told with what was expected', () => {
    expect([between(1, 3), between(1, null), between(null, 3)].map(({ expected }) => expected)).toEqual([
      '1 to 3',
      'at least 1',
      'at most 3',
    ]);
    expect(breach(between(null, 3), 4)).toMatch(/^expected at most 3, got number 4: it breaks between\(x/);
  });
});

it('a value that is one of a list may have either sign of zero, and is never NaN', () => {
  const { isBroken } = checkOf({ rule: 'oneOf', column: 'x', values: [0, 2], onFail } as Expectation);
  expect([0, -0, 2, null, 1, NaN].map(isBroken)).toEqual([false, false, false, false, true, true]);
});

it('a row breaks those rules whose columns it lacks a value for, in the rules’ order', () => {
  const rules: Expectation[] = [
    { rule: 'notNull', column: 'x', onFail },
    { rule: 'between', column: 'y', min: 0, max: 1, onFail },
    { rule: 'notNull', column: 'elsewhere', onFail },
  ] as Expectation[];
  const checks = compileValueChecks(
    ['x', 'y'].map((name) => ({ name, type: float64 })),
    rules,
  );
  expect(checks.map(({ column }) => column)).toEqual(['x', 'y']);
  expect(brokenBy(checks, { y: 2 }).map(({ column }) => column)).toEqual(['x', 'y']);
  expect(brokenBy(checks, { x: 0 })).toEqual([]);
});

describe('what was found', () => {
  const finding = (more: Partial<Finding>): Finding => ({
    of: 'source "s"',
    rule: 'r',
    onFail: 'fail',
    failed: 0,
    found: null,
    ...more,
  });

  it('is refused only where a rule that says so is broken, with every such rule', () => {
    const warned = finding({ failed: 2, onFail: 'warn' });
    expect(broken([finding({}), warned])).toEqual([warned]);
    expect(() => throwIfRefused([finding({}), warned], 'nothing is done')).not.toThrow();
    const two = [finding({ failed: 1 }), finding({ failed: 3, rule: 'q' }), warned];
    expect(() => throwIfRefused(two, 'nothing is done')).toThrow(
      /r: 1 row breaks it; .*q: 3 rows break it\. With onFail: 'fail' nothing is done/,
    );
  });

  it('is said with an example of rows, and in its own sentence of all together', () => {
    expect(describeFinding(finding({ failed: 1, found: suchAs('500') }))).toBe('1 row breaks it, such as 500');
    expect(describeFinding(finding({ failed: 1, found: 'there are 4 rows' }))).toBe('there are 4 rows');
    expect(suchAs(null)).toBeNull();
  });
});

// How much the quarantine takes: up to its bound, to the byte.
// 'ü' is two bytes.
const rowOf = (id: string): HeldRow => ({ id, source: 's', row: `{"id":"${id}ü"}`, reasons: [], arrivedMicros: 5 });
const ROW_BYTES = Buffer.byteLength('{"id":"aü"}') + Buffer.byteLength('[]');

it('holds rows up to its last byte, counted in UTF-8, and refuses all of a push that is past it', async () => {
  const database = await openDatabase('sqlite::memory:');
  try {
    const quarantine = await openQuarantine(database, { maxBytes: 3 * ROW_BYTES });
    expect(await quarantine.hold([rowOf('a'), rowOf('b'), rowOf('c')])).toEqual(['a', 'b', 'c']);
    // A row that is known takes no more room.
    expect(await quarantine.hold([rowOf('a')])).toEqual([]);
    await expect(quarantine.hold([rowOf('d')])).rejects.toMatchObject({ code: 'HR_QUARANTINE_FULL' });
    await quarantine.withdraw(['c']);
    await expect(quarantine.hold([rowOf('d'), rowOf('e')])).rejects.toMatchObject({ code: 'HR_QUARANTINE_FULL' });
    expect(await quarantine.hold([rowOf('d')])).toEqual(['d']);
  } finally {
    await database.close();
  }
});
