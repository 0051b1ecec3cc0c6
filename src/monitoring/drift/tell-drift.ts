// What windows came to, told to the alerts: one alert a feature, whichever arms it drifts at.

import { formatTimestamp, type Json, type Micros } from '../../core/index.ts';
import type { Alerts } from '../alerts/alert.ts';
import type { DriftStore, StoredWindow } from './drift-store.ts';
import { CLOSES_AFTER, type JudgedWindow, judgeWindows, OPENS_AFTER, OPENS_AT, type Verdict } from './evaluate.ts';
import type { FeatureReference } from './reference.ts';

/** By arm and feature, as outputs and features may have one name. */
export interface JudgedFeature extends Pick<StoredWindow, 'arm' | 'kind' | 'feature'> {
  readonly reference: FeatureReference;
  readonly referenceId: string;
  readonly windows: readonly JudgedWindow[];
}

/** What an alert calls it. */
export const alertName = ({ kind, feature }: Pick<StoredWindow, 'kind' | 'feature'>): string =>
  kind === 'output' ? `output:${feature}` : feature;

/** Judges windows; those whose reference is gone are left out. */
export async function judgeStored(
  store: Pick<DriftStore, 'reference'>,
  windows: readonly StoredWindow[],
): Promise<JudgedFeature[]> {
  const judged: JudgedFeature[] = [];
  for (const ofArm of Map.groupBy(windows, ({ arm }) => `${arm.variant} ${arm.model} ${arm.version}`).values()) {
    const features = new Map<string, Omit<JudgedFeature, 'windows'> & { readonly windows: readonly StoredWindow[] }>();
    for (const own of Map.groupBy(ofArm, alertName).values()) {
      const [last] = own.slice(-1) as [StoredWindow];
      const reference = (await store.reference(last.reference))?.features.find(({ name }) => name === last.feature);
      if (reference === undefined) continue;
      const { arm, kind, feature, reference: referenceId } = last;
      const comparable = own.filter((window) => window.reference === referenceId);
      features.set(alertName(last), { arm, kind, feature, reference, referenceId, windows: comparable });
    }
    const found = judgeWindows(features);
    for (const [name, feature] of features) judged.push({ ...feature, windows: found.get(name) ?? [] });
  }
  return judged;
}

export async function tellDrift(
  { store, alerts }: { readonly store: DriftStore; readonly alerts: Pick<Alerts, 'observe'> },
  endpoint: string,
  windows: readonly StoredWindow[],
): Promise<void> {
  const seen = new Map<Micros, Map<string, { readonly feature: JudgedFeature; readonly window: JudgedWindow }[]>>();
  for (const feature of await judgeStored(store, windows)) {
    for (const window of feature.windows) {
      const byName = seen.get(window.to) ?? new Map<string, { feature: JudgedFeature; window: JudgedWindow }[]>();
      seen.set(window.to, byName);
      const name = alertName(feature);
      byName.set(name, [...(byName.get(name) ?? []), { feature, window }]);
    }
  }
  for (const [to, byName] of [...seen].sort(([a], [b]) => a - b)) {
    for (const [name, arms] of byName) {
      await alerts.observe({
        rule: 'drift',
        endpoint,
        feature: name,
        state: together(arms.map(({ window }) => window.verdict)),
        evidence: evidenceOf(arms),
        at: to,
        opensAfter: OPENS_AFTER,
        closesAfter: CLOSES_AFTER,
      });
    }
  }
}

/** The worst of several arms. */
function together(verdicts: readonly Verdict[]): Verdict {
  const order: readonly Verdict[] = ['firing', 'between', 'ok'];
  return order.find((verdict) => verdicts.includes(verdict)) ?? 'no_data';
}

function evidenceOf(arms: readonly { readonly feature: JudgedFeature; readonly window: JudgedWindow }[]): Json {
  const window = arms[0]?.window;
  return {
    window: window === undefined ? null : { from: formatTimestamp(window.from), to: formatTimestamp(window.to) },
    rows: arms.reduce((sum, one) => sum + one.window.rows, 0),
    opens_at: OPENS_AT,
    arms: arms.map(({ feature, window: { rows, units, psi, p, adjustedP, verdict, counts } }) => ({
      variant: feature.arm.variant,
      version: feature.arm.version,
      reference: feature.referenceId,
      rows,
      units,
      psi,
      p,
      adjusted_p: adjustedP,
      verdict,
      missing: share(counts.missing, counts.rows),
      null: share(counts.nulls, counts.rows),
      empty: share(counts.empty, counts.rows),
      new_categories: counts.fresh.map(([value, count]) => ({ value, rows: count })),
    })),
  };
}

export const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
