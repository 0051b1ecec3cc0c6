// headrace.v1.ServingService/ReadFeatures: values go from their records into the message.

import { invalid, type Micros, type Scope } from '../../../core/index.ts';
import type { ResolvedService } from '../../../definitions/index.ts';
import { PRESENT, STATUSES } from '../../../online/index.ts';
import type { DataPlane } from '../../data-plane.ts';
import { type FeatureSource, viewTimes } from '../../features/answer-writer.ts';
import { DELIMITED, VARINT, WireReader } from '../wire/wire-reader.ts';
import { writeMessage, type WireWriter } from '../wire/wire-writer.ts';
import { noteRow, type RowPlaces, rowsOf } from './read-rows.ts';
import { statusCode } from './feature-status.ts';
import { KEY, VALUE } from './value-fields.ts';
import { ValueFields, writeTimestamp } from './write-value.ts';

export interface ReadRequest extends RowPlaces {
  readonly service: string;
  readonly layout: number;
}

const REQUEST = { service: 1, rows: 2, layout: 3 } as const;
const LAYOUT = { unspecified: 0, rows: 1, columns: 2 } as const;

/** Throws HR_MALFORMED_PROTOBUF, and HR_INVALID for a layout that is none; the rows are looked at later. */
export function readReadRequest(bytes: Buffer): ReadRequest {
  const reader = new WireReader(bytes);
  const request = { service: '', layout: 0, bytes, places: [] };
  while (reader.next()) {
    if (reader.is(REQUEST.service, DELIMITED)) request.service = reader.text();
    else if (reader.is(REQUEST.rows, DELIMITED)) noteRow(reader, request);
    else if (reader.is(REQUEST.layout, VARINT)) request.layout = reader.int32();
    else reader.skip();
  }
  const { layout } = request;
  if (layout < LAYOUT.unspecified || layout > LAYOUT.columns)
    throw invalid([{ path: 'layout', message: `expected LAYOUT_ROWS (1) or LAYOUT_COLUMNS (2), got ${layout}` }]);
  return request;
}

/** Throws what `readFeatures` does. */
export async function answerRead(data: DataPlane, request: ReadRequest, scope: Scope): Promise<Buffer> {
  const { service, source } = await data.readFeatures(request.service, rowsOf(request), scope);
  const write = request.layout === LAYOUT.columns ? writeColumns : writeRows;
  return writeMessage((out) => write(out, service, source));
}

const RESPONSE = { rows: 1, columns: 2, eventTimes: 3 } as const;
const ROW = { features: 1, statuses: 2, eventTimes: 3 } as const;
const COLUMN = { name: 1, values: 2, statuses: 3 } as const;
const TIMES = { view: 1, times: 2 } as const;

function writeRows(out: WireWriter, service: ResolvedService, source: FeatureSource): void {
  const sink = new ValueFields(out);
  const times = viewTimes(service);
  const { features } = service;
  const codes = new Uint8Array(features.length);
  for (let row = 0; row < source.rows; row++) {
    const place = out.begin(RESPONSE.rows);
    for (let i = 0; i < features.length; i++) {
      const { name, type } = features[i] as (typeof features)[number];
      const entry = out.begin(ROW.features);
      out.text(KEY, name);
      sink.field = VALUE;
      sink.isWhole = type.kind === 'int32';
      codes[i] = source.give(row, i, sink);
      out.end(entry);
    }
    for (let i = 0; i < features.length; i++) {
      const code = codes[i] as number;
      if (code === PRESENT) continue;
      const entry = out.begin(ROW.statuses);
      out.text(KEY, (features[i] as (typeof features)[number]).name);
      out.int(VALUE, wireStatus(code));
      out.end(entry);
    }
    for (const { role, read } of times) {
      const micros = source.eventMicros(row, read);
      if (micros === null) continue;
      const entry = out.begin(ROW.eventTimes);
      out.text(KEY, role);
      writeTimestamp(out, VALUE, micros);
      out.end(entry);
    }
    out.end(place);
  }
}

function writeColumns(out: WireWriter, service: ResolvedService, source: FeatureSource): void {
  const sink = new ValueFields(out);
  const { rows } = source;
  const codes = new Uint8Array(rows);
  service.features.forEach(({ name, type }, feature) => {
    const place = out.begin(RESPONSE.columns);
    out.text(COLUMN.name, name);
    sink.field = COLUMN.values;
    sink.isWhole = type.kind === 'int32';
    let isAbsent = false;
    for (let row = 0; row < rows; row++) {
      const code = source.give(row, feature, sink);
      codes[row] = code;
      if (code !== PRESENT) isAbsent = true;
    }
    if (isAbsent) {
      const statuses = out.begin(COLUMN.statuses);
      for (let row = 0; row < rows; row++) out.packedInt(wireStatus(codes[row] as number));
      out.end(statuses);
    }
    out.end(place);
  });
  for (const { role, read } of viewTimes(service)) {
    const place = out.begin(RESPONSE.eventTimes);
    out.text(TIMES.view, role);
    sink.field = TIMES.times;
    for (let row = 0; row < rows; row++) writeTime(sink, source.eventMicros(row, read));
    out.end(place);
  }
}

function writeTime(sink: ValueFields, micros: Micros | null): void {
  if (micros === null) sink.none();
  else sink.timestamp(micros);
}

function wireStatus(code: number): number {
  return statusCode(STATUSES[code] ?? 'NOT_FOUND');
}
