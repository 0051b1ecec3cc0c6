// Outcomes as they are told, over HTTP and in files → as the log keeps them: of a prediction by its id, or of what was predicted
// for a unit last before a time.

import {
  describe,
  describeMistake,
  type ErrorDetail,
  formatTimestamp,
  invalid,
  INVALID,
  MICROS_PER_DAY,
  MICROS_PER_MINUTE,
  type Micros,
  noteMistake,
  parseDuration,
  parseTimestamp,
} from '../core/index.ts';
import type { OutcomeEntry, PredictionLog } from '../monitoring/index.ts';

type UnitValue = string | number | boolean;

/** Of `prediction_id` and `unit` with `at` one is there. */
export interface OutcomeInput {
  readonly prediction_id?: string;
  readonly value: number | boolean | string | null;
  readonly observed_at?: string;
  /** The value of the endpoint's unit, or those of its columns. */
  readonly unit?: UnitValue | readonly UnitValue[];
  readonly at?: string;
  /** The prediction was made at this time or later. */
  readonly from?: string;
  /** In place of `from`: how long before `at`, such as `7d`. */
  readonly within?: string;
}

/** What the clocks of those who tell may be ahead. */
export const OUTCOME_SKEW_MICROS = MICROS_PER_MINUTE;
const WITHIN_MICROS = 7 * MICROS_PER_DAY;
const TIMESTAMP = { kind: 'timestamp' } as const;

export interface ToldEndpoint {
  readonly name: string;
  /** Its columns. */
  readonly unit: readonly string[];
}

/** `log`: where they will be. Throws HR_INVALID with every mistake. */
export function readOutcomes(
  endpoint: ToldEndpoint,
  outcomes: readonly OutcomeInput[],
  log: Pick<PredictionLog, 'redacts'>,
  now: Micros,
): readonly OutcomeEntry[] {
  const mistakes: ErrorDetail[] = [];
  const hidden = endpoint.unit.find((column) => log.redacts(endpoint.name, column));
  const entries = outcomes.map((outcome, index) => {
    const note: Note = (member, message) =>
      noteMistake(mistakes, () => ({ path: `outcomes[${index}].${member}`, message: message() }));
    refuseHalfPairs(outcome, note);
    return outcome.unit === undefined
      ? byId(endpoint.name, outcome, now, note)
      : byUnit(endpoint, hidden, outcome, now, note);
  });
  if (mistakes.length > 0) throw invalid(mistakes);
  return entries;
}

type Note = (member: string, message: () => string) => void;

function byId(endpoint: string, outcome: OutcomeInput, now: Micros, note: Note): OutcomeEntry {
  const { prediction_id: predictionId = '', value, observed_at } = outcome;
  if (outcome.prediction_id === undefined) note('prediction_id', () => 'is missing, and so are unit and at');
  for (const member of ['at', 'from', 'within'] as const) {
    if (outcome[member] !== undefined)
      note(member, () => 'belongs to an outcome with a unit; this one has a prediction_id');
  }
  return { predictionId, endpoint, value, observedMicros: readTime(observed_at, 'observed_at', now, note) ?? now };
}

function byUnit(
  endpoint: ToldEndpoint,
  hidden: string | undefined,
  outcome: OutcomeInput,
  now: Micros,
  note: Note,
): OutcomeEntry {
  const { unit: given = [], value, from, within } = outcome;
  const unit = (typeof given === 'object' ? given : [given]).map(String);
  const columns = endpoint.unit;
  if (columns.length === 0)
    note('unit', () => `endpoint "${endpoint.name}" has no unit: its outcomes are told by prediction_id`);
  else if (unit.length !== columns.length) {
    const expected = columns.length === 1 ? 'one value' : `${columns.length} values`;
    note('unit', () => `expected ${expected}, of ${columns.join(', ')}, got ${unit.length}`);
  } else if (hidden !== undefined) {
    note(
      'unit',
      () => `the prediction log redacts ${hidden}, so that no unit is found in it: tell it by prediction_id`,
    );
  }
  for (const member of ['prediction_id', 'observed_at'] as const) {
    if (outcome[member] !== undefined) note(member, () => 'does not go with a unit, whose time is at');
  }
  if (outcome.at === undefined) note('at', () => 'is missing: when it happened, to find the prediction before it');
  const at = readTime(outcome.at, 'at', now, note) ?? now;
  if (from !== undefined && within !== undefined) note('within', () => 'does not go with from: they say the same');
  const duration = within === undefined ? WITHIN_MICROS : readDuration(within);
  if (duration === undefined) note('within', () => `expected a duration such as "7d", got ${describe(within)}`);
  const start = readTime(from, 'from', Infinity, note);
  if (start !== undefined && start > at) note('from', () => `is after at, ${formatTimestamp(at)}`);
  return {
    predictionId: { unit, fromMicros: start ?? Math.max(at - (duration ?? 0), Number.MIN_SAFE_INTEGER) },
    endpoint: endpoint.name,
    value,
    observedMicros: at,
  };
}

// One that is too long to be told in microseconds is as good as any time.
const readDuration = (text: string): Micros | undefined =>
  parseDuration(text) ?? (/^(\d+(us|ms|s|m|h|d|w))+$/.test(text) ? Infinity : undefined);

function readTime(given: string | undefined, member: string, now: Micros, note: Note): Micros | undefined {
  if (given === undefined) return undefined;
  const at = parseTimestamp(given) ?? INVALID;
  if (at === INVALID) {
    note(member, () => describeMistake(TIMESTAMP, given));
    return undefined;
  }
  if (at > now + OUTCOME_SKEW_MICROS) {
    note(member, () => `${formatTimestamp(at)} is in the future: the server's clock shows ${formatTimestamp(now)}`);
  }
  return at;
}

/** The log keeps UTF-8, where half of a surrogate pair would be another text. */
function refuseHalfPairs({ prediction_id, value, unit }: OutcomeInput, note: Note): void {
  const told = {
    prediction_id,
    value,
    ...(typeof unit === 'object' ? Object.fromEntries(unit.map((one, at) => [`unit[${at}]`, one])) : { unit }),
  };
  for (const [member, text] of Object.entries(told)) {
    if (typeof text !== 'string' || text.isWellFormed()) continue;
    note(member, () => `expected text, got ${describe(text)}: half of a surrogate pair is no text`);
  }
}
