// Rules of single values, compiled once for the columns they look at: a push and the features of a view are held to them
// row by row. offline/checks says the same in SQL; a property test holds both against a naive checker.

import { describe, type Field, parseValue, type Row, toJson, type Value } from '../core/index.ts';
import { type Expectation, isValueRule, type OnFail, showRule, type ValueRule } from '../definitions/index.ts';

export interface ValueCheck {
  /** As `showRule` tells it. */
  readonly rule: string;
  readonly onFail: OnFail;
  readonly column: string;
  readonly type: Field['type'];
  /** What the value should have been, in a few words: `at most 3000`. */
  readonly expected: string;
  isBroken(value: Value): boolean;
}

/** A rule and how many values broke it. */
export interface BrokenRule {
  readonly rule: string;
  readonly onFail: OnFail;
  readonly rows: number;
}

/** Those of the expectations that are rules of values; `fields` has the columns they name. */
export function compileValueChecks(fields: readonly Field[], expectations: readonly Expectation[] = []): ValueCheck[] {
  const types = new Map(fields.map(({ name, type }) => [name, type]));
  return expectations.filter(isValueRule).flatMap((expectation): ValueCheck[] => {
    const { column, onFail } = expectation;
    const type = types.get(column);
    // The manifest was validated: a column that is not among them is none that this caller has.
    if (type === undefined) return [];
    return [{ rule: showRule(expectation), onFail, column, type, ...compileRule(expectation, type) }];
  });
}

/** What is wrong with a value that broke a rule: what came, what was expected, and by which rule. */
export function breach({ rule, expected, type }: ValueCheck, value: Value): string {
  return `expected ${expected}, got ${describe(toJson(type, value))}: it breaks ${rule}`;
}

function compileRule(rule: ValueRule, type: Field['type']): Pick<ValueCheck, 'expected' | 'isBroken'> {
  // The compile step wrote these as values of the type.
  const read = (json: unknown): Value => parseValue(type, json) as Value;
  switch (rule.rule) {
    case 'notNull':
      return { expected: 'a value', isBroken: (value) => value === null };
    case 'between': {
      const [min, max] = [read(rule.min), read(rule.max)];
      return { expected: expectedRange(rule.min, rule.max), isBroken: outside(min, max) };
    }
    case 'oneOf': {
      // Zero is one value whatever its sign, and NaN is none of any list.
      const values = new Set(rule.values.map(read));
      return { expected: 'one of the values listed', isBroken: (value) => value !== null && !values.has(value) };
    }
  }
}

type Ordered = number | bigint;

/** NaN lies in no range. */
function outside(min: Value, max: Value): (value: Value) => boolean {
  const [least, most] = [min as Ordered | null, max as Ordered | null];
  return (value) => {
    if (value === null) return false;
    const ordered = value as Ordered;
    return !((least === null || ordered >= least) && (most === null || ordered <= most) && ordered === ordered);
  };
}

function expectedRange(min: unknown, max: unknown): string {
  if (min === null) return `at most ${String(max)}`;
  if (max === null) return `at least ${String(min)}`;
  return `${String(min)} to ${String(max)}`;
}

/** The broken rules of a row, in the rules' order. */
export function brokenBy(checks: readonly ValueCheck[], row: Row): readonly ValueCheck[] {
  return checks.filter((check) => check.isBroken(row[check.column] ?? null));
}
