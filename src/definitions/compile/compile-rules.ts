// The rules of `expect` that name columns, or a view's features: each name, range and value checked against its type.

import { compareValues, didYouMean, type Field, INVALID, typeName, type Value } from '../../core/index.ts';
import type { Authored } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import type { Kind } from '../authoring/column-type.ts';
import { LISTED_KINDS, RANGED_KINDS } from '../authoring/expect.ts';
import { describeResult, fromUser } from '../calling/user-value.ts';
import type { Rule } from '../manifest.ts';
import type { DeclaredColumns } from './declared.ts';
import { expectRecord, manifestJson } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { showName } from './names.ts';

export interface RuleScope {
  readonly owner: Authored;
  readonly what: 'column' | 'feature';
  readonly columns: DeclaredColumns;
  readonly mistakes: Mistakes;
}

export function notNullRules(scope: RuleScope, written: unknown, at: Path): Rule[] {
  const { owner, what, mistakes } = scope;
  if (!Array.isArray(written)) {
    mistakes.add(owner, `expect.notNull must be a list of ${what}s, got ${describeResult(written)}`, at);
    return [];
  }
  return written.flatMap((name: unknown, i): Rule[] => {
    const field = fieldOf(scope, 'notNull', name, [...at, i]);
    return field === undefined ? [] : [{ rule: 'notNull', column: field.name }];
  });
}

export function betweenRules(scope: RuleScope, written: unknown, at: Path): Rule[] {
  const { owner, mistakes } = scope;
  return membersOf(scope, 'between', written, RANGED_KINDS, 'a number or a timestamp', at).flatMap(
    ([field, range]): Rule[] => {
      const here = [...at, field.name];
      const shown = `expect.between ${showName(field.name)}`;
      if (!Array.isArray(range) || range.length !== 2) {
        const came = describeResult(range);
        mistakes.add(owner, `${shown} must be [least, greatest], null for an open end, got ${came}`, here);
        return [];
      }
      const ends = range.map((end: unknown, i) => valueOf(scope, field, shown, end, [...here, i]));
      const [min, max] = ends;
      if (min === undefined || max === undefined) return [];
      if (min === null && max === null) {
        mistakes.add(owner, `${shown} is open at both ends, and holds everything. Leave it out`, here);
        return [];
      }
      if (min !== null && max !== null && compareValues(min, max) > 0) {
        mistakes.add(owner, `${shown}: nothing lies from ${show(field, min)} to ${show(field, max)}. Swap them`, here);
        return [];
      }
      const json = (end: Value): unknown => (end === null ? null : manifestJson(field.type, end));
      return [{ rule: 'between', column: field.name, min: json(min), max: json(max) }];
    },
  );
}

export function oneOfRules(scope: RuleScope, written: unknown, at: Path): Rule[] {
  const { owner, mistakes } = scope;
  return membersOf(scope, 'oneOf', written, LISTED_KINDS, 'a single value', at).flatMap(([field, values]): Rule[] => {
    const here = [...at, field.name];
    const shown = `expect.oneOf ${showName(field.name)}`;
    if (!Array.isArray(values) || values.length === 0) {
      mistakes.add(owner, `${shown} must be a list of values, one at least, got ${describeResult(values)}`, here);
      return [];
    }
    const parsed = values.flatMap((value: unknown, i): Value[] => {
      const own = valueOf(scope, field, shown, value, [...here, i]);
      if (own !== null) return own === undefined ? [] : [own];
      mistakes.add(owner, `${shown}: null breaks no such rule, and is no value of it. Leave it out`, [...here, i]);
      return [];
    });
    // Their order makes no difference, and two of the same are one.
    const sorted = parsed.toSorted(compareValues).filter((one, i, all) => i === 0 || one !== all[i - 1]);
    return [{ rule: 'oneOf', column: field.name, values: sorted.map((one) => manifestJson(field.type, one)) }];
  });
}

export function uniqueRules(scope: RuleScope, written: unknown, at: Path): Rule[] {
  const { owner, mistakes } = scope;
  if (!Array.isArray(written)) {
    const came = describeResult(written);
    mistakes.add(owner, `expect.unique must be a list of columns, or of lists of columns together, got ${came}`, at);
    return [];
  }
  return written.flatMap((one: unknown, i): Rule[] => {
    const here = [...at, i];
    const names: readonly unknown[] = Array.isArray(one) ? one : [one];
    if (names.length === 0) mistakes.add(owner, 'expect.unique: a list of no columns is no rule. Name some', here);
    const fields = names.map((name, k) => fieldOf(scope, 'unique', name, Array.isArray(one) ? [...here, k] : here));
    const columns = fields.flatMap((field) => (field === undefined ? [] : [field.name]));
    const double = columns.find((name, k) => columns.indexOf(name) !== k);
    if (double !== undefined)
      mistakes.add(owner, `expect.unique names ${showName(double)} twice. Once is enough`, here);
    return columns.length === 0 ? [] : [{ rule: 'unique', columns }];
  });
}

/** The column of a name; undefined where there is none, which is told unless its declaration was. */
function fieldOf(
  { owner, what, columns, mistakes }: RuleScope,
  rule: string,
  name: unknown,
  at: Path,
): Field | undefined {
  if (typeof name !== 'string') {
    mistakes.add(owner, `expect.${rule} must name ${what}s, got ${describeResult(name)}`, at);
    return undefined;
  }
  if (!columns.has(name) && columns.size > 0) {
    const near = didYouMean(name, columns.keys());
    mistakes.add(owner, `expect.${rule} names ${what} ${showName(name)}, which it does not have.${near}`, at);
  }
  return columns.get(name);
}

function membersOf(
  scope: RuleScope,
  rule: string,
  written: unknown,
  kinds: readonly Kind[],
  wanted: string,
  at: Path,
): (readonly [Field, unknown])[] {
  const { owner, what, mistakes } = scope;
  if (!expectRecord(owner, `expect.${rule}`, written, at, mistakes)) return [];
  return Object.entries(written as object).flatMap(([name, value]) => {
    const field = fieldOf(scope, rule, name, [...at, name]);
    if (field === undefined) return [];
    if (kinds.includes(field.type.kind)) return [[field, value] as const];
    const type = typeName(field.type);
    mistakes.add(owner, `expect.${rule} needs ${wanted}, and ${what} ${showName(name)} is ${type}`, [...at, name]);
    return [];
  });
}

/** A value as written, in the column's type; null for null, undefined for what is none, which is told. */
function valueOf(
  { owner, mistakes }: RuleScope,
  field: Field,
  shown: string,
  written: unknown,
  at: Path,
): Value | undefined {
  const value = written === null ? null : fromUser(field.type, written);
  if (value !== INVALID && !Number.isNaN(value)) return value;
  mistakes.add(owner, `${shown} must be of ${typeName(field.type)}, got ${describeResult(written)}`, at);
  return undefined;
}

function show({ type }: Field, value: Value): string {
  return String(manifestJson(type, value));
}
