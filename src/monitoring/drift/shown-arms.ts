// Which arms a report of drift or quality tells of: what served once is kept for long, and is mostly not what somebody asks about.

import { didYouMeanOf, HeadraceError, type Micros, parseTimestamp } from '../../core/index.ts';
import type { QualityReport } from '../quality/quality-report.ts';
import type { LoggedArm } from './count-window.ts';
import type { DriftReport } from './drift-report.ts';

/** All that ever served; those that serve now or did in the time that is shown; or one by its name, `stable` or `experiment/arm`. */
export type ShownArms = 'all' | 'served' | { readonly arm: string };

/** As somebody asks for them. */
export function askedArms(arm: string | undefined): ShownArms {
  return arm === undefined ? 'served' : { arm };
}

/** `serving`: who has traffic now. Throws HR_INVALID for an arm that never served there. */
export function driftOf(
  report: DriftReport,
  shown: ShownArms,
  { serving, since }: { readonly serving: readonly LoggedArm[]; readonly since: Micros },
): DriftReport {
  // One that was never seen in an hour that is over answers in the first.
  const last = new Map(
    report.arms.map((arm) => [keyOf(arm), parseTimestamp(arm.last_seen ?? arm.checked_to ?? '') ?? -Infinity]),
  );
  const all = [...report.features.map(({ arm }) => arm), ...report.arms, ...serving];
  const isShown = chosen(report.endpoint, all, shown, serving, (arm) => (last.get(keyOf(arm)) ?? -Infinity) > since);
  return {
    ...report,
    features: report.features.filter(({ arm }) => isShown(arm)),
    arms: report.arms.filter(isShown),
  };
}

/** The same of quality, whose report has the days that are shown. */
export function qualityOf(report: QualityReport, shown: ShownArms, serving: readonly LoggedArm[]): QualityReport {
  const served = new Set(report.arms.filter(({ days }) => days.length > 0).map(keyOf));
  const all = [...report.arms, ...serving];
  const isShown = chosen(report.endpoint, all, shown, serving, (arm) => served.has(keyOf(arm)));
  return { ...report, arms: report.arms.filter(isShown) };
}

function chosen(
  endpoint: string,
  all: readonly LoggedArm[],
  shown: ShownArms,
  serving: readonly LoggedArm[],
  isRecent: (arm: LoggedArm) => boolean,
): (arm: LoggedArm) => boolean {
  if (shown === 'all') return () => true;
  if (shown === 'served') {
    const now = new Set(serving.map(keyOf));
    return (arm) => now.has(keyOf(arm)) || isRecent(arm);
  }
  const { arm: name } = shown;
  const names = new Set(all.map(({ variant }) => variant));
  if (names.has(name)) return ({ variant }) => variant === name;
  const told = didYouMeanOf('arms', name, [...names].sort());
  throw new HeadraceError('HR_INVALID', `endpoint "${endpoint}" never had an arm "${name.slice(0, 80)}".${told}`);
}

const keyOf = ({ variant, model, version }: LoggedArm): string => JSON.stringify([variant, model, version]);
