// Frames of a segment as records again. Every payload's checksum held before it comes here; what its bytes say may still
// be nonsense, which throws.

import type { DataType, Micros, Value } from '../../core/index.ts';
import type { NamedSchema } from './arm-schema.ts';
import type { Frame } from './frame.ts';
import type { PredictionRecord } from './prediction-log.ts';
import { type Cursor, readByte, readFixed, readText, readUint32, readVariable } from './read-value.ts';
import { FLAG, layOut, MARK_UNIT, MARKS, OTHER_STATUS, OWN_FIELDS, STATUSES } from './record-layout.ts';
import { createRouteReader, type DecodedRoute } from './record-route.ts';
import { SECTIONS, fieldsOf } from './arm-schema.ts';

type NotRead = 'request' | 'features' | 'outputs' | 'route' | 'unitHash';

export interface DecodedRecord extends Omit<PredictionRecord, NotRead> {
  readonly isCached: boolean;
  /** The same object for rows that came the same way; null in records of before it was told. */
  readonly route: DecodedRoute | null;
  /** Share of the sample that the record is of; null in records of before it was told. */
  readonly sampleRate: number | null;
  /** Of all the schema's fields, in their order. */
  readonly values: readonly Value[];
  /** What became of a value by its name, such as `request.note`: cut, replaced (signs that are no text), redacted. */
  readonly altered: Readonly<Record<string, string>> | null;
}

export type RecordDecoder = (bytes: Buffer, frame: Frame) => DecodedRecord;

/** The id of the schema of the prediction in a frame. */
export function schemaIdOf(bytes: Buffer, { from }: Frame): string {
  return bytes.toString('hex', from, from + 8);
}

/** Throws a RangeError or a TypeError for a payload that is none of the schema. */
export function compileDecoder(named: NamedSchema): RecordDecoder {
  const { types, kinds, slots, nullsAt, nullBytes, slotBytes, features } = layOut(named);
  const allPresent = new Array<string>(features).fill('PRESENT');
  const readRoute = createRouteReader();
  const names = [
    ...OWN_FIELDS,
    ...SECTIONS.flatMap((section) => fieldsOf(named.schema, section).map(({ name }) => `${section}.${name}`)),
  ];

  return (whole, frame) => {
    const bytes = whole.subarray(frame.from, frame.end);
    const cursor: Cursor = { bytes, at: nullsAt + nullBytes };
    const hasStatuses = (frame.flags & FLAG.statuses) !== 0;
    const codes = hasStatuses ? Array.from({ length: features }, () => readByte(cursor)) : [];
    const slotsAt = cursor.at;
    cursor.at += slotBytes;
    const predictionId = readText(cursor) ?? '';
    const requestId = readText(cursor) ?? '';
    const traceId = readText(cursor);
    const unit: string[] = [];
    for (let left = readUint32(cursor); left > 0; left--) unit.push(readText(cursor) ?? '');
    const values = new Array<Value>(types.length);
    for (let place = 0; place < types.length; place++) {
      const slot = slots[place] as number;
      if ((bytes.readUInt8(nullsAt + (place >> 3)) & (1 << (place & 7))) !== 0) values[place] = null;
      else if (slot < 0) values[place] = readVariable(cursor, types[place] as DataType);
      else values[place] = readFixed(bytes, slotsAt + slot, kinds[place] as DataType['kind']);
    }
    const statuses = hasStatuses
      ? codes.map((code) => (code === OTHER_STATUS ? (readText(cursor) ?? '') : (STATUSES[code] ?? '')))
      : allPresent;
    const hasRoute = (frame.flags & FLAG.route) !== 0;
    const route = hasRoute ? readRoute(cursor) : null;
    const experimentUnit = route?.experiment == null ? null : readText(cursor);
    const sampleRate = (frame.flags & FLAG.rate) === 0 ? (hasRoute ? 1 : null) : readRate(cursor);
    const altered = (frame.flags & FLAG.marks) === 0 ? null : readMarks(cursor, names);
    if (cursor.at !== bytes.length) throw new RangeError('a record is longer than its values');
    const atMicros: Micros = bytes.readDoubleLE(8);
    const latencyMicros = bytes.readDoubleLE(16);
    return {
      predictionId,
      requestId,
      traceId,
      atMicros,
      latencyMicros,
      unit,
      route,
      experimentUnit,
      sampleRate,
      values,
      statuses,
      altered,
      isCached: (frame.flags & FLAG.cached) !== 0,
    };
  };
}

function readRate(cursor: Cursor): number {
  const rate = cursor.bytes.readDoubleLE(cursor.at);
  cursor.at += 8;
  return rate;
}

function readMarks(cursor: Cursor, names: readonly string[]): Record<string, string> {
  const altered: Record<string, string> = {};
  for (let left = readUint32(cursor); left > 0; left--) {
    const mark = readUint32(cursor);
    altered[names[mark % MARK_UNIT] ?? ''] = MARKS[Math.floor(mark / MARK_UNIT)] ?? '';
  }
  return altered;
}
