// Whether what was served is what the facts say: each logged prediction's features computed again as of then, by the
// definitions of its model version, and what differs put down to what explains it. A bug is what nothing explains.

import {
  compileRowReader,
  type Field,
  formatTimestamp,
  type Json,
  type Micros,
  parseTimestamp,
  type Row,
  toJson,
  type Value,
} from '../core/index.ts';
import type { Definitions } from '../definitions/index.ts';
import type { LogAnswer } from '../monitoring/index.ts';
import type { Arrived, ServedCheck } from '../offline/index.ts';
import type { ModelVersion } from '../registry/index.ts';
import { quoteText } from '../storage/index.ts';

/** `late data`: facts that were known by then arrived after it. `other version`: by the definitions of today it is another. */
export type Cause = 'late data' | 'other version' | 'bug';

export interface VerifyRequest {
  /** At most so many predictions, by a hash of their ids: the same each time. */
  readonly sample: number;
  /** This one alone. */
  readonly prediction?: string;
}

export interface VerifyDeps {
  /** SQL over the predictions that are asked about. */
  query(sql: string, limit: number): Promise<LogAnswer>;
  modelVersion(model: string, version: number): Promise<ModelVersion | undefined>;
  /** Throws HR_CODE_MISSING where they can't be had any more. */
  definitionsOf(manifestHash: string): Promise<Definitions>;
  readonly applied: Definitions;
  check(definitions: Definitions, service: string): ServedCheck;
  /** Why events may be missing that were seen: a writer that has not shipped them. Null where none are. */
  readonly unshipped: string | null;
}

export interface Difference {
  readonly endpoint: string;
  readonly feature: string;
  readonly cause: Cause;
  readonly count: number;
  readonly examples: readonly Example[];
}

export interface Example {
  readonly predictionId: string;
  readonly at: string;
  readonly served: Json;
  /** By the facts of now; of another version by the definitions of today. */
  readonly expected: Json;
}

export interface VerifyReport {
  /** Predictions of the range in the log, and of them those that were looked at. */
  readonly logged: number;
  readonly checked: number;
  /** Values of features that were compared, and that agreed. */
  readonly values: number;
  readonly agreed: number;
  readonly differences: readonly Difference[];
  /** Values that could not be compared, by why. */
  readonly notComparable: readonly { readonly reason: string; readonly values: number }[];
  /** Places in the log that can't be read. */
  readonly damaged: number;
}

const MOST_EXAMPLES = 3;
const AT_ONCE = 500;

/** Throws as the log and the sources do. */
export async function verifyServed(deps: VerifyDeps, request: VerifyRequest): Promise<VerifyReport> {
  const { sample, prediction } = request;
  const only = prediction === undefined ? '' : `WHERE prediction_id = ${quoteText(prediction)} `;
  const counted = await deps.query('SELECT count(*) FROM predictions', 1);
  const chosen = await deps.query(
    'SELECT prediction_id, endpoint, model, version, predicted_at, request, features, altered FROM predictions ' +
      `${only}ORDER BY md5(prediction_id), prediction_id LIMIT ${sample}`,
    sample,
  );
  const tally = createTally();
  const predictions = chosen.rows.map(readPrediction);
  for (const group of Map.groupBy(predictions, ({ model, version }) => `${model} ${version}`).values()) {
    for (let from = 0; from < group.length; from += AT_ONCE) {
      await verifyGroup(deps, group.slice(from, from + AT_ONCE), tally);
    }
  }
  return {
    logged: Number(counted.rows[0]?.[0] ?? 0),
    checked: predictions.length,
    ...tally.report(),
    damaged: chosen.damaged,
  };
}

interface Prediction {
  readonly id: string;
  readonly endpoint: string;
  readonly model: string;
  readonly version: number;
  readonly at: Micros;
  readonly request: Json;
  readonly features: Readonly<Record<string, Json>>;
  /** By column, such as `request.note`: what became of it in the log. */
  readonly altered: Readonly<Record<string, Json>>;
}

function readPrediction([id, endpoint, model, version, at, request, features, altered]: readonly Json[]): Prediction {
  return {
    id: String(id),
    endpoint: String(endpoint),
    model: String(model),
    version: Number(version),
    at: parseTimestamp(String(at)) ?? 0,
    request: request ?? null,
    features: membersOf(features),
    altered: membersOf(altered),
  };
}

function membersOf(json: Json | undefined): Readonly<Record<string, Json>> {
  const isObject = json !== null && typeof json === 'object' && !Array.isArray(json);
  return isObject ? (json as Readonly<Record<string, Json>>) : {};
}

