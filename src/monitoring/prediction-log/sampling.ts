// Which predictions are logged where not all are: by a hash of their id, so that every server decides alike; by one of their
// unit where whoever analyses them needs all of a unit's rows or none.

import type { ArmSchema, PredictionRecord, RecordRoute } from './prediction-log.ts';
import type { SampleRule } from './sample-rules.ts';

/** Gives the share (0 to 1) that rows like the record are logged in. */
export type ShareOf = (statuses: readonly string[]) => number;

/** What rules ask of the schema. */
export type SampledArm = Pick<ArmSchema, 'endpoint' | 'variant'>;

/** Compiled for the rows of one arm that come one way; `route` is null where nobody says which, as of what a shadow made. */
export function compileShare(rules: readonly SampleRule[], arm: SampledArm, route: RecordRoute | null): ShareOf {
  const fitting = rules.filter((rule) => fits(rule, arm, route));
  // What one row is like must not tear its unit apart.
  const usable = route?.keepsUnitsWhole === true ? fitting.filter(({ status }) => status === undefined) : fitting;
  const first = usable.findIndex(({ status }) => status === undefined);
  const last = usable[first]?.share ?? 1;
  const before = first < 0 ? usable : usable.slice(0, first);
  if (before.length === 0) return () => last;
  const sets = before.map(({ status, share }) => ({ wanted: statusesOf(status ?? ''), share }));
  return (statuses) => {
    for (let rule = 0; rule < sets.length; rule++) {
      const { wanted, share } = sets[rule] as (typeof sets)[number];
      for (let i = 0; i < statuses.length; i++) if (wanted.includes(statuses[i] as string)) return share;
    }
    return last;
  };
}

function fits(rule: SampleRule, { endpoint, variant }: SampledArm, route: RecordRoute | null): boolean {
  return (
    (rule.endpoint === undefined || rule.endpoint === endpoint) &&
    (rule.assigned === undefined || rule.assigned === (route?.assigned ?? variant)) &&
    (rule.via === undefined || rule.via === (route?.via ?? variant)) &&
    (rule.experiment === undefined || rule.experiment === route?.experiment)
  );
}

const MISSING = ['NOT_FOUND', 'OUTSIDE_MAX_AGE', 'INVALID'];

const statusesOf = (status: string): readonly string[] => (status === 'missing' ? MISSING : [status]);

/** Whether the record is of the `share` (0 to 1) that is logged. */
export function isOfShare(record: PredictionRecord, share: number): boolean {
  if (share >= 1) return true;
  const { route, experimentUnit, unitHash, predictionId } = record;
  if (route?.keepsUnitsWhole !== true) return placeOf(hashId(predictionId)) < share;
  // Two endpoints of one experiment take the same units.
  if (experimentUnit !== null) return placeOf(hashText(experimentUnit)) < share;
  return placeOf(unitHash === 0 ? hashId(predictionId) : unitHash) < share;
}

// What comes after a tilde says which shadow of the prediction it is.
function hashId(id: string): number {
  const end = id.indexOf('~');
  return hashText(id, end < 0 ? id.length : end);
}

// FNV-1a over UTF-16 units.
function hashText(text: string, length = text.length): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16_777_619);
  return hash;
}

// Murmur's finish, to 0 … 1: ids differ in their last signs alone, and an arm's units have like buckets.
function placeOf(given: number): number {
  let hash = given;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
