// A metric as written to its spec. What it reads must be there: an endpoint with the experiment's unit, an output, sources.

import { didYouMean } from '../../core/index.ts';
import { authored, type AnyMetricOptions, type Authored, type AuthoredMetric } from '../authoring/authored.ts';
import { findSlips, type Path } from '../authoring/call.ts';
import { METRIC_PART_OPTIONS } from '../authoring/metric.ts';
import { describeResult } from '../calling/user-value.ts';
import type { MetricAggregate, MetricDirection, MetricPartSpec, MetricSpec } from '../experiment-spec.ts';
import type { EndpointSpec, Manifest } from '../manifest.ts';
import { own } from '../own.ts';
import { expectKind } from './collect.ts';
import { compileOver } from './compile-query.ts';
import { duration } from './duration.ts';
import { compileAbout, expectRecord } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { labelMistake } from './names.ts';
import { isFraction, oneOf } from './numbers.ts';

/** What a metric's experiment says of it. */
export interface MetricOwner {
  readonly manifest: Manifest;
  /** Names of the endpoints that give the arms. */
  readonly endpoints: readonly string[];
  /** Why an endpoint's predictions can't be joined to units; undefined where they can. */
  readonly lacksUnit: (endpoint: EndpointSpec) => string | undefined;
}

const AGGREGATES: readonly MetricAggregate[] = ['sum', 'mean', 'count', 'any'];
const DIRECTIONS: readonly MetricDirection[] = ['up', 'down', 'none'];
const DEFAULT_WORTH = 0.1;

export function compileMetric(metric: AuthoredMetric, owner: MetricOwner, mistakes: Mistakes): MetricSpec {
  const { options } = metric;
  const nameMistake = labelMistake(metric.name);
  if (nameMistake !== undefined) mistakes.add(metric, nameMistake, [0]);
  const { quantile, direction = 'up', worth = DEFAULT_WORTH } = options;
  if (quantile !== undefined && !isFraction(quantile))
    mistakes.add(metric, `quantile must be a number between 0 and 1, got ${describeResult(quantile)}`, [1, 'quantile']);
  oneOf(metric, 'direction', direction, DIRECTIONS, [1, 'direction'], mistakes);
  if (typeof worth !== 'number' || !(worth > 0 && worth < Infinity))
    mistakes.add(metric, `worth must be a number above 0, got ${describeResult(worth)}`, [1, 'worth']);
  const winsorize = compileWinsorize(metric, mistakes);
  const parts = compileParts(metric, owner, mistakes);
  const prePeriod = compilePrePeriod(metric, owner, mistakes);
  return {
    ...compileAbout(metric, metric.about, [1], mistakes),
    name: metric.name,
    parts,
    ...(quantile === undefined ? {} : { quantile: quantile as number }),
    ...(winsorize === undefined ? {} : { winsorize }),
    ...(prePeriod === undefined ? {} : { prePeriod }),
    direction: direction as MetricDirection,
    worth: worth as number,
  };
}

function compileParts(metric: AuthoredMetric, owner: MetricOwner, mistakes: Mistakes): MetricPartSpec[] {
  const { options } = metric;
  const { ratio } = options;
  for (const [one, others] of Object.entries(ALONE)) {
    const second = others.find((name) => options[name] !== undefined);
    if (options[one as keyof typeof ALONE] !== undefined && second !== undefined)
      mistakes.add(metric, `\`${one}\` and \`${second}\` don't go together. Leave one of them out`, [1, second]);
  }
  if (ratio === undefined) return [compilePart(metric, options, [1], owner, mistakes)];
  if (!Array.isArray(ratio) || ratio.length !== 2) {
    const came = Array.isArray(ratio) ? `${ratio.length} parts` : describeResult(ratio);
    mistakes.add(metric, `ratio must be an array of two parts, numerator and denominator, got ${came}`, [1, 'ratio']);
    return [];
  }
  return ratio.flatMap((part: unknown, index) => {
    const at = [1, 'ratio', index];
    const where = index === 0 ? 'the numerator' : 'the denominator';
    if (!expectRecord(metric, where, part, at, mistakes)) return [];
    mistakes.addSlips(metric, findSlips(part, METRIC_PART_OPTIONS, at, where));
    return [compilePart(metric, part as AnyMetricOptions, at, owner, mistakes)];
  });
}

/** What each option can't stand beside. */
const ALONE = {
  ratio: ['outcome', 'output', 'sql', 'aggregate', 'window', 'quantile', 'prePeriod'],
  quantile: ['aggregate', 'prePeriod'],
} as const;

function compilePart(
  metric: AuthoredMetric,
  part: AnyMetricOptions,
  at: Path,
  owner: MetricOwner,
  mistakes: Mistakes,
): MetricPartSpec {
  const { aggregate, window } = part;
  if (aggregate !== undefined) oneOf(metric, 'aggregate', aggregate, AGGREGATES, [...at, 'aggregate'], mistakes);
  return {
    values: compileValues(metric, part, at, owner, mistakes),
    // It was checked to be one of them.
    ...(aggregate === undefined ? {} : { aggregate: aggregate as MetricAggregate }),
    ...(window === undefined
      ? {}
      : { windowMicros: duration(metric, 'window', window, false, [...at, 'window'], mistakes) }),
  };
}

