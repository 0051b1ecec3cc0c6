// What an endpoint says of assigning rows besides its unit: rules that come before everything, and who is held out.

import { type Condition, conditionMistakes, didYouMean } from '../../core/index.ts';
import type { AuthoredEndpoint } from '../authoring/authored.ts';
import { describeResult } from '../calling/user-value.ts';
import type { EndpointRule, EndpointSpec, Holdout } from '../manifest.ts';
import { describeAuthored, type Mistakes } from './mistakes.ts';
import { labelMistake, showName } from './names.ts';
import { isPlain } from './plain-data.ts';

const MOST_RULES = 100;
const ARM = /^[A-Za-z][\w.-]{0,62}(\/[A-Za-z][\w.-]{0,62})?$/;

/** `columns`: those that requests carry; undefined where that is not known. */
export function compileAssignment(
  endpoint: AuthoredEndpoint,
  columns: readonly string[] | undefined,
  mistakes: Mistakes,
): Pick<EndpointSpec, 'rules' | 'holdout'> {
  const { rules: written = [], holdout } = endpoint;
  if (!Array.isArray(written) || written.length > MOST_RULES) {
    const came = Array.isArray(written) ? `${written.length}` : describeAuthored(written);
    mistakes.add(endpoint, `rules must be an array of at most ${MOST_RULES} rules, got ${came}`, [1, 'rules']);
  }
  const rules = (Array.isArray(written) ? written.slice(0, MOST_RULES) : []).flatMap((rule: unknown, at) =>
    compileRule(endpoint, rule, at, columns, mistakes),
  );
  const kept = holdout === undefined ? undefined : compileHoldout(endpoint, holdout, mistakes);
  return { ...(rules.length === 0 ? {} : { rules }), ...(kept === undefined ? {} : { holdout: kept }) };
}

function compileRule(
  endpoint: AuthoredEndpoint,
  rule: unknown,
  at: number,
  columns: readonly string[] | undefined,
  mistakes: Mistakes,
): EndpointRule[] {
  const path = [1, 'rules', at];
  const add = (message: string, member?: string): void =>
    mistakes.add(endpoint, `rule ${at + 1}: ${message}`, member === undefined ? path : [...path, member]);
  if (!isPlain(rule) || rule === null || typeof rule !== 'object' || Array.isArray(rule)) {
    add(`expected { when: <condition>, variant: '<name>' }, got ${describeAuthored(rule)}`);
    return [];
  }
  const { when, variant, ...others } = rule as { readonly [member: string]: unknown };
  const [other] = Object.keys(others);
  if (other !== undefined) {
    add(
      `it has no member ${showName(other)}; a rule is { when, variant }.${didYouMean(other, ['when', 'variant'])}`,
      other,
    );
  }
  const onColumn = (name: string): string | undefined =>
    columns === undefined || columns.includes(name)
      ? undefined
      : `${showName(name)} is no request column; those are ${columns.join(', ')}.${didYouMean(name, columns)}`;
  for (const message of conditionMistakes(when, onColumn)) add(`when: ${message}`, 'when');
  if (typeof variant === 'string' && ARM.test(variant)) {
    // What it is was looked at.
    return [{ when: when as Condition, variant }];
  }
  add(`variant must be the name of a variant, such as 'stable', got ${describeResult(variant)}`, 'variant');
  return [];
}

function compileHoldout(endpoint: AuthoredEndpoint, holdout: unknown, mistakes: Mistakes): Holdout | undefined {
  const path = [1, 'holdout'];
  if (!isPlain(holdout) || holdout === null || typeof holdout !== 'object' || Array.isArray(holdout)) {
    mistakes.add(endpoint, `holdout must be { name, percent }, got ${describeAuthored(holdout)}`, path);
    return undefined;
  }
  const { name, percent } = holdout as { readonly [member: string]: unknown };
  const nameMistake = labelMistake(name);
  if (nameMistake !== undefined) mistakes.add(endpoint, `holdout: ${nameMistake}`, [...path, 'name']);
  const isPercent =
    typeof percent === 'number' && percent >= 0 && percent <= 100 && Math.round(percent * 100) / 100 === percent;
  if (!isPercent) {
    const message = `holdout: percent must be from 0 to 100, with at most two decimals, got ${describeResult(percent)}`;
    mistakes.add(endpoint, message, [...path, 'percent']);
  }
  return typeof name === 'string' && isPercent ? { name, percent } : undefined;
}
