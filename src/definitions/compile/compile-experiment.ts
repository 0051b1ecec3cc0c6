// An experiment as written to its spec: its unit at every endpoint, arms that fit into 100 %, metrics under names of their own.

import { type Condition, conditionMistakes, didYouMean, stringifyJson } from '../../core/index.ts';
import type { AuthoredExperiment } from '../authoring/authored.ts';
import { findSlips } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import type {
  ArmSpec,
  ExperimentPlan,
  ExperimentSpec,
  MetricRole,
  MetricSpec,
  NamespaceSpec,
} from '../experiment-spec.ts';
import type { EndpointSpec, Manifest } from '../manifest.ts';
import { own } from '../own.ts';
import { resolveService } from '../resolve-service.ts';
import { expectKind } from './collect.ts';
import { compileMetric, type MetricOwner } from './compile-metric.ts';
import { duration } from './duration.ts';
import { compileAbout, expectRecord } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { labelMistake, showName } from './names.ts';
import { isFraction, isPercent, oneOf } from './numbers.ts';

type Told = (message: string, ...path: readonly (string | number)[]) => void;

export function compileExperiment(
  experiment: AuthoredExperiment,
  manifest: Manifest,
  mistakes: Mistakes,
): ExperimentSpec {
  const told: Told = (message, ...path) => mistakes.add(experiment, message, [1, ...path]);
  const nameMistake = routedNameMistake(experiment.name);
  if (nameMistake !== undefined) mistakes.add(experiment, nameMistake, [0]);
  const endpoints = compileEndpoints(experiment, told, mistakes);
  const columnsOf = (endpoint: EndpointSpec): readonly string[] => requestColumns(manifest, endpoint);
  const unit = compileUnit(experiment, told);
  const lacksUnit = (endpoint: EndpointSpec): string | undefined => {
    const known = columnsOf(endpoint);
    const missing = unit.find((column) => !known.includes(column));
    return missing === undefined
      ? undefined
      : `endpoint "${endpoint.name}" has no request column ${showName(missing)} of the experiment's unit; it has ${known.join(', ')}.${didYouMean(missing, known)}`;
  };
  const specs = endpoints.flatMap((name) => own(manifest.endpoints, name) ?? []);
  const [lack] = specs.flatMap((spec) => lacksUnit(spec) ?? []);
  if (lack !== undefined) told(lack, 'unit');
  const arms = compileArms(experiment, told, mistakes);
  const { control = arms.find(({ name }) => name === 'control')?.name ?? arms[0]?.name } = experiment;
  if (arms.length > 0 && !arms.some(({ name }) => name === control))
    told(
      `control must name an arm: ${arms.map(({ name }) => name).join(', ')}; got ${describeResult(control)}`,
      'control',
    );
  const [first, ...others] = specs.map(columnsOf);
  const common = (first ?? []).filter((column) => others.every((columns) => columns.includes(column)));
  const { when } = experiment;
  const onColumn = (name: string): string | undefined =>
    common.includes(name)
      ? undefined
      : `${showName(name)} is no request column of every endpoint; those are ${common.join(', ')}.${didYouMean(name, common)}`;
  if (when !== undefined) for (const message of conditionMistakes(when, onColumn)) told(`when: ${message}`, 'when');
  const namespace = compileNamespace(experiment, told, mistakes);
  const metrics = compileMetrics(experiment, { manifest, endpoints, lacksUnit }, told, mistakes);
  const plan = compilePlan(experiment, told, mistakes);
  if (plan.kind === 'bandit' && metrics.goal[0]?.quantile !== undefined)
    told('a bandit learns from its first goal, which can be no quantile: put another first', 'metrics', 'goal', 0);
  return {
    ...compileAbout(experiment, experiment.about, [1], mistakes),
    name: experiment.name,
    unit,
    endpoints,
    arms,
    control: String(control),
    ...(namespace === undefined ? {} : { namespace }),
    // It was checked.
    ...(when === undefined ? {} : { when: when as Condition }),
    metrics,
    plan,
  };
}

/** Names that stand in answers, logs and metrics of every request. */
function routedNameMistake(name: unknown): string | undefined {
  const long = typeof name === 'string' && name.length > MOST_NAME;
  return (
    labelMistake(name) ?? (long ? `${showName(name)} is too long: use at most ${MOST_NAME} characters` : undefined)
  );
}

