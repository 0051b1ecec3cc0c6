// Features of a service for rows of keys, with their statuses and times: what POST /v1/features/read answers, and
// `features get` as plain data.

import {
  checkRowLimit,
  type ErrorDetail,
  formatTimestamp,
  type Int64Form,
  invalid,
  type Micros,
  toJson,
} from '../../core/index.ts';
import type { ResolvedService } from '../../definitions/index.ts';
import type { FeaturePlan, FeatureRow } from '../feature-plan.ts';
import type { RequestRow } from '../row-parser.ts';
import { openRows } from '../sent-rows.ts';
import { type FeatureSource, type Layout, viewTimes } from './answer-writer.ts';
import type { ReadPlan } from './read-plan.ts';

/** One row's answer as plain JSON data. */
export interface FeatureAnswer {
  /** By full feature name, in the service's order. */
  readonly features: Readonly<Record<string, unknown>>;
  /** Of the features whose status isn't PRESENT. */
  readonly statuses: Readonly<Record<string, string>>;
  /** By the name under which the service has a stored view: RFC 3339, null where there is no record. */
  readonly event_times: Readonly<Record<string, string | null>>;
}

/** A service's features as they were read, not yet written in anyone's form. */
export interface FeaturesRead {
  readonly service: ResolvedService;
  readonly source: FeatureSource;
  /** What was asked with, in the order of the service's request columns. */
  readonly rows: readonly RequestRow[];
  /** The native API's answer. */
  toJson(layout: Layout, int64?: Int64Form): Buffer;
}

export interface ReadLimits {
  readonly maxRows: number;
  /** What raises it, where something does. */
  readonly setting?: string;
}

/** Reads `rows` (JSON, or `SentRows`) as the clock showed `at`. Throws HR_INVALID, HR_TOO_LARGE, HR_ONLINE_UNAVAILABLE. */
export async function readFeatures(
  plan: ReadPlan,
  rows: unknown,
  at: Micros,
  limits: ReadLimits,
  skew: Micros = 0,
): Promise<FeaturesRead> {
  const parsed = parseRows(plan, rows, limits);
  const read = plan.read(parsed, at, skew);
  const source = read instanceof Promise ? await read : read;
  return {
    service: plan.service,
    source,
    rows: parsed,
    toJson: (layout, int64 = 'number') => plan.toJson[int64](source, layout),
  };
}

/** As `readFeatures`, each row as plain data. */
export async function readFeatureRows(
  plan: FeaturePlan,
  rows: unknown,
  at: Micros,
  limits: ReadLimits,
): Promise<FeatureAnswer[]> {
  const read = await plan.read(parseRows(plan, rows, limits), at, 0);
  return read.map((row) => toAnswer(plan, row));
}

function parseRows(
  { service, parseRow }: Pick<FeaturePlan, 'service' | 'parseRow'>,
  rows: unknown,
  { maxRows, setting }: ReadLimits,
): RequestRow[] {
  const { count, parser } = openRows(rows, { columns: service.requestColumns, parseRow, path: 'rows' });
  checkRowLimit('rows', { length: count }, maxRows, setting);
  const mistakes: ErrorDetail[] = [];
  const parse = parser();
  const parsed = new Array<RequestRow>(count);
  for (let place = 0; place < count; place++) parsed[place] = parse(place, mistakes);
  if (mistakes.length > 0) throw invalid(mistakes);
  return parsed;
}

function toAnswer({ service }: FeaturePlan, row: FeatureRow): FeatureAnswer {
  const features: Record<string, unknown> = {};
  const statuses: Record<string, string> = {};
  service.features.forEach(({ name, type }, at) => {
    features[name] = toJson(type, row.values[at] ?? null);
    const status = row.statuses[at] ?? 'NOT_FOUND';
    if (status !== 'PRESENT') statuses[name] = status;
  });
  const times = viewTimes(service).map(({ role, read }) => {
    const event = row.reads[read]?.eventMicros ?? null;
    return [role, event === null ? null : formatTimestamp(event)];
  });
  return { features, statuses, event_times: Object.fromEntries(times) as FeatureAnswer['event_times'] };
}
