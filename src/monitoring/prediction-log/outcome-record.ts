// Outcomes as frames: observed 8 · recorded 8 · prediction id · endpoint · the value's JSON, each text behind its length.

import type { Micros } from '../../core/index.ts';
import { type Frame, KIND, packFrame } from './frame.ts';
import type { OutcomeEntry } from './prediction-log.ts';
import { type Cursor, readText } from './read-value.ts';

export interface DecodedOutcome {
  readonly predictionId: string;
  readonly endpoint: string;
  /** JSON. */
  readonly value: string;
  readonly observedMicros: Micros;
  readonly recordedMicros: Micros;
}

const TIMES = 16;

export function packOutcome({ predictionId, endpoint, value, observedMicros }: OutcomeEntry, recorded: Micros): Buffer {
  // As an escape a surrogate that stands alone would be JSON that nobody reads.
  const json = JSON.stringify(typeof value === 'string' ? value.toWellFormed() : value);
  const texts = [predictionId, endpoint, json].map((text) => Buffer.from(text));
  const payload = Buffer.allocUnsafe(texts.reduce((bytes, { length }) => bytes + 4 + length, TIMES));
  payload.writeDoubleLE(observedMicros, 0);
  payload.writeDoubleLE(recorded, 8);
  let at = TIMES;
  for (const text of texts) {
    payload.writeUInt32LE(text.length, at);
    payload.set(text, at + 4);
    at += 4 + text.length;
  }
  return packFrame(KIND.outcome, 0, payload);
}

/** Throws a RangeError for a payload that is none. */
export function readOutcome(whole: Buffer, { from, end }: Frame): DecodedOutcome {
  const bytes = whole.subarray(from, end);
  const cursor: Cursor = { bytes, at: TIMES };
  const predictionId = readText(cursor) ?? '';
  const endpoint = readText(cursor) ?? '';
  const value = readText(cursor) ?? 'null';
  return {
    predictionId,
    endpoint,
    value,
    observedMicros: bytes.readDoubleLE(0),
    recordedMicros: bytes.readDoubleLE(8),
  };
}
