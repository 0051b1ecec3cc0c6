// Which arms reports of monitors tell of.

import { describe, expect, it } from 'vitest';
import { type DriftReport, driftOf, type QualityReport, qualityOf } from '../../src/monitoring/index.ts';

const arm = (variant: string, version: number) => ({ variant, model: 'm', version });
const AT = Date.parse('2026-11-26T10:00:00Z') * 1000;
const HOUR = 3_600_000_000;
const time = (hours: number): string => new Date(AT / 1000 + hours * 3_600_000).toISOString();

// What a window, a day and an arm hold besides does not decide.
const drift = {
  endpoint: 'delay',
  window: 'hour',
  features: [
    { feature: 'a', arm: arm('stable', 1), windows: [{ to: time(-30) }, { to: time(-20) }] },
    { feature: 'a', arm: arm('stable', 2), windows: [] },
    { feature: 'a', arm: arm('candidate', 2), windows: [{ to: time(-3) }] },
  ],
  arms: [
    // Servers look at an arm for hours after it has served.
    { ...arm('stable', 1), checked_to: time(-1), last_seen: time(-20) },
    { ...arm('candidate', 2), checked_to: time(-3), last_seen: time(-3) },
    { ...arm('new', 3), checked_to: time(-2), last_seen: null },
    { ...arm('few', 3), checked_to: time(-2), last_seen: time(-40) },
  ],
} as unknown as DriftReport;
const quality = {
  endpoint: 'delay',
  arms: [
    { ...arm('stable', 1), days: [] },
    { ...arm('stable', 2), days: [] },
    { ...arm('candidate', 2), days: [{}] },
  ],
} as unknown as QualityReport;
const serving = [arm('stable', 2), arm('trial/treatment', 2)];
const names = (list: readonly { readonly variant: string; readonly version: number }[]): string[] =>
  list.map(({ variant, version }) => `${variant} ${version}`);

describe('a report of monitors', () => {
  it('tells of arms that serve now, or did in the time that is shown', () => {
    const shown = (hours: number) => {
      const { features, arms } = driftOf(drift, 'served', { serving, since: AT - hours * HOUR });
      return `${names(features.map((one) => one.arm)).join()}; ${names(arms).join()}`;
    };
    expect(shown(10)).toBe('stable 2,candidate 2; candidate 2,new 3');
    expect(shown(25)).toBe('stable 1,stable 2,candidate 2; stable 1,candidate 2,new 3');
    expect(names(qualityOf(quality, 'served', serving).arms)).toEqual(['stable 2', 'candidate 2']);
  });

  it('tells of one arm by its name, whichever version it had, or of all', () => {
    const since = AT;
    const { features } = driftOf(drift, { arm: 'stable' }, { serving, since });
    expect(names(features.map((one) => one.arm))).toEqual(['stable 1', 'stable 2']);
    expect(names(qualityOf(quality, { arm: 'stable' }, serving).arms)).toEqual(['stable 1', 'stable 2']);
    expect(qualityOf(quality, { arm: 'trial/treatment' }, serving).arms).toEqual([]);
    expect(driftOf(drift, 'all', { serving, since })).toEqual(drift);
    expect(() => driftOf(drift, { arm: 'sable' }, { serving, since })).toThrow('Did you mean "stable"?');
    const arms = 'The arms: candidate, stable, trial/treatment.';
    expect(() => qualityOf(quality, { arm: 'nothing' }, serving)).toThrow(arms);
  });
});
