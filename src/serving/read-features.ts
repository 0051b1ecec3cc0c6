// Features of a service for rows of keys, with their statuses and times: what `features get` and POST /v1/features/read
// answer.

import {
  describe,
  type ErrorDetail,
  formatTimestamp,
  HeadraceError,
  invalid,
  type Micros,
  toJson,
} from '../core/index.ts';
import type { FeaturePlan, FeatureRow } from './feature-plan.ts';

/** One row's answer as plain JSON data, each by full feature name in the service's order. */
export interface FeatureAnswer {
  readonly features: Readonly<Record<string, unknown>>;
  readonly statuses: Readonly<Record<string, string>>;
  /** RFC 3339; null where there is no record, and for on-demand features. */
  readonly event_times: Readonly<Record<string, string | null>>;
}

/** Reads `rows` (JSON) as the clock showed `at`. Throws HR_INVALID, HR_TOO_LARGE, HR_ONLINE_UNAVAILABLE. */
export async function readFeatureRows(
  plan: FeaturePlan,
  rows: unknown,
  at: Micros,
  maxRows: number,
  skew: Micros = 0,
): Promise<FeatureAnswer[]> {
  if (!Array.isArray(rows))
    throw invalid([{ path: 'rows', message: `expected an array of rows, got ${describe(rows)}` }]);
  if (rows.length > maxRows)
    throw new HeadraceError(
      'HR_TOO_LARGE',
      `there are ${rows.length} rows, the limit is ${maxRows}. Send them in parts.`,
    );
  const mistakes: ErrorDetail[] = [];
  const parsed = rows.map((row, index) => plan.parseRow(row, index, mistakes));
  if (mistakes.length > 0) throw invalid(mistakes);
  const read = await plan.read(parsed, at, skew);
  return read.map((row) => toAnswer(plan, row));
}

function toAnswer(plan: FeaturePlan, row: FeatureRow): FeatureAnswer {
  const features: Record<string, unknown> = {};
  const statuses: Record<string, string> = {};
  const eventTimes: Record<string, string | null> = {};
  plan.service.features.forEach(({ name, type }, at) => {
    features[name] = toJson(type, row.values[at] ?? null);
    statuses[name] = row.statuses[at] ?? 'NOT_FOUND';
    const event = row.eventMicros[at] ?? null;
    eventTimes[name] = event === null ? null : formatTimestamp(event);
  });
  return { features, statuses, event_times: eventTimes };
}
