// A difference as people are shown it: in percent of the control's value where there is one, so that it says what the verdict
// says, which goes by the difference. (The relative lift's own interval knows that the control's value is an estimate, too.)

import { percent, signed } from './figures.ts';
import type { ArmComparison, Interval, MetricReport } from './experiment-report.ts';

export interface ShownEffect {
  readonly estimate: number | null;
  readonly fixed: Interval;
  readonly always: Interval;
}

export interface Showing {
  /** `in % of the control`, or `difference`. */
  readonly unit: string;
  readonly of: (comparison: ArmComparison) => ShownEffect;
  readonly format: (value: number) => string;
}

export function showing({ arms }: MetricReport): Showing {
  const base = Math.abs(arms[0]?.value ?? 0);
  if (base === 0) return { unit: 'difference', of: ({ difference }) => difference, format: signed };
  const share = (value: number | null): number | null => (value === null ? null : value / base);
  return {
    unit: 'in % of the control',
    format: percent,
    of: ({ difference: { estimate, fixed, always } }) => ({
      estimate: share(estimate),
      fixed: [share(fixed[0]), share(fixed[1])],
      always: [share(always[0]), share(always[1])],
    }),
  };
}