const MOST_NAME = 63;

function requestColumns(manifest: Manifest, endpoint: EndpointSpec): readonly string[] {
  // The endpoint was compiled: its model is there.
  const service = own(manifest.models, endpoint.model)?.service ?? '';
  return resolveService(manifest, service).requestColumns.map(({ name }) => name);
}

function compileEndpoints(experiment: AuthoredExperiment, told: Told, mistakes: Mistakes): readonly string[] {
  const { endpoints } = experiment;
  if (!Array.isArray(endpoints) || endpoints.length === 0) {
    told(`endpoints must be an array of one endpoint or more, got ${describeResult(endpoints)}`, 'endpoints');
    return [];
  }
  const names = endpoints.flatMap(
    (one: unknown, i) =>
      expectKind(one, 'endpoint', experiment, `endpoints[${i}]`, [1, 'endpoints', i], mistakes)?.name ?? [],
  );
  return [...new Set(names)].sort();
}

function compileUnit({ unit }: AuthoredExperiment, told: Told): readonly string[] {
  if (Array.isArray(unit) && unit.length > 0 && unit.every((column) => typeof column === 'string')) return unit;
  told(`unit must be an array of request columns: ['user'], got ${describeResult(unit)}`, 'unit');
  return [];
}

function compileArms(experiment: AuthoredExperiment, told: Told, mistakes: Mistakes): readonly ArmSpec[] {
  const written = experiment.arms;
  if (!expectRecord(experiment, 'arms', written, [1, 'arms'], mistakes)) return [];
  const arms = Object.entries(written as Readonly<Record<string, unknown>>).flatMap(([name, arm]): ArmSpec[] => {
    const nameMistake = routedNameMistake(name);
    if (nameMistake !== undefined) told(`arm: ${nameMistake}`, 'arms', name);
    if (!expectRecord(experiment, `arm ${showName(name)}`, arm, [1, 'arms', name], mistakes)) return [];
    const path = [1, 'arms', name];
    mistakes.addSlips(experiment, findSlips(arm, { version: true, weight: true }, path, `arm ${showName(name)}`));
    const { version, weight } = arm as Readonly<Record<string, unknown>>;
    const isVersion = typeof version === 'string' ? version !== '' : Number.isInteger(version) && Number(version) > 0;
    if (!isVersion)
      told(
        `arm ${showName(name)}: version must be a number or an alias, got ${describeResult(version)}`,
        'arms',
        name,
        'version',
      );
    if (!isPercent(weight))
      told(
        `arm ${showName(name)}: weight must be a percentage above 0 with at most two decimals, got ${describeResult(weight)}`,
        'arms',
        name,
        'weight',
      );
    // Both were checked.
    return isPercent(weight) && isVersion ? [{ name, version: version as number | string, weight }] : [];
  });
  const count = Object.keys(written as object).length;
  if (count < 2 || count > MOST_ARMS)
    told(`it has ${count} ${count === 1 ? 'arm' : 'arms'}: give it 2 to ${MOST_ARMS}`, 'arms');
  const sum = arms.reduce((all, { weight }) => all + Math.round(weight * 100), 0) / 100;
  if (sum > 100) told(`the arms' weights sum to ${sum}: they are percent of all units, 100 at most`, 'arms');
  return arms;
}

const MOST_ARMS = 20;

function compileNamespace(experiment: AuthoredExperiment, told: Told, mistakes: Mistakes): NamespaceSpec | undefined {
  const { namespace } = experiment;
  const at = [1, 'namespace'];
  if (namespace === undefined || !expectRecord(experiment, 'namespace', namespace, at, mistakes)) return undefined;
  mistakes.addSlips(experiment, findSlips(namespace, { name: true, range: true }, at, 'namespace'));
  const { name, range } = namespace as Readonly<Record<string, unknown>>;
  const nameMistake = labelMistake(name);
  if (nameMistake !== undefined) told(`namespace: ${nameMistake}`, 'namespace', 'name');
  const [from, to] = (Array.isArray(range) && range.length === 2 ? range : []) as unknown[];
  if (typeof from === 'number' && typeof to === 'number' && from >= 0 && from < to && to <= 1)
    return { name: String(name), range: [from, to] };
  told(`namespace: range must be two fractions, from below to: [0, 0.5], got ${shown(range)}`, 'namespace', 'range');
  return undefined;
}