/** Of one model version. */
async function verifyGroup(deps: VerifyDeps, group: readonly Prediction[], tally: Tally): Promise<void> {
  const [first] = group;
  if (first === undefined) return;
  const version = await deps.modelVersion(first.model, first.version);
  const all = group.reduce((sum, { features }) => sum + Object.keys(features).length, 0);
  if (version === undefined) return tally.skip(`version ${first.version} of model "${first.model}" is gone`, all);
  const definitions = await deps.definitionsOf(version.manifestHash).catch(() => undefined);
  if (definitions === undefined || !Object.hasOwn(definitions.manifest.services, version.service)) {
    return tally.skip(`the definitions of version ${first.version} of model "${first.model}" are gone`, all);
  }
  const check = deps.check(definitions, version.service);
  const read = compileRowReader(check.requestColumns);
  const points: (Prediction & { readonly row: Row })[] = [];
  for (const one of group) {
    const marks = check.requestColumns
      .map(({ name }) => one.altered[`request.${name}`])
      .find((mark) => mark !== undefined);
    const row = marks === undefined ? read(one.request) : undefined;
    if (row === undefined) tally.skip(requestReason(marks), Object.keys(one.features).length);
    else points.push({ ...one, row });
  }
  const asked = points.map(({ row, at }) => ({ request: row, at }));
  const known = await check.known(asked);
  const today = await valuesOfToday(deps, definitions, version.service, points);
  const differing: { readonly place: number; readonly features: number[] }[] = [];
  const readers = check.features.map((field) => compileRowReader([field]));
  const servedOf = (point: Prediction, feature: number): Value | undefined =>
    readers[feature]?.(point.features)?.[(check.features[feature] as Field).name];
  points.forEach((point, place) => {
    const wrong: number[] = [];
    check.features.forEach((field, feature) => {
      const mark = point.altered[`features.${field.name}`];
      const served = mark === undefined ? servedOf(point, feature) : undefined;
      if (served === undefined) return tally.skip(requestReason(mark), 1);
      if (!check.agrees(feature, served, known[place]?.[feature] ?? null)) return wrong.push(feature);
      const now = today?.(place, field);
      const isOther = now !== undefined && !check.agrees(feature, served, now);
      if (isOther) tally.differ(point, field, 'other version', served, now);
      else tally.agree();
    });
    if (wrong.length > 0) differing.push({ place, features: wrong });
  });
  if (differing.length === 0) return;
  const arrived = await check.arrived(differing.map(({ place }) => asked[place] as { request: Row; at: Micros }));
  differing.forEach(({ place, features }, at) => {
    for (const feature of features) {
      const point = points[place] as Prediction;
      const served = servedOf(point, feature) as Value;
      const expected = known[place]?.[feature] ?? null;
      const explained = explain(check, arrived[at] as Arrived, feature, served, deps.unshipped);
      if (explained === 'in flight') tally.agree();
      else if (typeof explained === 'string')
        tally.differ(point, check.features[feature] as Field, explained, served, expected);
      else tally.skip(explained.reason, 1);
    }
  });
}

function requestReason(mark: Json | undefined): string {
  if (mark === 'redacted') return 'redacted in the log';
  return mark === undefined ? 'not whole in the log' : `${String(mark)} in the log`;
}

type Explained = Exclude<Cause, 'other version'> | 'in flight' | { readonly reason: string };

function explain(
  check: ServedCheck,
  { candidates, gone }: Arrived,
  feature: number,
  served: Value,
  unshipped: string | null,
): Explained {
  const fitting = candidates(feature).filter(({ value }) => check.agrees(feature, served, value));
  if (fitting.some(({ isInFlight }) => !isInFlight)) return 'late data';
  if (fitting.length > 0) return 'in flight';
  if (unshipped !== null) return { reason: unshipped };
  const reason = gone(feature);
  return reason === null ? 'bug' : { reason };
}

/** By what is applied now, where that is another than what answered; undefined where nothing can be told by it. */
async function valuesOfToday(
  { applied, check }: VerifyDeps,
  definitions: Definitions,
  service: string,
  points: readonly (Prediction & { readonly row: Row })[],
): Promise<((place: number, feature: Field) => Value | undefined) | undefined> {
  if (definitions.hash === applied.hash || !Object.hasOwn(applied.manifest.services, service)) return undefined;
  const today = check(applied, service);
  const read = compileRowReader(today.requestColumns);
  const rows = points.map(({ request, at }) => ({ request: read(request), at }));
  const whole = rows.flatMap(({ request, at }, place) => (request === undefined ? [] : [{ request, at, place }]));
  const values = new Map((await today.known(whole)).map((row, i) => [whole[i]?.place, row]));
  return (place, { name, type }) => {
    const at = today.features.findIndex((one) => one.name === name && one.type.kind === type.kind);
    return at === -1 ? undefined : values.get(place)?.[at];
  };
}

interface Tally {
  agree(): void;
  differ(point: Prediction, feature: Field, cause: Cause, served: Value, expected: Value): void;
  skip(reason: string, values: number): void;
  report(): Pick<VerifyReport, 'values' | 'agreed' | 'differences' | 'notComparable'>;
}

function createTally(): Tally {
  let agreed = 0;
  const found = new Map<string, Difference & { count: number; examples: Example[] }>();
  const skipped = new Map<string, number>();
  return {
    agree: () => void agreed++,
    differ({ id, endpoint, at }, { name, type }, cause, served, expected) {
      const key = `${endpoint} ${name} ${cause}`;
      const one = found.get(key) ?? { endpoint, feature: name, cause, count: 0, examples: [] };
      found.set(key, one);
      one.count++;
      if (one.examples.length >= MOST_EXAMPLES) return;
      const shown = (value: Value) => toJson(type, value) as Json;
      one.examples.push({
        predictionId: id,
        at: formatTimestamp(at),
        served: shown(served),
        expected: shown(expected),
      });
    },
    skip(reason, values) {
      if (values > 0) skipped.set(reason, (skipped.get(reason) ?? 0) + values);
    },
    report() {
      const differences = [...found.values()].toSorted(
        (a, b) => ORDER.indexOf(a.cause) - ORDER.indexOf(b.cause) || (a.feature < b.feature ? -1 : 1),
      );
      const values = agreed + differences.reduce((sum, { count }) => sum + count, 0);
      const notComparable = [...skipped].map(([reason, count]) => ({ reason, values: count }));
      return { values, agreed, differences, notComparable };
    },
  };
}

const ORDER: readonly Cause[] = ['bug', 'late data', 'other version'];
