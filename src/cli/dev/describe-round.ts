// A round of `dev` as people read it, and as one JSON document.

import { relative, sep } from 'node:path';
import { counted, type ErrorDetail, stringifyJson } from '../../core/index.ts';
import type { Paint } from '../paint.ts';
import { describePlan } from '../plan.ts';
import { formatTable } from '../table.ts';
import type { Round, SampledService } from './dev-round.ts';
import type { SampledValue } from './sample-values.ts';

export interface RoundGiven {
  readonly round: Round;
  /** From 1. */
  readonly number: number;
  /** Absolute; empty in the first round. */
  readonly changed: readonly string[];
  readonly seconds: number;
  /** Where the user stands: paths are told from there. */
  readonly from: string;
  /** The feature repository. */
  readonly repository: string;
  /** `09:41:07` */
  readonly time: string;
}

export function describeRound(given: RoundGiven, paint: Paint): string {
  const { round, changed, number, time, from } = given;
  const files = changed.map((path) => near(from, path)).join(', ');
  const head = changed.length === 0 ? [] : [`\n${paint('dim', time)} ${files}`];
  // Once they were shown, values that stay as they are say nothing new.
  const isNews = round.state !== 'unchanged' || number === 1;
  const samples = round.samples.filter(({ features }) => isNews || features.some((one) => one.changed));
  return [...head, ...outcome(given, paint), ...samples.flatMap((sample) => describeSample(sample, paint))].join('\n');
}

function outcome({ round, seconds, from, repository }: RoundGiven, paint: Paint): string[] {
  switch (round.state) {
    case 'mistakes':
      return [
        ...round.mistakes.map((mistake) => `${paint('red', placeOf(mistake, from, repository))}: ${mistake.message}`),
        `${round.mistakes.length === 1 ? '1 mistake' : `${round.mistakes.length} mistakes`}; nothing is applied.`,
      ];
    case 'failed':
      return [`${round.error?.code}: ${round.error?.message}`];
    case 'breaking':
      return [
        ...planLines(round, paint),
        'Not applied: it would break what reads the features. Start `headrace dev` with --yes to go ahead.',
      ];
    case 'unchanged':
      return [`Nothing to apply; revision ${round.revision} is what the repository says (${seconds.toFixed(1)} s).`];
    case 'applied': {
      const computed = round.materialized.filter(({ state }) => state === 'finished');
      const views = computed.map(({ view, keys }) => `${view} (${counted(keys, 'key')})`).join(', ');
      const what = computed.length === 0 ? '' : `, computed ${views}`;
      return [...planLines(round, paint), `Applied revision ${round.revision}${what}, in ${seconds.toFixed(1)} s.`];
    }
  }
}

function planLines({ plan }: Round, paint: Paint): string[] {
  return plan === null ? [] : [describePlan(plan, paint)];
}

function describeSample({ service, row, missing, features, error }: SampledService, paint: Paint): string[] {
  const name = paint('bold', service);
  if (error !== null) return ['', `${name}: ${error}`];
  if (row === null) return ['', `${name}: the store holds no key yet; give one with --key.`];
  const hasBefore = features.some(({ before }) => before !== null);
  const rows = features.map(({ name: feature, before, after, changed }) => [
    changed ? '*' : ' ',
    feature,
    ...(hasBefore ? [show(before)] : []),
    show(after),
  ]);
  const lines = formatTable([['', 'FEATURE', ...(hasBefore ? ['BEFORE', 'AFTER'] : ['VALUE'])], ...rows]).split('\n');
  const marked = lines.map((line) => (line.startsWith('*') ? paint('yellow', line) : line));
  const hint = missing.length > 0 ? [`   (null in the request: ${missing.join(', ')}; give them with --key)`] : [];
  return ['', `${name} of ${stringifyJson(row)}`, ...marked, ...hint];
}

function show(sampled: SampledValue | null): string {
  if (sampled === null) return '-';
  const text = stringifyJson(sampled.value);
  return sampled.status === 'PRESENT' || sampled.status === 'NULL_VALUE' ? text : `${text} (${sampled.status})`;
}

/** `feature_repo/purchases.ts:12:5`, from where the user stands. */
function placeOf({ path, file, line, column }: ErrorDetail, from: string, repository: string): string {
  if (file === undefined) return path;
  const place = [line, column].filter((part) => part !== undefined).join(':');
  return [near(from, `${repository}${sep}${file}`), ...(place === '' ? [] : [place])].join(':');
}

function near(from: string, path: string): string {
  const way = relative(from, path);
  return way.startsWith('..') ? path : way;
}

export function presentRound({ round, number, changed, seconds, repository }: RoundGiven): object {
  const { state, isOwn, mistakes, error, plan, revision, materialized, samples } = round;
  return {
    round: number,
    state,
    changed: changed.map((path) => near(repository, path).split(sep).join('/')),
    store: isOwn ? 'project' : 'scratch',
    mistakes,
    error: error === null ? null : { code: error.code, message: error.message },
    revision,
    changes: plan?.changes ?? [],
    breaking: plan?.breaking ?? [],
    materialized,
    services: samples,
    seconds: Math.round(seconds * 1000) / 1000,
  };
}
