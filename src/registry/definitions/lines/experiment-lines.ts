// How an experiment and a rollout's plan differ from what they were. What runs goes on by what it was started with.

import { formatDuration } from '../../../core/index.ts';
import type {
  ArmSpec,
  ExperimentPlan,
  ExperimentSpec,
  MetricPartSpec,
  MetricSpec,
  RolloutSpec,
} from '../../../definitions/index.ts';
import { becomes, type ChangeLine, line } from './change-line.ts';
import { restLines } from './rest-lines.ts';
import { showNames, showValue } from './show.ts';

export function experimentLines(was: ExperimentSpec, is: ExperimentSpec): ChangeLine[] {
  return [
    ...becomes('meaning', 'unit', showNames(was.unit), showNames(is.unit)),
    ...becomes('meaning', 'endpoints', showNames(was.endpoints), showNames(is.endpoints)),
    ...namedLines('arm', was.arms, is.arms, showArm),
    ...becomes('meaning', 'control', was.control, is.control),
    ...becomes('meaning', 'namespace', showValue(was.namespace), showValue(is.namespace)),
    ...becomes('meaning', 'when', showValue(was.when), showValue(is.when)),
    ...(['goal', 'secondary', 'guardrail'] as const).flatMap((role) =>
      namedLines(role, was.metrics[role], is.metrics[role], showMetric),
    ),
    ...becomes('meaning', 'plan', showPlan(was.plan), showPlan(is.plan)),
    ...restLines(was, is, ['unit', 'endpoints', 'arms', 'control', 'namespace', 'when', 'metrics', 'plan']),
  ];
}

export function rolloutLines(was: RolloutSpec, is: RolloutSpec): ChangeLine[] {
  const times = ['hold', 'warmup', 'maxHold', 'maturity', 'watch', 'cooldown', 'bake'] as const;
  return [
    ...becomes('meaning', 'endpoint', was.endpoint, is.endpoint),
    ...becomes('meaning', 'steps', was.steps.join(', '), is.steps.join(', ')),
    ...becomes('meaning', 'guards', showNames(was.guards), showNames(is.guards)),
    ...times.flatMap((time) =>
      becomes('meaning', time, formatDuration(was[`${time}Micros`]), formatDuration(is[`${time}Micros`])),
    ),
    ...becomes('meaning', 'minUnits', String(was.minUnits), String(is.minUnits)),
    ...becomes('meaning', 'onBlind', was.onBlind, is.onBlind),
    ...restLines(was, is, [
      'endpoint',
      'steps',
      'guards',
      'minUnits',
      'onBlind',
      ...times.map((time) => `${time}Micros`),
    ]),
  ];
}

function namedLines<T extends { readonly name: string }>(
  what: string,
  was: readonly T[],
  is: readonly T[],
  show: (one: T) => string,
): ChangeLine[] {
  const [before, after] = [new Map(was.map((one) => [one.name, one])), new Map(is.map((one) => [one.name, one]))];
  return [
    ...was.filter(({ name }) => !after.has(name)).map(({ name }) => line('meaning', `- ${what} "${name}"`)),
    ...is.flatMap((one) => {
      const old = before.get(one.name);
      if (old === undefined) return [line('meaning', `+ ${what} "${one.name}": ${show(one)}`)];
      return becomes('meaning', `${what} "${one.name}"`, show(old), show(one));
    }),
  ];
}

const showArm = ({ version, weight }: ArmSpec): string => `version ${version}, ${weight} %`;

function showPlan({ kind, alpha, correction, ...rest }: ExperimentPlan): string {
  const bandit = 'everyMicros' in rest ? ` every ${formatDuration(rest.everyMicros)}, floor ${rest.floor}` : '';
  return `${kind}${bandit}, alpha ${alpha}, ${correction}`;
}

function showMetric({ parts, quantile, winsorize, prePeriod, direction, worth }: MetricSpec): string {
  return [
    parts.map(showPart).join(' / '),
    ...(quantile === undefined ? [] : [`quantile ${quantile}`]),
    ...(winsorize === undefined
      ? []
      : [`winsorized at ${[winsorize.lower, winsorize.upper].filter((one) => one !== undefined).join(' and ')}`]),
    ...(prePeriod === undefined ? [] : [`less ${showPart(prePeriod)} before`]),
    ...(direction === 'up' ? [] : [direction === 'down' ? 'down is better' : 'neither way is better']),
    ...(worth === 0.1 ? [] : [`worth ${worth}`]),
  ].join(', ');
}

function showPart({ values, aggregate, windowMicros }: MetricPartSpec): string {
  const of =
    values.kind === 'outcome'
      ? `outcome of ${values.endpoint}`
      : values.kind === 'output'
        ? `output ${values.output} of ${values.endpoint}`
        : showValue(values.sql);
  const over = windowMicros === undefined ? '' : ` over ${formatDuration(windowMicros)}`;
  return `${aggregate === undefined ? '' : `${aggregate} of `}${of}${over}`;
}
