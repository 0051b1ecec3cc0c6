// Outcomes as frames: observed 8 · recorded 8 · prediction id · endpoint · the value's JSON, each text behind its length. Of one
// that is told of a unit the id is empty, and the time from which on and the unit's texts follow, as a flag says.

import type { Micros } from '../../core/index.ts';
import { type Frame, KIND, packFrame } from './frame.ts';
import type { OutcomeEntry, UnitPrediction } from './prediction-log.ts';
import { type Cursor, readText } from './read-value.ts';

export interface DecodedOutcome {
  readonly predictionId: string | UnitPrediction;
  readonly endpoint: string;
  /** JSON. */
  readonly value: string;
  readonly observedMicros: Micros;
  readonly recordedMicros: Micros;
}

const TIME = 8;
const TIMES = 2 * TIME;
const BY_UNIT = 1;

export function packOutcome({ predictionId, endpoint, value, observedMicros }: OutcomeEntry, recorded: Micros): Buffer {
  // As an escape a surrogate that stands alone would be JSON that nobody reads.
  const json = JSON.stringify(typeof value === 'string' ? value.toWellFormed() : value);
  const isOfUnit = typeof predictionId !== 'string';
  const texts = (isOfUnit ? ['', endpoint, json, ...predictionId.unit] : [predictionId, endpoint, json]).map((text) =>
    Buffer.from(text),
  );
  const more = isOfUnit ? TIME : 0;
  const payload = Buffer.allocUnsafe(texts.reduce((bytes, { length }) => bytes + 4 + length, TIMES + more));
  payload.writeDoubleLE(observedMicros, 0);
  payload.writeDoubleLE(recorded, 8);
  let at = TIMES;
  for (const text of texts) {
    payload.writeUInt32LE(text.length, at);
    payload.set(text, at + 4);
    at += 4 + text.length;
  }
  if (isOfUnit) payload.writeDoubleLE(predictionId.fromMicros, at);
  return packFrame(KIND.outcome, isOfUnit ? BY_UNIT : 0, payload);
}

/** Throws a RangeError for a payload that is none. */
export function readOutcome(whole: Buffer, { from, end, flags }: Frame): DecodedOutcome {
  const bytes = whole.subarray(from, end);
  const cursor: Cursor = { bytes, at: TIMES };
  const predictionId = readText(cursor) ?? '';
  const endpoint = readText(cursor) ?? '';
  const value = readText(cursor) ?? 'null';
  return {
    predictionId: (flags & BY_UNIT) === 0 ? predictionId : readUnit(cursor),
    endpoint,
    value,
    observedMicros: bytes.readDoubleLE(0),
    recordedMicros: bytes.readDoubleLE(8),
  };
}

// The time comes last, so that its place is known from the end.
function readUnit(cursor: Cursor): UnitPrediction {
  const { bytes } = cursor;
  const unit: string[] = [];
  while (cursor.at < bytes.length - TIME) unit.push(readText(cursor) ?? '');
  if (cursor.at !== bytes.length - TIME) throw new RangeError('an outcome is longer than its unit');
  return { unit, fromMicros: bytes.readDoubleLE(cursor.at) };
}
