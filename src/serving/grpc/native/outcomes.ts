// headrace.v1.ServingService/RecordOutcomes: what became of predictions.

import {
  describe,
  type ErrorDetail,
  formatTimestamp,
  invalid,
  noteMistake,
  type Scope,
  TIME_RANGE,
} from '../../../core/index.ts';
import type { IngestPlane } from '../../ingest-plane.ts';
import type { OutcomeInput } from '../../outcome-inputs.ts';
import { DELIMITED, WireReader } from '../wire/wire-reader.ts';
import { writeMessage } from '../wire/wire-writer.ts';
import { describeSent, readTimestamp, readValue, type SentValue, type SentTime } from './read-value.ts';

export interface OutcomesRequest {
  readonly endpoint: string;
  readonly outcomes: readonly OutcomeInput[];
}

const REQUEST = { endpoint: 1, outcomes: 2 } as const;
const OUTCOME = { id: 1, value: 2, observedAt: 3, unit: 4, at: 5, from: 6, within: 7 } as const;

const LONGEST_ID = 200;
const LONGEST_UNIT = 4096;
const LONGEST_WITHIN = 40;
const MOST_UNITS = 100;

/** Throws HR_MALFORMED_PROTOBUF, and HR_INVALID with every mistake. */
export function readOutcomesRequest(bytes: Buffer): OutcomesRequest {
  const reader = new WireReader(bytes);
  const mistakes: ErrorDetail[] = [];
  const outcomes: OutcomeInput[] = [];
  let endpoint = '';
  while (reader.next()) {
    if (reader.is(REQUEST.endpoint, DELIMITED)) endpoint = reader.text();
    else if (reader.is(REQUEST.outcomes, DELIMITED)) {
      const outer = reader.enter();
      outcomes.push(readOutcome(reader, `outcomes[${outcomes.length}]`, mistakes));
      reader.leave(outer);
    } else reader.skip();
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  return { endpoint, outcomes };
}

/** Throws what recording them does. */
export async function answerOutcomes(ingest: IngestPlane, request: OutcomesRequest, scope: Scope): Promise<Buffer> {
  const accepted = await ingest.recordOutcomes(request.endpoint, request.outcomes, scope);
  return writeMessage((out) => {
    if (accepted > 0) out.int(ACCEPTED, accepted);
  });
}

const ACCEPTED = 1;

type Scalar = number | boolean | string;
type Read = { -readonly [Member in keyof OutcomeInput]: OutcomeInput[Member] };

function readOutcome(reader: WireReader, path: string, mistakes: ErrorDetail[]): OutcomeInput {
  const read: Read = { value: null };
  const unit: Scalar[] = [];
  const note = (member: string, message: string): void =>
    noteMistake(mistakes, () => ({ path: `${path}.${member}`, message }));
  const scalarOf = (member: string): Scalar | null => {
    const outer = reader.enter();
    const sent = readValue(reader);
    reader.leave(outer);
    const value = asScalar(sent);
    if (value === undefined) note(member, `expected a bool, a text or a number up to 2^53, got ${describeSent(sent)}`);
    return value ?? null;
  };
  const text = (member: string, longest: number): string => {
    const value = reader.text();
    if (value.length > longest) note(member, `expected at most ${longest} characters, got ${value.length}`);
    return value;
  };
  const time = (member: 'observed_at' | 'at' | 'from', { micros }: SentTime): void => {
    if (micros === undefined) note(member, `expected a timestamp: times go from ${TIME_RANGE}`);
    else read[member] = formatTimestamp(micros);
  };
  while (reader.next()) {
    if (reader.is(OUTCOME.id, DELIMITED)) read.prediction_id = text('prediction_id', LONGEST_ID);
    else if (reader.is(OUTCOME.value, DELIMITED)) read.value = scalarOf('value');
    else if (reader.is(OUTCOME.observedAt, DELIMITED)) time('observed_at', readTimestamp(reader));
    else if (reader.is(OUTCOME.unit, DELIMITED)) {
      const value = scalarOf('unit');
      if (value === null) note('unit', 'expected a bool, a text or a number, got null');
      else if (typeof value === 'string' && value.length > LONGEST_UNIT)
        note('unit', `expected at most ${LONGEST_UNIT} characters, got ${describe(value)}`);
      else unit.push(value);
    } else if (reader.is(OUTCOME.at, DELIMITED)) time('at', readTimestamp(reader));
    else if (reader.is(OUTCOME.from, DELIMITED)) time('from', readTimestamp(reader));
    else if (reader.is(OUTCOME.within, DELIMITED)) read.within = text('within', LONGEST_WITHIN);
    else reader.skip();
  }
  // An empty text is none, as everywhere in protobuf.
  if (read.prediction_id === '') delete read.prediction_id;
  if (read.within === '') delete read.within;
  if (unit.length > MOST_UNITS) note('unit', `expected at most ${MOST_UNITS} values, got ${unit.length}`);
  else if (unit.length > 0) read.unit = unit;
  return read;
}

/** Undefined for any other kind. */
function asScalar(sent: SentValue): Scalar | null | undefined {
  if (sent === null || typeof sent === 'boolean' || typeof sent === 'string') return sent;
  if (typeof sent === 'bigint') {
    const value = Number(sent);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  if (typeof sent !== 'number') return undefined;
  return Math.abs(sent) <= Number.MAX_SAFE_INTEGER ? sent : undefined;
}
