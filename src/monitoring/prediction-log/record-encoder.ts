// A prediction into a block, compiled once per arm: no JSON, and nothing made per record but its bytes.

import type { Value } from '../../core/index.ts';
import type { NamedSchema } from './arm-schema.ts';
import { fitRecord } from './fit-record.ts';
import { FRAME_HEAD, KIND, sealFrame } from './frame.ts';
import type { PredictionRecord } from './prediction-log.ts';
import type { Block, BlockBuffer } from './record-block.ts';
import type { Redaction } from './redaction.ts';
import {
  FLAG,
  layOut,
  MARK,
  MARK_UNIT,
  MOST_ID_BYTES,
  MOST_RECORD_BYTES,
  OTHER_STATUS,
  OWN_FIELD,
  OWN_FIELDS,
  type RecordLayout,
  STATUSES,
} from './record-layout.ts';
import { mostBytes, writeFixed, writeText, writeUint32, writeVariable } from './write-value.ts';

export interface RecordEncoder {
  /** Undefined once it is in the buffer; else why not. Throws a TypeError for values that are none of their types. */
  append(buffer: BlockBuffer, record: PredictionRecord, tail: RecordTail): 'full' | 'too_large' | undefined;
}

/** What is written of a record's route. */
export interface RecordTail {
  /** `packRoute`. */
  readonly route: Uint8Array;
  /** At most `MOST_UNIT_SIGNS`; null, and only then, where the route has no experiment. */
  readonly experimentUnit: string | null;
  /** Above 0, at most 1. */
  readonly sampleRate: number;
}

const HIDDEN = '';
const REDACTED: (typeof STATUSES)[number] = 'REDACTED';
const NOTHING: Redaction = { places: [], unitPlaces: [] };

