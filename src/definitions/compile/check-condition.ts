// Conditions over request columns, in GrowthBook's words: their operators, and columns that requests have.

import { didYouMean } from '../../core/index.ts';
import type { Authored } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import type { Mistakes } from './mistakes.ts';
import { showName } from './names.ts';
import { isPlain } from './plain-data.ts';

/** Operators of a column's value. */
const OPERATORS = ['$eq', '$ne', '$lt', '$lte', '$gt', '$gte', '$in', '$nin', '$exists', '$regex', '$not'];
/** Those that take a list. */
const OF_LISTS = ['$in', '$nin'];
const LISTS_OF_CONDITIONS = ['$and', '$or', '$nor'];

/** `columns`: those that a request has. */
export function checkCondition(
  owner: Authored,
  condition: unknown,
  columns: readonly string[],
  at: Path,
  mistakes: Mistakes,
): void {
  if (!isRecord(condition) || !isPlain(condition)) {
    mistakes.add(
      owner,
      `a condition must be an object of plain JSON: { country: 'AT' }, got ${describeResult(condition)}`,
      at,
    );
    return;
  }
  for (const [member, value] of Object.entries(condition)) {
    const here = [...at, member];
    if (LISTS_OF_CONDITIONS.includes(member)) {
      if (Array.isArray(value))
        for (const [i, one] of value.entries()) checkCondition(owner, one, columns, [...here, i], mistakes);
      else mistakes.add(owner, `${member} must be an array of conditions, got ${describeResult(value)}`, here);
    } else if (member === '$not') checkCondition(owner, value, columns, here, mistakes);
    else if (columns.includes(member)) checkValue(owner, value, here, mistakes);
    else {
      const known = [...columns, ...LISTS_OF_CONDITIONS, '$not'];
      mistakes.add(
        owner,
        `the condition names ${showName(member)}, which is no request column; those are ${columns.join(', ')}.${didYouMean(member, known)}`,
        here,
      );
    }
  }
}

function checkValue(owner: Authored, value: unknown, at: Path, mistakes: Mistakes): void {
  // A value by itself is one to be equal to.
  if (!isRecord(value)) return;
  for (const [operator, operand] of Object.entries(value)) {
    const here = [...at, operator];
    if (!OPERATORS.includes(operator)) {
      const hint = didYouMean(operator, OPERATORS);
      mistakes.add(owner, `${showName(operator)} is no operator; those are ${OPERATORS.join(', ')}.${hint}`, here);
    } else if (OF_LISTS.includes(operator) && !Array.isArray(operand))
      mistakes.add(owner, `${operator} takes an array, got ${describeResult(operand)}`, here);
    else if (operator === '$regex' && !isPattern(operand))
      mistakes.add(owner, `$regex takes a regular expression as text, got ${describeResult(operand)}`, here);
    else if (operator === '$not') checkValue(owner, operand, here, mistakes);
  }
}

function isPattern(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  try {
    new RegExp(value);
    return true;
  } catch {
    return false;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