function shown(value: unknown): string {
  return Array.isArray(value) ? stringifyJson(value).slice(0, 60) : describeResult(value);
}

const ROLES: readonly MetricRole[] = ['goal', 'secondary', 'guardrail'];

function compileMetrics(
  experiment: AuthoredExperiment,
  owner: MetricOwner,
  told: Told,
  mistakes: Mistakes,
): ExperimentSpec['metrics'] {
  const empty = { goal: [], secondary: [], guardrail: [] };
  const { metrics } = experiment;
  if (!expectRecord(experiment, 'metrics', metrics, [1, 'metrics'], mistakes)) return empty;
  const known = { goal: true, secondary: true, guardrail: true } as const;
  mistakes.addSlips(experiment, findSlips(metrics, known, [1, 'metrics'], 'metrics'));
  const names = new Set<string>();
  const compiled = ROLES.map((role): [MetricRole, readonly MetricSpec[]] => {
    const list = (metrics as Readonly<Record<string, unknown>>)[role] ?? [];
    if (!Array.isArray(list)) {
      told(`metrics.${role} must be an array of metrics, got ${describeResult(list)}`, 'metrics', role);
      return [role, []];
    }
    if (role === 'goal' && list.length === 0)
      told('it has no goal: name in `metrics.goal` what it is to change', 'metrics');
    const specs = list.flatMap((one: unknown, i) => {
      const at = [1, 'metrics', role, i];
      const metric = expectKind(one, 'metric', experiment, `metrics.${role}[${i}]`, at, mistakes);
      if (metric === undefined) return [];
      if (names.has(metric.name))
        told(`two of its metrics are named ${showName(metric.name)}. Rename one of them`, 'metrics', role, i);
      names.add(metric.name);
      if (role !== 'secondary' && metric.options.direction === 'none')
        told(
          `metrics.${role}[${i}] needs a direction: of ${showName(metric.name)} neither more nor less is better; make it a secondary one`,
          'metrics',
          role,
          i,
        );
      return [compileMetric(metric, owner, mistakes)];
    });
    return [role, specs];
  });
  return { ...empty, ...Object.fromEntries(compiled) };
}

function compilePlan(experiment: AuthoredExperiment, told: Told, mistakes: Mistakes): ExperimentPlan {
  const plan = experiment.plan ?? {};
  const at = [1, 'plan'];
  if (!expectRecord(experiment, 'plan', plan, at, mistakes)) return DEFAULT_PLAN;
  const given = plan as Readonly<Record<string, unknown>>;
  const { kind = 'split', alpha = 0.05, correction = 'holm', every = '1d', floor = 0.01 } = given;
  const isBandit = kind === 'bandit';
  mistakes.addSlips(experiment, findSlips(plan, isBandit ? BANDIT_PLAN : SPLIT_PLAN, at, 'plan'));
  oneOf(experiment, 'plan.kind', kind, ['split', 'bandit'], [...at, 'kind'], mistakes);
  oneOf(experiment, 'plan.correction', correction, ['holm', 'bh'], [...at, 'correction'], mistakes);
  if (!isFraction(alpha)) told(`plan.alpha must be between 0 and 1, got ${describeResult(alpha)}`, 'plan', 'alpha');
  const judged = { alpha: Number(alpha), correction: correction as ExperimentPlan['correction'] };
  if (!isBandit) return { kind: 'split', ...judged };
  const arms = Object.keys((experiment.arms ?? {}) as object).length;
  if (!isFraction(floor) || floor * arms > 1)
    told(
      `plan.floor must be a fraction that every arm can have, such as 0.01, got ${describeResult(floor)}`,
      'plan',
      'floor',
    );
  const everyMicros = duration(experiment, 'plan.every', every, false, [...at, 'every'], mistakes);
  return { kind: 'bandit', ...judged, everyMicros, floor: Number(floor) };
}

const SPLIT_PLAN = { kind: true, alpha: true, correction: true } as const;
const BANDIT_PLAN = { ...SPLIT_PLAN, every: true, floor: true } as const;
const DEFAULT_PLAN: ExperimentPlan = { kind: 'split', alpha: 0.05, correction: 'holm' };
