// What the rules of `expect` are about, and how one is told.

import { canonicalJson, formatDuration } from '../core/index.ts';
import type { Expectation, Rule, SourceSpec, ValueRule } from './manifest.ts';

/** Rules whose rows are set apart: which rows there are is meaning. Sorted, as their order makes no difference. */
export function settingApart({ expect = [] }: Pick<SourceSpec, 'expect'>): readonly Expectation[] {
  return expect
    .filter(({ onFail }) => onFail === 'quarantine')
    .map((one) => [canonicalJson(one), one] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => one);
}

export function isValueRule<R extends Rule>(rule: R): rule is R & ValueRule {
  return 'column' in rule;
}

/** The columns that a rule looks at. */
export function ruleColumns(rule: Rule): readonly string[] {
  if (isValueRule(rule)) return [rule.column];
  return rule.rule === 'unique' ? rule.columns : [];
}

/** `0 … 9`, `0 …`, `… 9`. */
const showRange = (min: unknown, max: unknown): string => `${showEnd(min)} … ${showEnd(max)}`.trim();

const MOST_SHOWN = 8;

/** `between(delay, -120 … 3000)`: the same for the same rule, and short. */
export function showRule(rule: Rule): string {
  switch (rule.rule) {
    case 'notNull':
      return `notNull(${rule.column})`;
    case 'between':
      return `between(${rule.column}, ${showRange(rule.min, rule.max)})`;
    case 'oneOf': {
      const shown = rule.values.slice(0, MOST_SHOWN).map(showEnd);
      const rest = rule.values.length - shown.length;
      return `oneOf(${rule.column}, ${shown.join(' | ')}${rest > 0 ? ` | ${rest} more` : ''})`;
    }
    case 'unique':
      return `unique(${rule.columns.join(', ')})`;
    case 'fresh':
      return `fresh(${formatDuration(rule.withinMicros)})`;
    case 'rowCount':
      return `rowCount(${showRange(rule.min ?? null, rule.max ?? null)})`;
  }
}

function showEnd(value: unknown): string {
  if (value === null) return '';
  const text = typeof value === 'string' ? value : canonicalJson(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
