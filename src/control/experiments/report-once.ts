// Reports that servers make on request, one at a time: who asks for one that is being made gets that one.

import { HeadraceError } from '../../core/index.ts';
import type { ExperimentReport } from '../../rollouts/index.ts';
import type { AskedPhase } from './experiment-reports.ts';

const MOST_WAITING = 8;

type Make = (name: string, phase: AskedPhase) => Promise<ExperimentReport>;

/** Throws HR_OVERLOADED where others wait already. */
export function reportOnce(make: Make): Make {
  const made = new Map<string, Promise<ExperimentReport>>();
  let last: Promise<unknown> = Promise.resolve();
  return (name, phase) => {
    const key = JSON.stringify([name, phase ?? null]);
    const known = made.get(key);
    if (known !== undefined) return known;
    if (made.size >= MOST_WAITING)
      return Promise.reject(
        new HeadraceError('HR_OVERLOADED', `${made.size} other reports are being made; ask again in a moment.`),
      );
    const report = last.then(() => make(name, phase)).finally(() => made.delete(key));
    last = report.catch(() => {});
    made.set(key, report);
    return report;
  };
}
