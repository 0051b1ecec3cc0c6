// Drift as it is told: each feature of each arm with its windows, from what is kept.

import { floorTo, formatTimestamp, type Micros, MICROS_PER_DAY } from '../../core/index.ts';
import type { LoggedArm } from './count-window.ts';
import type { DriftStore, StoredWindow, WatchedArm } from './drift-store.ts';
import { isDrifting, type JudgedWindow, shownDistances } from './evaluate.ts';
import { addCounts, type FeatureReference } from './reference.ts';
import { type JudgedFeature, judgeStored, share } from './tell-drift.ts';
import type { WatchedEndpoint, WatchedVersion } from './watched.ts';

export interface DriftReport {
  readonly endpoint: string;
  readonly window: 'hour' | 'day';
  /** What drifts first. */
  readonly features: readonly ReportedFeature[];
  readonly arms: readonly ReportedArm[];
}

export interface ReportedFeature {
  readonly feature: string;
  readonly kind: 'feature' | 'output';
  readonly arm: LoggedArm;
  /** `open`: it drifts; `no data`: the last hour or day had none, or none was enough. */
  readonly state: 'open' | 'ok' | 'no data';
  /** The training set's id, or `first windows`. */
  readonly reference: string | null;
  /** The oldest first. */
  readonly windows: readonly ReportedWindow[];
}

export interface ReportedWindow {
  readonly from: string;
  readonly to: string;
  readonly rows: number;
  readonly units: number;
  readonly psi: number | null;
  readonly p: number | null;
  readonly adjusted_p: number | null;
  readonly missing: number;
  readonly null: number;
  readonly empty: number;
  /** In nats, as a distance: 0 to √ln 2. */
  readonly js: number | null;
  readonly ks: number | null;
  readonly wasserstein: number | null;
  readonly chi2_p: number | null;
  readonly new_categories: readonly { readonly value: string; readonly rows: number }[];
  /** Only of one that is not over. */
  readonly under_way?: true;
}

export interface ReportedArm extends LoggedArm {
  readonly reference: string | null;
  /** Why its features are not held against training data. */
  readonly lacks: string | null;
  readonly checked_to: string | null;
  /** The end of the last hour or day that is over in which it answered; null where that is the first. */
  readonly last_seen: string | null;
  /** Rows that are too few for a window yet. */
  readonly waiting_rows: number;
}

export interface DriftQuestion {
  readonly size: Micros;
  readonly window: 'hour' | 'day';
  /** Of each feature the newest so many. */
  readonly limit: number;
  readonly underWay?: readonly StoredWindow[];
  readonly now: Micros;
}

export async function driftReport(
  store: DriftStore,
  endpoint: WatchedEndpoint,
  version: (arm: LoggedArm) => Promise<WatchedVersion>,
  { size, window, limit, underWay = [], now }: DriftQuestion,
): Promise<DriftReport> {
  const isMerged = window === 'day' && size < MICROS_PER_DAY;
  const shown = isMerged ? MICROS_PER_DAY : size;
  // More than are shown: what is open is told by those before, too. Where they are few they lie further apart.
  const near = await store.windows(endpoint.name, size, now - (limit + EARLIER) * 2 * shown);
  const isFew = new Set(near.map(({ to }) => to)).size < limit;
  const stored = isFew ? await store.windows(endpoint.name, size, now - LONGEST_MICROS) : near;
  const arms = await store.arms(endpoint.name, size);
  const all = [...stored, ...underWay];
  const judged = await judgeStored(store, isMerged ? mergeDays(all, now) : all);
  const isUnderWay = new Set(underWay.map((one) => keyOf(one, one.to)));
  const features = judged.map((feature): ReportedFeature => {
    const { kind, arm, reference, windows } = feature;
    const kept = windows.filter(({ to }) => !isUnderWay.has(keyOf(feature, to)));
    return {
      feature: feature.feature,
      kind,
      arm,
      state: stateOf(
        kept,
        arms.find((one) => isSame(one, arm)),
      ),
      reference: feature.referenceId.includes('/') ? 'first windows' : feature.referenceId,
      windows: windows
        .slice(-limit)
        .map((one) => presentWindow(reference, one, isUnderWay.has(keyOf(feature, one.to)))),
    };
  });
  const reported = [...features, ...(await unseen(endpoint, version, features))];
  return {
    endpoint: endpoint.name,
    window,
    features: reported.sort((a, b) => Number(b.state === 'open') - Number(a.state === 'open')),
    arms: arms.map(({ variant, model, version: number, reference, lacks, checkedMicros, seenMicros, waitingRows }) => ({
      variant,
      model,
      version: number,
      reference,
      lacks,
      checked_to: formatTimestamp(checkedMicros),
      last_seen: seenMicros === 0 ? null : formatTimestamp(seenMicros),
      waiting_rows: waitingRows,
    })),
  };
}