/** What is redacted is null instead, in the unit empty, and marked. */
export function compileEncoder(named: NamedSchema, redaction: Redaction = NOTHING): RecordEncoder {
  const { places: redacted, unitPlaces } = redaction;
  const layout = layOut(named);
  const { types, kinds, slots, nullBytes, slotBytes, features, firstFeature, firstOutput } = layout;
  const idHigh = Number.parseInt(named.id.slice(0, 8), 16);
  const idLow = Number.parseInt(named.id.slice(8), 16);
  const variables = slots.flatMap((slot, place) => (slot < 0 ? [place] : []));
  const isRedacted = types.map((_, place) => redacted.includes(place));
  const hidesStatuses = redacted.some((place) => place >= firstFeature && place < firstOutput);
  // Lengths, a status and its text's length for each feature, and a mark for each field.
  const overhead = fixedBytes(layout, variables.length);
  let marks: number[] = [];

  const hideUnit = (record: PredictionRecord): PredictionRecord => {
    marks.push(MARK.redacted * MARK_UNIT + OWN_FIELD.unit);
    return { ...record, unit: record.unit.map((one, place) => (unitPlaces.includes(place) ? HIDDEN : one)) };
  };

  const valueAt = (record: PredictionRecord, place: number): Value => {
    if (isRedacted[place]) return null;
    const value =
      place < firstFeature
        ? record.request[place]
        : place < firstOutput
          ? record.features[place - firstFeature]
          : record.outputs[place - firstOutput];
    return value ?? null;
  };

  const mostOf = (record: PredictionRecord, tailBytes: number): number => {
    let bytes =
      overhead + tailBytes + 3 * (record.predictionId.length + record.requestId.length + (record.traceId?.length ?? 0));
    for (let i = 0; i < record.unit.length; i++) bytes += 4 + 3 * (record.unit[i] as string).length;
    for (let i = 0; i < variables.length; i++) {
      const place = variables[i] as number;
      const value = valueAt(record, place);
      if (value !== null) bytes += mostBytes(types[place] as (typeof types)[number], value);
    }
    return bytes;
  };

  const hasStatuses = (statuses: readonly string[]): boolean => {
    if (hidesStatuses) return true;
    for (let i = 0; i < statuses.length; i++) if (statuses[i] !== 'PRESENT') return true;
    return false;
  };

  const writeStatuses = (block: Block, statuses: readonly string[]): boolean => {
    let hasOthers = false;
    for (let i = 0; i < features; i++) {
      const status = isRedacted[firstFeature + i] ? REDACTED : statuses[i];
      const code = status === undefined ? 0 : STATUSES.indexOf(status as (typeof STATUSES)[number]);
      block.bytes[block.used + i] = code < 0 ? OTHER_STATUS : code;
      if (code < 0) hasOthers = true;
    }
    block.used += features;
    return hasOthers;
  };

  const writeGroup = (
    block: Block,
    values: readonly Value[],
    first: number,
    end: number,
    nullsAt: number,
    slotsAt: number,
  ): void => {
    const { bytes } = block;
    for (let place = first; place < end; place++) {
      const value = isRedacted[place] ? null : values[place - first];
      const slot = slots[place] as number;
      if (value === null || value === undefined) {
        bytes[nullsAt + (place >> 3)] = (bytes[nullsAt + (place >> 3)] as number) | (1 << (place & 7));
      } else if (slot >= 0) {
        const kind = kinds[place] as (typeof kinds)[number];
        writeFixed(block, slotsAt + slot, kind, value);
      }
    }
  };

  const text = (block: Block, value: string | null, field: number): void => {
    const mark = MARK.replaced * MARK_UNIT + field;
    if (!writeText(block, value) && !marks.includes(mark)) marks.push(mark);
  };

  const write = (block: Block, record: PredictionRecord, tail: RecordTail): void => {
    const { view, bytes } = block;
    const start = block.used;
    let at = start + FRAME_HEAD;
    view.setUint32(at, idHigh);
    view.setUint32(at + 4, idLow);
    view.setFloat64(at + 8, record.atMicros, true);
    view.setFloat64(at + 16, record.latencyMicros, true);
    at += layout.nullsAt;
    const nullsAt = at;
    for (const end = at + nullBytes; at < end; at++) bytes[at] = 0;
    block.used = at;
    const isMarked = hasStatuses(record.statuses);
    const hasOthers = isMarked && writeStatuses(block, record.statuses);
    const slotsAt = block.used;
    // Slots of nulls are zeros: what the block held before is nobody's to see.
    bytes.fill(0, slotsAt, slotsAt + slotBytes);
    writeGroup(block, record.request, 0, firstFeature, nullsAt, slotsAt);
    writeGroup(block, record.features, firstFeature, firstOutput, nullsAt, slotsAt);
    writeGroup(block, record.outputs, firstOutput, types.length, nullsAt, slotsAt);
    block.used = slotsAt + slotBytes;
    text(block, record.predictionId, OWN_FIELD.predictionId);
    text(block, record.requestId, OWN_FIELD.requestId);
    text(block, record.traceId, OWN_FIELD.traceId);
    writeUint32(block, record.unit.length);
    for (let i = 0; i < record.unit.length; i++) text(block, record.unit[i] as string, OWN_FIELD.unit);
    for (let i = 0; i < variables.length; i++) {
      const place = variables[i] as number;
      const value = valueAt(record, place);
      if (value === null) continue;
      const isWhole = writeVariable(block, types[place] as (typeof types)[number], value);
      if (!isWhole) marks.push(MARK.replaced * MARK_UNIT + OWN_FIELDS.length + place);
    }
    if (hasOthers) {
      for (let i = 0; i < features; i++) {
        const status = record.statuses[i];
        if (status === undefined || isRedacted[firstFeature + i]) continue;
        if (!STATUSES.includes(status as (typeof STATUSES)[number])) writeText(block, status);
      }
    }
    bytes.set(tail.route, block.used);
    block.used += tail.route.length;
    if (tail.experimentUnit !== null) writeText(block, tail.experimentUnit);
    if (tail.sampleRate < 1) {
      view.setFloat64(block.used, tail.sampleRate, true);
      block.used += 8;
    }
    for (const place of redacted) marks.push(MARK.redacted * MARK_UNIT + OWN_FIELDS.length + place);
    if (marks.length > 0) {
      writeUint32(block, marks.length);
      for (const mark of marks) writeUint32(block, mark);
    }
    const flags =
      FLAG.route |
      (isMarked ? FLAG.statuses : 0) |
      (marks.length > 0 ? FLAG.marks : 0) |
      (tail.sampleRate < 1 ? FLAG.rate : 0) |
      (record.isCached === true ? FLAG.cached : 0);
    sealFrame(bytes, view, start, block.used, KIND.prediction, flags);
  };

  return {
    append(buffer, given, tail) {
      if (marks.length > 0) marks = [];
      let record = unitPlaces.length > 0 ? hideUnit(given) : given;
      const tailBytes = tail.route.length + 4 + 3 * (tail.experimentUnit?.length ?? 0) + 8;
      let bytes = mostOf(record, tailBytes);
      if (bytes > MOST_RECORD_BYTES || hasLongId(record)) {
        const fitted = fitRecord(named, record, MOST_RECORD_BYTES - overhead - tailBytes, valueAt);
        if (fitted === undefined) return 'too_large';
        record = fitted.record;
        marks.push(...fitted.marks);
        bytes = MOST_RECORD_BYTES;
      }
      const block = buffer.room(bytes);
      if (block === undefined) return 'full';
      const start = block.used;
      try {
        write(block, record, tail);
      } catch (error) {
        block.used = start;
        throw error;
      }
      block.records++;
      if (!block.schemas.includes(named)) block.schemas.push(named);
      return undefined;
    },
  };
}

const hasLongId = ({ requestId, traceId }: PredictionRecord): boolean =>
  requestId.length > MOST_ID_BYTES || (traceId !== null && traceId.length > MOST_ID_BYTES);

/** All but the texts and values themselves. */
function fixedBytes({ types, nullsAt, nullBytes, slotBytes, features }: RecordLayout, variables: number): number {
  const lengths = 4 * (3 + 1 + variables);
  const statuses = features * (1 + 4 + 32);
  const marks = 4 + 4 * 2 * (OWN_FIELDS.length + types.length);
  return FRAME_HEAD + nullsAt + nullBytes + slotBytes + lengths + statuses + marks;
}
