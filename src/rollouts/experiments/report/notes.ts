// What a reader has to know before the figures are believed.

import { counted } from '../../../core/index.ts';
import type { Analysed } from '../analysis/analyse.ts';
import type { ArmComparison, ExperimentReport } from './experiment-report.ts';

export function notesOf(
  report: Omit<ExperimentReport, 'decision' | 'notes'>,
  { exposures, metrics }: Analysed,
): string[] {
  const { dropped, phase, plan } = report;
  const limits = metrics.flatMap((one) =>
    one.kind === 'sums' && one.metric.winsorize !== undefined ? [one.metric.name] : [],
  );
  const quantiles = metrics.flatMap(({ kind, metric }) => (kind === 'quantiles' ? [metric.name] : []));
  return [
    ...(dropped.two_arms > 0
      ? [`${counted(dropped.two_arms, 'unit')} seen in two arms left out: a unit's arm may not change within a phase.`]
      : []),
    ...(dropped.forced_rows > 0
      ? [`${counted(dropped.forced_rows, 'row')} of a forced arm left out: who chose an arm was not assigned it.`]
      : []),
    ...(dropped.rows_without_unit > 0
      ? [`${counted(dropped.rows_without_unit, 'row')} left out whose unit the log does not tell.`]
      : []),
    ...(exposures.isSampled
      ? ['The log keeps a sample of rows: sums and counts are of that sample, alike in all arms.']
      : []),
    ...(limits.length > 0 ? [`Winsorised at quantiles of all units together: ${limits.join(', ')}.`] : []),
    ...report.metrics.flatMap(({ name, comparisons }) =>
      comparisons
        .filter((one) => looksSurer(one, report.alpha))
        .map(
          ({ arm }) =>
            `The relative lift of ${name} in ${arm} looks surer than it is: a few units have most of the value. Go by the difference, as the verdict does, or winsorise the metric.`,
        ),
    ),
    ...(quantiles.length > 0
      ? [`Quantiles have the interval of one look alone, and so no verdict: ${quantiles.join(', ')}.`]
      : []),
    ...(phase === 'all'
      ? ['Phases are compared within each, then put together; quantiles and CUPED are told by phase alone.']
      : []),
    ...(plan === 'bandit'
      ? [
          "A bandit's weights follow its own figures: estimates of arms that got few units are biased towards what made them few.",
        ]
      : []),
  ];
}

/** The lift's interval leaves zero out, where the difference's, which holds, does not. */
function looksSurer({ difference, relative }: ArmComparison, alpha: number): boolean {
  if (relative === null || !relative.always_is_approximate) return false;
  return (relative.always_p ?? 1) < alpha && (difference.always_p ?? 1) >= alpha;
}
