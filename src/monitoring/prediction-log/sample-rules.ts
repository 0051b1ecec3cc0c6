// What share of the predictions is logged, as it is configured: a number, or rules such as `delay.candidate=1, delay=0.1`, of
// which the first that a prediction fits decides.

import { HeadraceError } from '../../core/index.ts';

/** Members that are there must all hold. */
export interface SampleRule {
  /** As it was written, for messages. */
  readonly text: string;
  readonly endpoint?: string;
  /** The variant or arm that the row was assigned to. */
  readonly assigned?: string;
  readonly via?: string;
  readonly experiment?: string;
  /** A status that one of the features has; `missing` for any of NOT_FOUND, OUTSIDE_MAX_AGE, INVALID. */
  readonly status?: string;
  readonly share: number;
}

const VIAS = ['forced', 'rule', 'holdout', 'experiment', 'rollout', 'base', 'no_unit', 'shadow'];
const STATUSES = ['PRESENT', 'NULL_VALUE', 'NOT_FOUND', 'OUTSIDE_MAX_AGE', 'INVALID', 'missing'];
const NAME = /^[A-Za-z_][\w-]*$/;

/** Throws HR_CONFIG, with the rule that can't be read, or that no prediction comes to. */
export function parseSampling(text: string): readonly SampleRule[] {
  const share = shareOf(text.trim());
  if (share !== undefined) return [{ text, share }];
  const rules = text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .map(parseRule);
  rules.forEach((rule, at) => {
    const before = rules.slice(0, at).find((other) => takesAllOf(other, rule));
    if (before === undefined) return;
    throw mistake(
      `no prediction comes to "${rule.text}": "${before.text}" stands before it and takes them all. Swap them.`,
    );
  });
  return rules;
}

function parseRule(text: string): SampleRule {
  const [subject = '', value = '', ...others] = text.split('=');
  const share = shareOf(value.trim());
  if (others.length > 0 || share === undefined) {
    throw mistake(`"${text}" is no rule: expected what it is of, "=" and a share from 0 to 1, such as "delay=0.1".`);
  }
  const rule: { -readonly [K in keyof SampleRule]: SampleRule[K] } = { text, share };
  const set = (member: 'endpoint' | 'assigned' | 'via' | 'experiment' | 'status', given: string): void => {
    if (rule[member] !== undefined) throw mistake(`"${text}" says twice of which ${member} it is.`);
    rule[member] = given;
  };
  const words = subject.trim().split(/\s+/);
  for (const word of words) {
    if (word === '*' && words.length === 1) continue;
    const [kind = '', given = ''] = word.includes(':') ? word.split(':') : ['', word];
    if (kind === 'via') set('via', oneOf(VIAS, given, text));
    else if (kind === 'status') set('status', oneOf(STATUSES, given, text));
    else if (kind === 'experiment' && NAME.test(given)) set('experiment', given);
    else if (kind === '') {
      const [endpoint = '', assigned, ...rest] = given.split('.');
      const isName = NAME.test(endpoint) && (assigned === undefined || NAME.test(assigned)) && rest.length === 0;
      if (!isName) throw mistake(`"${word}" in "${text}" is no endpoint: expected "delay", "delay.candidate" or "*".`);
      set('endpoint', endpoint);
      if (assigned !== undefined) set('assigned', assigned);
    } else throw mistake(`"${word}" in "${text}" is not known: expected via:, experiment: or status:.`);
  }
  return rule;
}

function oneOf(known: readonly string[], given: string, rule: string): string {
  if (known.includes(given)) return given;
  throw mistake(`"${given}" in "${rule}" is not known: expected one of ${known.join(', ')}.`);
}

const MEMBERS = ['endpoint', 'assigned', 'via', 'experiment', 'status'] as const;

// What it asks the other asks, too.
const takesAllOf = (first: SampleRule, second: SampleRule): boolean =>
  MEMBERS.every((member) => first[member] === undefined || first[member] === second[member]);

function shareOf(text: string): number | undefined {
  if (!/^(\d+\.?\d*|\.\d+)$/.test(text)) return undefined;
  return Number(text) <= 1 ? Number(text) : undefined;
}

const mistake = (message: string): HeadraceError => new HeadraceError('HR_CONFIG', `predictionLog.sample: ${message}`);
