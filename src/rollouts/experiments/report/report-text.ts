// A report for a terminal: the decision first, then who took part, then each metric.

import { percent, show, signed, whole } from './figures.ts';
import { showing } from './shown-effect.ts';
import type { Effect, ExperimentReport, Interval } from './experiment-report.ts';

/** Rows of a table, the first its head. */
export type Table = readonly (readonly string[])[];

export interface ReportText {
  readonly head: string;
  readonly decision: string;
  readonly arms: Table;
  readonly split: string;
  readonly metrics: Table;
  readonly notes: readonly string[];
}

export function reportText(report: ExperimentReport): ReportText {
  const { arms, srm, metrics, control } = report;
  return {
    head: headOf(report),
    decision: report.decision,
    arms: [
      ['ARM', 'VERSION', 'WEIGHT', 'UNITS'],
      ...arms.map(({ name, version, weight, units }) => [
        armLabel(name, control),
        String(version),
        `${weight} %`,
        whole(units),
      ]),
    ],
    split: `Split: p ${show(srm.p)} (χ²), evidence ${show(srm.e)}${srm.is_mismatch ? ': NOT as the weights say' : ': as the weights say'}.`,
    metrics: [
      ['METRIC', 'ROLE', 'ARM', 'VALUE', 'DIFFERENCE', 'RELATIVE', 'ALWAYS VALID', 'ONE LOOK', 'P', 'VERDICT'],
      ...metrics.flatMap((metric) => {
        const { of, format } = showing(metric);
        return metric.comparisons.map((one) => {
          const { always, fixed } = of(one);
          return [
            metric.name,
            metric.role,
            one.arm,
            show(metric.arms.find(({ arm }) => arm === one.arm)?.value ?? null),
            one.difference.estimate === null ? '–' : signed(one.difference.estimate),
            one.relative?.estimate === null || one.relative === null ? '–' : percent(one.relative.estimate),
            interval(always, format),
            interval(fixed, format),
            show(pOf(one.difference, one.adjusted_p)),
            one.verdict,
          ];
        });
      }),
    ],
    notes: report.notes,
  };
}

export function headOf({ name, phase, state, started_at: from, ended_at: to }: ExperimentReport): string {
  const which = phase === 'all' ? 'all phases' : `phase ${phase}`;
  return `${name}, ${which}, ${state === 'running' ? `running since ${moment(from)}` : `${moment(from)} to ${moment(to ?? from)}`}`;
}

/** The control is told, where its name doesn't. */
export function armLabel(name: string, control: string): string {
  return name === control && name !== 'control' ? `${name} (control)` : name;
}

export function interval([lo, hi]: Interval, format: (value: number) => string): string {
  return lo === null || hi === null ? '–' : `${format(lo)} … ${format(hi)}`;
}

/** To the minute. */
function moment(time: string): string {
  return `${time.slice(0, 16).replace('T', ' ')} UTC`;
}

function pOf(difference: Effect, adjusted: number | null): number | null {
  return adjusted ?? difference.p;
}