function compileValues(
  metric: AuthoredMetric,
  part: AnyMetricOptions,
  at: Path,
  owner: MetricOwner,
  mistakes: Mistakes,
): MetricPartSpec['values'] {
  const { outcome, output, endpoint, sql: written } = part;
  const given = [outcome, output, written].filter((one) => one !== undefined);
  if (given.length !== 1) {
    const what = given.length === 0 ? 'it has no values' : 'it has values of two kinds';
    mistakes.add(
      metric,
      `${what}: give one of \`outcome\` (an endpoint), \`output\` (a model's output) or \`sql\` (with \`over\`)`,
      at,
    );
    return NO_VALUES;
  }
  const stray = Object.entries(BESIDE).find(
    ([name, of]) => part[name as keyof typeof BESIDE] !== undefined && part[of] === undefined,
  );
  if (stray !== undefined)
    mistakes.add(metric, `\`${stray[0]}\` goes with \`${stray[1]}\`. Leave it out`, [...at, stray[0]]);
  if (outcome !== undefined) {
    const found = expectKind(outcome, 'endpoint', metric, 'outcome', [...at, 'outcome'], mistakes);
    if (found !== undefined) checkUnit(metric, found.name, [...at, 'outcome'], owner, mistakes);
    return { kind: 'outcome', endpoint: found?.name ?? '' };
  }
  if (output !== undefined) return compileOutput(metric, output, endpoint, at, owner, mistakes);
  const sql: unknown = typeof written === 'object' && written !== null && 'sql' in written ? written.sql : written;
  if (typeof sql !== 'string' || sql.trim() === '')
    mistakes.add(metric, 'sql must be a SELECT that gives unit, time and value', [...at, 'sql']);
  return { kind: 'sql', sql: typeof sql === 'string' ? sql : '', over: compileOver(metric, part, at, mistakes) };
}

const BESIDE = { endpoint: 'output', over: 'sql', static: 'sql' } as const;

const NO_VALUES: MetricPartSpec['values'] = { kind: 'outcome', endpoint: '' };

function compileOutput(
  metric: AuthoredMetric,
  output: unknown,
  endpoint: unknown,
  at: Path,
  owner: MetricOwner,
  mistakes: Mistakes,
): MetricPartSpec['values'] {
  const [only, second] = owner.endpoints;
  if (endpoint === undefined && (only === undefined || second !== undefined)) {
    mistakes.add(metric, 'it needs `endpoint`: the experiment has several, and any may give that output', at);
    return NO_VALUES;
  }
  const found =
    endpoint === undefined
      ? { name: only ?? '' }
      : expectKind(endpoint, 'endpoint', metric, 'endpoint', [...at, 'endpoint'], mistakes);
  if (found === undefined) return NO_VALUES;
  checkUnit(metric, found.name, [...at, 'endpoint'], owner, mistakes);
  const { model = '' } = own(owner.manifest.endpoints, found.name) ?? {};
  const known = (own(owner.manifest.models, model)?.outputs ?? []).map(({ name }) => name);
  if (typeof output !== 'string' || !known.includes(output)) {
    const came = typeof output === 'string' ? JSON.stringify(output.slice(0, 60)) : describeResult(output);
    const hint = typeof output === 'string' ? didYouMean(output, known) : '';
    mistakes.add(metric, `output must be one of model "${model}": ${known.join(', ')}; got ${came}.${hint}`, [
      ...at,
      'output',
    ]);
  }
  return { kind: 'output', endpoint: found.name, output: String(output) };
}

function checkUnit(metric: AuthoredMetric, name: string, at: Path, owner: MetricOwner, mistakes: Mistakes): void {
  // Of the experiment's own endpoints that is told once.
  const endpoint = owner.endpoints.includes(name) ? undefined : own(owner.manifest.endpoints, name);
  const lack = endpoint === undefined ? undefined : owner.lacksUnit(endpoint);
  if (lack !== undefined) mistakes.add(metric, lack, at);
}

function compileWinsorize(metric: AuthoredMetric, mistakes: Mistakes): MetricSpec['winsorize'] {
  const { winsorize } = metric.options;
  if (winsorize === undefined) return undefined;
  const at = [1, 'winsorize'];
  const given = typeof winsorize === 'number' ? { upper: winsorize } : winsorize;
  if (!expectRecord(metric, 'winsorize', given, at, mistakes)) return undefined;
  mistakes.addSlips(metric, findSlips(given, { lower: true, upper: true }, at, 'winsorize'));
  const { lower, upper } = given as { readonly lower?: unknown; readonly upper?: unknown };
  const all = [lower, upper].filter((one) => one !== undefined);
  if (all.length === 0 || !all.every(isFraction) || Number(lower ?? 0) >= Number(upper ?? 1)) {
    mistakes.add(
      metric,
      'winsorize must be a quantile between 0 and 1, or { lower, upper } with lower below upper: 0.99, { lower: 0.01, upper: 0.99 }',
      at,
    );
    return undefined;
  }
  return {
    ...(lower === undefined ? {} : { lower: Number(lower) }),
    ...(upper === undefined ? {} : { upper: Number(upper) }),
  };
}

function compilePrePeriod(metric: AuthoredMetric, owner: MetricOwner, mistakes: Mistakes): MetricPartSpec | undefined {
  const { prePeriod } = metric.options;
  if (prePeriod === undefined) return undefined;
  const at = [1, 'prePeriod'];
  const before: Authored | undefined = expectKind(prePeriod, 'metric', metric, 'prePeriod', at, mistakes);
  if (before === undefined || authored(prePeriod)?.kind !== 'metric') return undefined;
  const extra = (['ratio', 'quantile', 'prePeriod', 'winsorize'] as const).find(
    (name) => (before as AuthoredMetric).options[name] !== undefined,
  );
  if (extra !== undefined) {
    mistakes.add(metric, `prePeriod must be a plain metric: values, aggregate, window. It has \`${extra}\``, at);
    return undefined;
  }
  return compilePart(before as AuthoredMetric, (before as AuthoredMetric).options, [1], owner, mistakes);
}
