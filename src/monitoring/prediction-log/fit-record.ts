// A record that is too large, made to fit: its longest texts are cut to one length that all can have, and marked.

import type { DataType, Value } from '../../core/index.ts';
import type { NamedSchema } from './arm-schema.ts';
import type { PredictionRecord } from './prediction-log.ts';
import { MARK, OWN_FIELD, OWN_FIELDS } from './record-layout.ts';
import { exactBytes } from './write-value.ts';

export interface FittedRecord {
  readonly record: PredictionRecord;
  /** As the encoder has them. */
  readonly marks: number[];
}

const TEXT: DataType = { kind: 'string' };

/** Undefined where even nothing of each doesn't fit. `valueAt` gives the value to be logged of a field. */
export function fitRecord(
  { fields, schema }: NamedSchema,
  record: PredictionRecord,
  budget: number,
  valueAt: (record: PredictionRecord, place: number) => Value,
): FittedRecord | undefined {
  const left = budget - 4 * record.unit.length;
  if (left < 0) return undefined;
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
  const marks: number[] = [];
  const cut = (type: DataType, value: Value, field: number): Value => {
    if (value === null || exactBytes(type, value) <= cap) return value;
    marks.push(MARK.cut * 0x10000 + field);
    return cutValue(type, value, cap);
  };
  const text = (value: string, field: number): string => cut(TEXT, value, field) as string;
  const fitted = values.map((value, place) => {
    const type = fields[place]?.type as DataType;
    return isVariable[place] ? cut(type, value, OWN_FIELDS.length + place) : value;
  });
  const firstFeature = schema.requestFields.length;
  const firstOutput = firstFeature + schema.featureFields.length;
  return {
    record: {
      ...record,
      predictionId: text(record.predictionId, OWN_FIELD.predictionId),
      requestId: text(record.requestId, OWN_FIELD.requestId),
      traceId: record.traceId === null ? null : text(record.traceId, OWN_FIELD.traceId),
      unit: record.unit.map((value) => text(value, OWN_FIELD.unit)),
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
    bytes += 1 + (item === null ? 0 : 4 + exactBytes(type.of, item));
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
