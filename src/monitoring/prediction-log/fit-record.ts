// A record that is too large, made to fit: ids that no server takes are cut, then its longest texts to one length that all
// can have, and marked.

import type { DataType, Value } from '../../core/index.ts';
import type { NamedSchema } from './arm-schema.ts';
import type { PredictionRecord } from './prediction-log.ts';
import { MARK, MARK_UNIT, MOST_ID_BYTES, OWN_FIELD, OWN_FIELDS } from './record-layout.ts';
import { exactBytes, itemBytes } from './write-value.ts';

export interface FittedRecord {
  readonly record: PredictionRecord;
  /** As the encoder has them. */
  readonly marks: number[];
}

const TEXT: DataType = { kind: 'string' };

/** Undefined where even nothing of each doesn't fit. `valueAt` gives the value to be logged of a field. */
export function fitRecord(
  { fields, schema }: NamedSchema,
  given: PredictionRecord,
  budget: number,
  valueAt: (record: PredictionRecord, place: number) => Value,
): FittedRecord | undefined {
  const left = budget - 4 * given.unit.length;
  if (left < 0) return undefined;
  const marks: number[] = [];
  const cut = (type: DataType, value: Value, most: number, field: number): Value => {
    if (value === null || exactBytes(type, value) <= most) return value;
    marks.push(MARK.cut * MARK_UNIT + field);
    return cutValue(type, value, most);
  };
  const text = <T extends string | null>(value: T, most: number, field: number): T =>
    cut(TEXT, value, most, field) as T;
  const record: PredictionRecord = {
    ...given,
    requestId: text(given.requestId, MOST_ID_BYTES, OWN_FIELD.requestId),
    traceId: text(given.traceId, MOST_ID_BYTES, OWN_FIELD.traceId),
  };
  const values = fields.map((_, place) => valueAt(record, place));
  const isVariable = fields.map(({ type }) => ['string', 'bytes', 'vector', 'list'].includes(type.kind));
  const sizes = [
    ...[record.predictionId, record.requestId, record.traceId ?? '', ...record.unit].map((text) =>
      exactBytes(TEXT, text),
    ),
    ...fields.flatMap(({ type }, place) =>
      isVariable[place] && values[place] !== null ? [exactBytes(type, values[place] as Value)] : [],
    ),
  ];
  const cap = greatestCap(sizes, left);
  const fitted = values.map((value, place) => {
    const type = fields[place]?.type as DataType;
    return isVariable[place] ? cut(type, value, cap, OWN_FIELDS.length + place) : value;
  });
  const firstFeature = schema.requestFields.length;
  const firstOutput = firstFeature + schema.featureFields.length;
  return {
    record: {
      ...record,
      predictionId: text(record.predictionId, cap, OWN_FIELD.predictionId),
      requestId: text(record.requestId, cap, OWN_FIELD.requestId),
      traceId: text(record.traceId, cap, OWN_FIELD.traceId),
      unit: record.unit.map((value) => text(value, cap, OWN_FIELD.unit)),
      request: fitted.slice(0, firstFeature),
      features: fitted.slice(firstFeature, firstOutput),
      outputs: fitted.slice(firstOutput),
    },
    marks: [...new Set(marks)],
  };
}

/** The greatest length that what is longer can be cut to, so that all together fit. */
function greatestCap(sizes: readonly number[], budget: number): number {
  let left = budget;
  const ascending = sizes.toSorted((a, b) => a - b);
  for (const [i, size] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - i));
    if (size > share) return share;
    left -= size;
  }
  return Infinity;
}

// A vector has its size or is none.
function cutValue(type: DataType, value: Value, cap: number): Value {
  if (type.kind === 'string') return cutText(value as string, cap);
  if (type.kind === 'bytes') return (value as Uint8Array).subarray(0, cap);
  if (type.kind !== 'list') return null;
  const items: Value[] = [];
  let bytes = 4;
  for (const item of value as readonly Value[]) {
    bytes += itemBytes(type.of, item, exactBytes);
    if (bytes > cap) break;
    items.push(item);
  }
  return bytes > 4 && cap < 4 ? null : items;
}

function cutText(text: string, cap: number): string {
  const bytes = Buffer.from(text);
  let end = cap;
  // Not within a character.
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}
