// Where a prediction's values lie in its payload, little-endian, compiled once per schema:
// schema id 8 · time 8 · latency 8 · null bits · a status byte a feature, if any is not PRESENT · fixed slots · the texts
// (prediction id, request id, trace id, units) and the values whose width varies, each behind its length · the route, the
// experiment's unit and the sample's rate, where its flags say so · marks.

import { type DataType, fixedWidth } from '../../core/index.ts';
import type { NamedSchema } from './arm-schema.ts';

export interface RecordLayout {
  readonly kinds: readonly DataType['kind'][];
  readonly types: readonly DataType[];
  /** From the start of the fixed slots; −1 where the width varies. */
  readonly slots: readonly number[];
  readonly nullsAt: number;
  readonly nullBytes: number;
  readonly slotBytes: number;
  /** How many of the fields are features, and where they begin. */
  readonly features: number;
  readonly firstFeature: number;
  readonly firstOutput: number;
}

/** Bits of a frame's flags. */
export const FLAG = { statuses: 1, marks: 2, route: 4, rate: 8, cached: 16 } as const;

/** Statuses by their byte; the text of another one lies behind the values. The last is of a feature whose values are not logged. */
export const STATUSES = ['PRESENT', 'NULL_VALUE', 'NOT_FOUND', 'OUTSIDE_MAX_AGE', 'INVALID', 'REDACTED'] as const;
export const OTHER_STATUS = 255;

/** What may have become of a value, by its number. */
export const MARKS = ['cut', 'replaced', 'redacted'] as const;
/** A mark is written as its number, times this, plus the place of its field. */
export const MARK_UNIT = 0x10000;
export const MARK = { cut: 0, replaced: 1, redacted: 2 } as const;
/** Fields with marks: these, then the schema's. */
export const OWN_FIELDS = ['prediction_id', 'request_id', 'trace_id', 'unit'] as const;
export const OWN_FIELD = { predictionId: 0, requestId: 1, traceId: 2, unit: 3 } as const;

export const NO_TEXT = 0xffffffff;
/** Of a whole frame. */
export const MOST_RECORD_BYTES = 256 * 1024;
/** Of a request's and a trace's id: all rows of a request have them, and a server takes none that is longer. */
export const MOST_ID_BYTES = 128;

const SCHEMA_TIME_LATENCY = 24;

export function layOut({ schema, fields }: NamedSchema): RecordLayout {
  const slots: number[] = [];
  let slotBytes = 0;
  for (const { type } of fields) {
    const width = fixedWidth(type);
    slots.push(width === 0 ? -1 : slotBytes);
    slotBytes += width;
  }
  const firstFeature = schema.requestFields.length;
  const features = schema.featureFields.length;
  return {
    kinds: fields.map(({ type }) => type.kind),
    types: fields.map(({ type }) => type),
    slots,
    nullsAt: SCHEMA_TIME_LATENCY,
    nullBytes: (fields.length + 7) >> 3,
    slotBytes,
    features,
    firstFeature,
    firstOutput: firstFeature + features,
  };
}
