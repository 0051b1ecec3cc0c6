// Conditions on request columns in Statsig's words, where they say the same of every value of the column's type.

import type { Condition, Field, Json } from '../../core/index.ts';
import type { Conditions, StatsigGates } from './statsig-gates.ts';

/** Why a flag can't be said in Statsig's words. */
export class Unsayable extends Error {}

/** Throws `Unsayable`. */
export function statsigConditions(condition: Condition, columns: readonly Field[], gates: StatsigGates): Conditions {
  const each = (operand: Json): Conditions[] =>
    // Arrays of conditions, as they were checked before they were kept.
    (operand as readonly Condition[]).map((one) => statsigConditions(one, columns, gates));
  return Object.entries(condition).flatMap(([key, operand]): Conditions => {
    switch (key) {
      case '$and':
        return each(operand).flat();
      case '$or':
        return isEmpty(operand) ? [] : gates.anyOf(each(operand));
      case '$nor':
        return isEmpty(operand) ? gates.anyOf([]) : gates.not(gates.anyOf(each(operand)));
      case '$not':
        return gates.not(statsigConditions(operand as Condition, columns, gates));
      default:
        return testOf(operand, columnOf(key, columns), gates);
    }
  });
}

interface Column {
  readonly field: string;
  readonly kind: 'text' | 'number' | 'truth';
}

const KINDS: Readonly<Record<string, Column['kind']>> = {
  string: 'text',
  int32: 'number',
  int64: 'number',
  float32: 'number',
  float64: 'number',
  bool: 'truth',
};

function columnOf(path: string, columns: readonly Field[]): Column {
  const type = columns.find(({ name }) => name === path)?.type.kind;
  const kind = type === undefined ? undefined : KINDS[type];
  if (kind === undefined) throw new Unsayable(`${path} is no column of text, a number or a truth value`);
  return { field: path, kind };
}

function testOf(expected: Json, column: Column, gates: StatsigGates): Conditions {
  if (expected === null) return isNull(column);
  if (Array.isArray(expected)) throw new Unsayable('a list that a value must equal');
  if (typeof expected === 'object') {
    const operators = Object.entries(expected);
    if (operators.length === 0 || operators.some(([name]) => !name.startsWith('$')))
      throw new Unsayable('an object that a value must equal');
    return operators.flatMap(([operator, operand]) => operatorOf(operator, operand, column, gates));
  }
  const equal = equals(column, expected);
  // SDKs of GrowthBook find null in the text "null" and in 0 here, and so do rows.
  return expected === 'null' || expected === 0 ? gates.anyOf([isNull(column), equal]) : equal;
}

function operatorOf(operator: string, operand: Json, column: Column, gates: StatsigGates): Conditions {
  switch (operator) {
    case '$eq':
      return operand === null ? isNull(column) : equals(column, operand);
    case '$ne':
      return gates.not(operatorOf('$eq', operand, column, gates));
    case '$in':
      return isOneOf(column, operand as readonly Json[], gates);
    case '$nin':
      return gates.not(isOneOf(column, operand as readonly Json[], gates));
    case '$not':
      return gates.not(testOf(operand, column, gates));
    case '$exists':
      return operand === true ? isThere(column) : isNull(column);
    case '$lt':
    case '$lte':
    case '$gt':
    case '$gte': {
      if (column.kind !== 'number' || typeof operand !== 'number')
        throw new Unsayable(`${operator} of other than numbers`);
      const compared = field(column, operator.slice(1), operand);
      // Null is less than 1 in JavaScript, as 0 is.
      return COMPARE[operator](operand) ? gates.anyOf([isNull(column), [compared]]) : [compared];
    }
    default:
      throw new Unsayable(`the operator ${operator}`);
  }
}

/** Whether 0 is so. */
const COMPARE = {
  $lt: (operand: number) => 0 < operand,
  $lte: (operand: number) => 0 <= operand,
  $gt: (operand: number) => 0 > operand,
  $gte: (operand: number) => 0 >= operand,
} as const;

function isOneOf(column: Column, values: readonly Json[], gates: StatsigGates): Conditions {
  const others = values.filter((value) => value !== null);
  others.forEach((value) => mustFit(column, value));
  const one = [...isThere(column), field(column, 'any_case_sensitive', others.map(String))];
  return values.length === others.length ? one : gates.anyOf([isNull(column), one]);
}

function equals(column: Column, expected: Json): Conditions {
  mustFit(column, expected);
  if (column.kind === 'text') return [...isThere(column), field(column, 'any_case_sensitive', [expected])];
  return [field(column, 'eq', expected)];
}

function mustFit({ field: name, kind }: Column, value: Json): void {
  const type = kind === 'text' ? 'string' : kind === 'number' ? 'number' : 'boolean';
  if (typeof value !== type) throw new Unsayable(`${name} held against a value of another type`);
}

const field = (column: Column, operator: string, targetValue: unknown): Conditions[number] => ({
  type: 'user_field',
  field: column.field,
  operator,
  targetValue,
});
const isNull = (column: Column): Conditions => [field(column, 'eq', null)];
const isThere = (column: Column): Conditions => [field(column, 'neq', null)];
const isEmpty = (operand: Json): boolean => Array.isArray(operand) && operand.length === 0;
