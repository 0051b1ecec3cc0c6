// What a report comes to, in words that somebody reads who has not seen it come to be.

import type { ExperimentReport, MetricReport } from './experiment-report.ts';
import { show, whole } from './figures.ts';
import { showing } from './shown-effect.ts';

/** One paragraph. The first thing that has to be known comes first: a split that can't be trusted, then harm, then goals. */
export function decide(report: Omit<ExperimentReport, 'decision' | 'notes'>): string {
  const { arms, srm, metrics, plan } = report;
  const units = arms.reduce((sum, arm) => sum + arm.units, 0);
  if (units === 0) return 'Nobody has been seen yet: there is nothing to compare.';
  if (srm.is_mismatch)
    return `Don't decide by this: the arms did not get the units that their weights say (${split(report)}; p ${show(srm.p)}). Find out what loses units in one arm; until then no difference below can be trusted.`;
  const sentences = arms.slice(1).flatMap(({ name }) => [...harm(name, metrics), ...goals(name, metrics, report)]);
  const bandit =
    plan === 'bandit' ? ' Weights follow what is known (bandit): each change of them is a phase of its own.' : '';
  return `${sentences.join(' ')}${bandit}`;
}

function split({ arms, srm }: Pick<ExperimentReport, 'arms' | 'srm'>): string {
  return arms
    .map(({ name, units }, at) => `${name} ${whole(units)} of ${whole(srm.expected[at] ?? 0)} expected`)
    .join(', ');
}

function harm(arm: string, metrics: readonly MetricReport[]): string[] {
  const hurt = metrics.filter(
    ({ role, comparisons }) =>
      role === 'guardrail' && comparisons.some((one) => one.arm === arm && one.verdict === 'worse'),
  );
  if (hurt.length === 0) return [];
  return [
    `${arm} makes ${list(hurt.map((metric) => `${metric.name} worse (${effect(metric, arm)})`))}: don't ship it as it is.`,
  ];
}

function goals(arm: string, metrics: readonly MetricReport[], { state }: Pick<ExperimentReport, 'state'>): string[] {
  const all = metrics.filter(({ role }) => role === 'goal');
  const of = (verdict: string): MetricReport[] =>
    all.filter(({ comparisons }) => comparisons.some((one) => one.arm === arm && one.verdict === verdict));
  const [better, worse, undecided] = [of('better'), of('worse'), of('undecided')];
  const told = (found: readonly MetricReport[]): string =>
    list(found.map((metric) => `${metric.name} (${effect(metric, arm)})`));
  return [
    ...(better.length > 0 ? [`${arm} is better in ${told(better)}.`] : []),
    ...(worse.length > 0 ? [`${arm} is worse in ${told(worse)}.`] : []),
    ...(undecided.length > 0
      ? [
          `${arm} is not told apart from the control in ${told(undecided)}${state === 'running' ? ': more units may, or it makes no difference that matters' : ''}.`,
        ]
      : []),
  ];
}

function effect(metric: MetricReport, arm: string): string {
  const one = metric.comparisons.find((comparison) => comparison.arm === arm);
  const { of, format } = showing(metric);
  const shown = one === undefined ? undefined : of(one);
  if (shown === undefined || shown.estimate === null) return `no ${metric.kind} yet`;
  const isOneLook = metric.kind === 'quantile';
  const [lo, hi] = isOneLook ? shown.fixed : shown.always;
  const range =
    lo === null || hi === null
      ? 'too few units for an interval'
      : `${format(lo)} to ${format(hi)}${isOneLook ? ' at one look' : ''}`;
  return `${format(shown.estimate)}, ${range}`;
}

function list(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}
