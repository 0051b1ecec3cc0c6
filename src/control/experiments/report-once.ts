// Reports that servers make on request, one at a time: who asks for one that is being made gets that one.

import { HeadraceError, within } from '../../core/index.ts';
import type { ExperimentReport } from '../../rollouts/index.ts';
import type { AskedPhase } from './experiment-reports.ts';

const MOST_WAITING = 8;

type Make = (name: string, phase: AskedPhase) => Promise<ExperimentReport>;

/** Throws HR_OVERLOADED where so many wait already, and where its turn does not come within `waitMs`. */
export function reportOnce(make: Make, { waitMs }: { readonly waitMs: number }): Make {
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
    const turn = last;
    const come = within(turn, waitMs, () => {
      throw new HeadraceError(
        'HR_OVERLOADED',
        `other reports are being made, and the turn of experiment "${name}" did not come within ${waitMs / 1000} s; ask again in a moment.`,
      );
    });
    const report = come.then(() => make(name, phase)).finally(() => made.delete(key));
    // One that has given up stands in nobody's way, and lets nobody before those that it waited for.
    last = turn.then(() => report.catch(() => {}));
    made.set(key, report);
    return report;
  };
}
