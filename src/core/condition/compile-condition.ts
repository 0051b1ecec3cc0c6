// Conditions → closures, once: what GrowthBook's SDKs answer, so that a flag evaluated there and a request routed here agree.
// Its quirks are kept, too: null matches the text "null" and the number 0.

import type { Json } from '../json.ts';
import type { Condition } from './condition.ts';
import { paddedVersion } from './padded-version.ts';

export type Test = (value: unknown) => boolean;

/** `read` gives what stands at an attribute's path; null where nothing does. */
export function compileCondition<R>(
  condition: Condition,
  read: (path: string) => (row: R) => unknown,
): (row: R) => boolean {
  const tests = Object.entries(condition).map(([key, operand]): ((row: R) => boolean) => {
    const each = (): ((row: R) => boolean)[] =>
      // Not what a condition may be is like one that says nothing.
      Array.isArray(operand) ? operand.map((one) => compileCondition(asCondition(one as Json), read)) : [];
    switch (key) {
      case '$and': {
        const all = each();
        return (row) => all.every((test) => test(row));
      }
      case '$or':
      case '$nor': {
        const some = each();
        const isNegative = key === '$nor';
        return (row) => (some.length === 0 || some.some((test) => test(row))) !== isNegative;
      }
      case '$not': {
        const test = compileCondition(asCondition(operand), read);
        return (row) => !test(row);
      }
      default: {
        const test = compileTest(operand);
        const at = read(key);
        return (row) => test(at(row));
      }
    }
  });
  const [only] = tests;
  if (tests.length === 1 && only !== undefined) return only;
  return (row) => {
    for (const test of tests) if (!test(row)) return false;
    return true;
  };
}

/** What stands at a path within plain data: members by name, items by number. */
export function readPath(value: unknown, parts: readonly string[]): unknown {
  let current = value;
  for (const part of parts) {
    if (current === null || typeof current !== 'object' || !(part in current)) return null;
    // It was found to be there.
    current = (current as Readonly<Record<string, unknown>>)[part];
  }
  return current;
}

/** Whether all of an object's members are operators. */
export function isOperators(value: Json): value is Condition {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const names = Object.keys(value);
  return names.length > 0 && names.every((name) => name.startsWith('$'));
}

function asCondition(operand: Json): Condition {
  // An array was looked for.
  return operand !== null && typeof operand === 'object' && !Array.isArray(operand) ? (operand as Condition) : {};
}

function compileTest(expected: Json): Test {
  switch (typeof expected) {
    case 'string':
      return (value) => textOf(value) === expected;
    case 'bigint':
    case 'number': {
      const number = Number(expected);
      return (value) => Number(value) === number;
    }
    case 'boolean':
      return (value) => value !== null && Boolean(value) === expected;
    default: {
      if (expected === null) return (value) => value === null;
      if (!isOperators(expected)) {
        const text = JSON.stringify(expected);
        return (value) => JSON.stringify(value) === text;
      }
      const tests = Object.entries(expected).map(([operator, operand]) => compileOperator(operator, operand));
      return (value) => tests.every((test) => test(value));
    }
  }
}

function compileOperator(operator: string, operand: Json): Test {
  const compile = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
  return compile?.(operand) ?? NEVER;
}

const NEVER: Test = () => false;

/** Each gives undefined for an operand that it can't take. */
const OPERATORS: Readonly<Record<string, (operand: Json) => Test | undefined>> = {
  $eq: (operand) => (value) => value === operand,
  $ne: (operand) => (value) => value !== operand,
  // JavaScript's own order of whatever two values, as in the SDKs.
  $lt: (operand) => (value) => (value as number) < (operand as number),
  $lte: (operand) => (value) => (value as number) <= (operand as number),
  $gt: (operand) => (value) => (value as number) > (operand as number),
  $gte: (operand) => (value) => (value as number) >= (operand as number),
  $exists: (operand) => (value) => (value !== null && value !== undefined) === Boolean(operand),
  $in: (operand) => compileIn(operand, same),
  $nin: (operand) => negate(compileIn(operand, same)),
  $ini: (operand) => compileIn(operand, lower),
  $nini: (operand) => negate(compileIn(operand, lower)),
  $not: (operand) => negate(compileTest(operand)),
  $size: (operand) => {
    const test = compileTest(operand);
    return (value) => Array.isArray(value) && test(value.length);
  },
  $elemMatch(operand) {
    const test = isOperators(operand)
      ? compileTest(operand)
      : compileCondition(asCondition(operand), (path) => {
          const parts = path.split('.');
          return (value: unknown) => readPath(value, parts);
        });
    return (value) => Array.isArray(value) && value.some((item) => item !== null && item !== undefined && test(item));
  },
  $all: (operand) => compileAll(operand, (one) => compileTest(one)),
  $alli: (operand) =>
    compileAll(operand, (one) => {
      if (typeof one !== 'string') return compileTest(one);
      const text = one.toLowerCase();
      return (value) => textOf(value).toLowerCase() === text;
    }),
  $regex: (operand) => compileRegex(operand, ''),
  $regexi: (operand) => compileRegex(operand, 'i'),
  $type: (operand) => (value) => typeNameOf(value) === operand,
  $veq: (operand) => compileVersion(operand, (one, other) => one === other),
  $vne: (operand) => compileVersion(operand, (one, other) => one !== other),
  $vlt: (operand) => compileVersion(operand, (one, other) => one < other),
  $vlte: (operand) => compileVersion(operand, (one, other) => one <= other),
  $vgt: (operand) => compileVersion(operand, (one, other) => one > other),
  $vgte: (operand) => compileVersion(operand, (one, other) => one >= other),
};

export const CONDITION_OPERATORS: readonly string[] = Object.keys(OPERATORS);

/** Undefined for what is no expression. */
export function readRegex(source: string, flags = ''): RegExp | undefined {
  try {
    return new RegExp(source.replaceAll(/([^\\])\//g, String.raw`$1\/`), flags);
  } catch {
    return undefined;
  }
}

const same = (value: unknown): unknown => value;
const lower = (value: unknown): unknown => (typeof value === 'string' ? value.toLowerCase() : value);

function compileIn(operand: Json, fold: (value: unknown) => unknown): Test | undefined {
  if (!Array.isArray(operand)) return undefined;
  const expected = new Set(operand.map(fold));
  return (value) => (Array.isArray(value) ? value.some((item) => expected.has(fold(item))) : expected.has(fold(value)));
}

function negate(test: Test | undefined): Test | undefined {
  return test === undefined ? undefined : (value) => !test(value);
}

function compileAll(operand: Json, compile: (one: Json) => Test): Test | undefined {
  if (!Array.isArray(operand)) return undefined;
  const tests = operand.map((one) => compile(one as Json));
  return (value) => Array.isArray(value) && tests.every((test) => value.some(test));
}

function compileRegex(operand: Json, flags: string): Test | undefined {
  const expression = typeof operand === 'string' ? readRegex(operand, flags) : undefined;
  return expression === undefined ? undefined : (value) => expression.test(textOf(value));
}

function compileVersion(operand: Json, holds: (one: string, other: string) => boolean): Test {
  const expected = paddedVersion(operand);
  return (value) => holds(paddedVersion(value), expected);
}

/** As JavaScript joins it to a text. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : String(value);
}

function typeNameOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
