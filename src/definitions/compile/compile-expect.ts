// `expect` as written to the manifest's list of rules: names, types and ranges checked, each block's severity at each rule.

import type { Micros } from '../../core/index.ts';
import type { AuthoredSource, AuthoredView } from '../authoring/authored.ts';
import { findSlips, type Path } from '../authoring/call.ts';
import { EXPECT_OPTIONS, type OnFail, ROW_COUNT_OPTIONS } from '../authoring/expect.ts';
import { describeResult } from '../calling/user-value.ts';
import { isLogAlone } from '../log-alone.ts';
import type { Expectation, Rule, SourceKind } from '../manifest.ts';
import { betweenRules, notNullRules, oneOfRules, type RuleScope, uniqueRules } from './compile-rules.ts';
import type { DeclaredColumns } from './declared.ts';
import { duration } from './duration.ts';
import { hasNone } from './fields.ts';
import type { Mistakes } from './mistakes.ts';

type Written = Readonly<Record<string, unknown>>;

export function compileSourceExpect(source: AuthoredSource, columns: DeclaredColumns, mistakes: Mistakes): Expect {
  const scope = { owner: source, what: 'column', of: 'a source', columns, kind: source.sourceKind, mistakes } as const;
  return compileExpect(scope, source.options.expect);
}

/** `features`: the view's own. */
export function compileViewExpect(view: AuthoredView, features: DeclaredColumns, mistakes: Mistakes): Expect {
  const scope = { owner: view, what: 'feature', of: 'a view', columns: features, mistakes } as const;
  return compileExpect(scope, view.expect);
}

interface Expect {
  readonly expect?: readonly Expectation[];
}

interface Scope extends RuleScope {
  readonly of: 'a source' | 'a view';
  readonly kind?: SourceKind;
}

function compileExpect(scope: Scope, written: unknown): Expect {
  if (written === undefined) return {};
  const at = [1, 'expect'];
  const rules = Array.isArray(written)
    ? written.flatMap((block: unknown, i) => compileBlock(scope, block, [...at, i]))
    : compileBlock(scope, written, at);
  return rules.length === 0 ? {} : { expect: rules };
}

function compileBlock(scope: Scope, block: unknown, at: Path): Expectation[] {
  const { owner, mistakes } = scope;
  const slips = findSlips(block, EXPECT_OPTIONS, at, 'expect');
  mistakes.addSlips(owner, slips);
  if (slips.some(({ path }) => path.length === at.length)) return [];
  // findSlips told what is no object.
  const { onFail = 'warn', ...written } = block as Written;
  if (onFail !== 'warn' && onFail !== 'quarantine' && onFail !== 'fail') {
    const came = describeResult(onFail);
    mistakes.add(owner, `expect.onFail must be 'warn', 'quarantine' or 'fail', got ${came}`, [...at, 'onFail']);
    return [];
  }
  if (hasNone(written)) mistakes.add(owner, "expect has no rule: write one like notNull: ['id']", at);
  const rules = compileRules(scope, written, at);
  if (onFail === 'quarantine') refuseQuarantine(scope, rules, at);
  return rules.map((rule): Expectation => ({ ...rule, onFail: onFail satisfies OnFail }));
}

function compileRules(scope: Scope, written: Written, at: Path): Rule[] {
  const { owner, of, mistakes } = scope;
  const { notNull, between, oneOf, unique, fresh, rowCount } = written;
  const isUniqueView = unique !== undefined && of === 'a view';
  if (isUniqueView)
    mistakes.add(owner, 'expect.unique: a view has one row a key, and needs no such rule. Give it to the source', [
      ...at,
      'unique',
    ]);
  return [
    ...(notNull === undefined ? [] : notNullRules(scope, notNull, [...at, 'notNull'])),
    ...(between === undefined ? [] : betweenRules(scope, between, [...at, 'between'])),
    ...(oneOf === undefined ? [] : oneOfRules(scope, oneOf, [...at, 'oneOf'])),
    ...(unique === undefined || isUniqueView ? [] : uniqueRules(scope, unique, [...at, 'unique'])),
    ...(fresh === undefined ? [] : [freshRule(scope, fresh, [...at, 'fresh'])]),
    ...(rowCount === undefined ? [] : rowCountRule(scope, rowCount, [...at, 'rowCount'])),
  ];
}

function freshRule({ owner, mistakes }: Scope, written: unknown, at: Path): Rule {
  const withinMicros: Micros = duration(owner, 'expect.fresh', written, false, at, mistakes);
  return { rule: 'fresh', withinMicros };
}

function rowCountRule({ owner, mistakes }: Scope, written: unknown, at: Path): Rule[] {
  const slips = findSlips(written, ROW_COUNT_OPTIONS, at, 'expect.rowCount');
  mistakes.addSlips(owner, slips);
  if (slips.length > 0) return [];
  const { min, max } = written as { readonly min?: unknown; readonly max?: unknown };
  for (const [name, value] of Object.entries({ min, max })) {
    if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)) continue;
    const came = describeResult(value);
    mistakes.add(owner, `expect.rowCount.${name} must be a whole number, 0 or more, got ${came}`, [...at, name]);
    return [];
  }
  // Both were seen to be numbers, or nothing.
  const [least, most] = [min as number | undefined, max as number | undefined];
  if (least === undefined && most === undefined) {
    mistakes.add(owner, 'expect.rowCount needs `min`, `max` or both', at);
    return [];
  }
  if (least !== undefined && most !== undefined && least > most) {
    mistakes.add(owner, `expect.rowCount: no count is ${least} or more and ${most} or less. Swap them`, at);
    return [];
  }
  const ends = { ...(least === undefined ? {} : { min: least }), ...(most === undefined ? {} : { max: most }) };
  return [{ rule: 'rowCount', ...ends }];
}

/** Only rows can be set apart, each by itself. */
function refuseQuarantine({ owner, of, kind, mistakes }: Scope, rules: readonly Rule[], at: Path): void {
  if (of === 'a view') {
    mistakes.add(
      owner,
      "expect.onFail: a view's values are computed, and none can be set apart. Use 'warn' or 'fail', or expect it of the source's rows",
      [...at, 'onFail'],
    );
    return;
  }
  for (const { rule } of rules) {
    if (rule === 'fresh' || rule === 'rowCount')
      mistakes.add(
        owner,
        `expect.${rule} is no rule of single rows, so none can be set apart. Give it a block of its own with 'warn' or 'fail'`,
        [...at, rule],
      );
    if (rule === 'unique' && kind !== undefined && isLogAlone({ kind }))
      mistakes.add(
        owner,
        "expect.unique: pushed rows are not compared when they come, so none can be set apart. Use 'warn' or 'fail'",
        [...at, rule],
      );
  }
}