/** Windows that tell whether what is shown was open before. */
const EARLIER = 12;
const LONGEST_MICROS = 62 * MICROS_PER_DAY;

const isSame = (a: LoggedArm, b: LoggedArm): boolean =>
  a.variant === b.variant && a.model === b.model && a.version === b.version;

const keyOf = ({ arm, kind, feature }: Pick<JudgedFeature, 'arm' | 'kind' | 'feature'>, to: Micros): string =>
  JSON.stringify([arm.variant, arm.model, arm.version, kind, feature, to]);

function stateOf(windows: readonly JudgedWindow[], arm: WatchedArm | undefined): ReportedFeature['state'] {
  if (isDrifting(windows.map(({ verdict }) => verdict))) return 'open';
  const last = windows.findLast(({ verdict }) => verdict !== 'no_data');
  if (last === undefined) return 'no data';
  // Since then there was an hour or a day without a row.
  const isSilent = arm !== undefined && arm.seenMicros < arm.checkedMicros && arm.waitingRows === 0;
  return isSilent ? 'no data' : 'ok';
}

/** Features of arms that have traffic, and of which nothing was counted yet. */
async function unseen(
  endpoint: WatchedEndpoint,
  version: (arm: LoggedArm) => Promise<WatchedVersion>,
  seen: readonly ReportedFeature[],
): Promise<ReportedFeature[]> {
  const found: ReportedFeature[] = [];
  for (const arm of endpoint.arms) {
    if (seen.some((one) => one.kind === 'feature' && isSame(one.arm, arm))) continue;
    const { features, trainingSet } = await version(arm);
    for (const { name } of features)
      found.push({
        feature: name,
        kind: 'feature',
        arm,
        state: 'no data',
        reference: trainingSet?.id ?? null,
        windows: [],
      });
  }
  return found;
}

/** Windows by the day that they end in. A unit counts once in each of its windows. */
function mergeDays(windows: readonly StoredWindow[], now: Micros): StoredWindow[] {
  const days = new Map<string, StoredWindow>();
  for (const window of windows) {
    const day = floorTo(window.to - 1, MICROS_PER_DAY);
    const key = `${keyOf(window, day)} ${window.reference}`;
    const before = days.get(key);
    const to = Math.min(day + MICROS_PER_DAY, now);
    days.set(
      key,
      before === undefined
        ? { ...window, to }
        : {
            ...before,
            rows: before.rows + window.rows,
            units: before.units + window.units,
            counts: addCounts(before.counts, window.counts),
          },
    );
  }
  return [...days.values()];
}

function presentWindow(reference: FeatureReference, window: JudgedWindow, isUnderWay: boolean): ReportedWindow {
  const { from, to, rows, units, psi, p, adjustedP, counts } = window;
  const distances = shownDistances(reference, counts);
  return {
    from: formatTimestamp(from),
    to: formatTimestamp(to),
    rows,
    units,
    psi,
    p,
    adjusted_p: adjustedP,
    missing: share(counts.missing, counts.rows),
    null: share(counts.nulls, counts.rows),
    empty: share(counts.empty, counts.rows),
    js: distances?.js ?? null,
    ks: distances?.ks ?? null,
    wasserstein: distances?.wasserstein ?? null,
    chi2_p: distances?.chi2P ?? null,
    new_categories: counts.fresh.map(([value, count]) => ({ value, rows: count })),
    ...(isUnderWay ? { under_way: true as const } : {}),
  };
}
