// Whether a condition is one, before it is compiled: there what is wrong in it would only never match.

import { describe } from '../value.ts';
import { CONDITION_OPERATORS, isOperators, readRegex } from './compile-condition.ts';
import type { Condition } from './condition.ts';
import type { Json } from '../json.ts';
import { didYouMean } from '../suggest.ts';

/** Deep enough for whoever writes one by hand; what is compiled recurses. */
const MOST_DEEP = 20;

/** What is wrong, each with where; `onAttribute` hears of every attribute that it asks for, as the name before the first dot. */
export function conditionMistakes(condition: unknown, onAttribute: (name: string) => string | undefined): string[] {
  const mistakes: string[] = [];
  checkObject(condition, '', 0, { mistakes, onAttribute });
  return mistakes;
}

/** Names of the attributes that it asks for. */
export function conditionAttributes(condition: Condition): string[] {
  const names = new Set<string>();
  conditionMistakes(condition, (name) => void names.add(name));
  return [...names];
}

interface Checking {
  readonly mistakes: string[];
  /** What is wrong with it. */
  readonly onAttribute: (name: string) => string | undefined;
}

function checkObject(condition: unknown, path: string, depth: number, checking: Checking): void {
  const { mistakes } = checking;
  if (depth > MOST_DEEP) return void mistakes.push(`it is more than ${MOST_DEEP} levels deep`);
  if (!isPlain(condition))
    return void mistakes.push(
      `${at(path)}expected an object, { <column>: <condition> }, got ${condition === undefined ? 'nothing' : describe(condition)}`,
    );
  for (const [key, operand] of Object.entries(condition)) {
    const here = path === '' ? key : `${path}.${key}`;
    if (key === '$and' || key === '$or' || key === '$nor') {
      if (!Array.isArray(operand)) mistakes.push(`${here}: expected an array of conditions, got ${describe(operand)}`);
      else operand.forEach((one, index) => checkObject(one, `${here}[${index}]`, depth + 1, checking));
    } else if (key === '$not') checkObject(operand, here, depth + 1, checking);
    else if (key.startsWith('$')) mistakes.push(`${here}: ${unknownOperator(key)}`);
    else {
      const wrong = checking.onAttribute(key.split('.', 1)[0] as string);
      if (wrong !== undefined) mistakes.push(`${here}: ${wrong}`);
      checkValue(operand, here, depth + 1, checking);
    }
  }
}

function checkValue(expected: unknown, path: string, depth: number, checking: Checking): void {
  const { mistakes } = checking;
  if (depth > MOST_DEEP) return void mistakes.push(`it is more than ${MOST_DEEP} levels deep`);
  if (!isPlain(expected)) return;
  const operators = Object.keys(expected).filter((name) => name.startsWith('$'));
  if (operators.length === 0) return;
  if (!isOperators(expected)) return void mistakes.push(`${path}: operators and other members do not go together`);
  for (const [operator, operand] of Object.entries(expected)) checkOperator(operator, operand, path, depth, checking);
}

function checkOperator(operator: string, operand: Json, path: string, depth: number, checking: Checking): void {
  const { mistakes } = checking;
  const here = `${path}.${operator}`;
  const wrong = (expectation: string): void =>
    void mistakes.push(`${here}: expected ${expectation}, got ${describe(operand)}`);
  switch (operator) {
    case '$in':
    case '$nin':
    case '$ini':
    case '$nini':
    case '$all':
    case '$alli':
      if (!Array.isArray(operand)) wrong('an array');
      return;
    case '$regex':
    case '$regexi':
      if (typeof operand !== 'string' || readRegex(operand) === undefined) wrong('a regular expression');
      return;
    case '$lt':
    case '$lte':
    case '$gt':
    case '$gte':
      if (typeof operand !== 'string' && typeof operand !== 'number') wrong('a number or text');
      return;
    case '$type':
      if (typeof operand !== 'string' || !TYPES.includes(operand)) wrong(`one of ${TYPES.join(', ')}`);
      return;
    case '$exists':
      if (typeof operand !== 'boolean') wrong('true or false');
      return;
    case '$not':
    case '$size':
      return checkValue(operand, here, depth + 1, checking);
    case '$elemMatch':
      // Its attributes are those of items.
      if (isOperators(operand)) return checkValue(operand, here, depth + 1, checking);
      return checkObject(operand, here, depth + 1, { mistakes, onAttribute: () => undefined });
    default:
      if (!CONDITION_OPERATORS.includes(operator)) mistakes.push(`${here}: ${unknownOperator(operator)}`);
  }
}

const TYPES: readonly string[] = ['string', 'number', 'boolean', 'array', 'object', 'null', 'undefined'];

function unknownOperator(name: string): string {
  const known = ['$and', '$or', '$nor', ...CONDITION_OPERATORS];
  return `there is no operator "${name.slice(0, 40)}".${didYouMean(name, known)}`;
}

function at(path: string): string {
  return path === '' ? '' : `${path}: `;
}

function isPlain(value: unknown): value is { readonly [name: string]: Json } {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
