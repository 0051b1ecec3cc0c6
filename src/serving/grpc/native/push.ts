// headrace.v1.ServingService/Push: rows of a source, each value held against its column's type here, then pushed as JSON rows are.

import {
  type DataType,
  type ErrorDetail,
  formatTimestamp,
  INVALID,
  invalid,
  noteMistake,
  type Scope,
  toJson,
} from '../../../core/index.ts';
import type { ControlPlane } from '../../control-plane.ts';
import type { IngestPlane } from '../../ingest-plane.ts';
import { isIdempotencyKey, LONGEST_IDEMPOTENCY_KEY } from '../../http/request-context.ts';
import { DELIMITED, WireReader } from '../wire/wire-reader.ts';
import { writeMessage } from '../wire/wire-writer.ts';
import { noteRow, readColumns, type RowPlaces } from './read-rows.ts';
import { asType, describeMisfit, type SentValue, SentTime } from './read-value.ts';

export interface PushRequest extends RowPlaces {
  readonly source: string;
  /** Empty: none. */
  readonly idempotencyKey: string;
}

const REQUEST = { source: 1, rows: 2, idempotencyKey: 3 } as const;

/** Throws HR_MALFORMED_PROTOBUF, and HR_INVALID for a key that is too long or blank. */
export function readPushRequest(bytes: Buffer): PushRequest {
  const reader = new WireReader(bytes);
  const request = { source: '', idempotencyKey: '', bytes, places: [] };
  while (reader.next()) {
    if (reader.is(REQUEST.source, DELIMITED)) request.source = reader.text();
    else if (reader.is(REQUEST.rows, DELIMITED)) noteRow(reader, request);
    else if (reader.is(REQUEST.idempotencyKey, DELIMITED)) request.idempotencyKey = reader.text();
    else reader.skip();
  }
  const { idempotencyKey: key } = request;
  if (key !== '' && !isIdempotencyKey(key)) {
    const message = `expected 1 to ${LONGEST_IDEMPOTENCY_KEY} characters that are not blank, or none`;
    throw invalid([{ path: 'idempotency_key', message }]);
  }
  return request;
}

/** Throws what a push does, and HR_INVALID for values that are none of their columns' types. */
export async function answerPush(
  { control, ingest }: { readonly control: ControlPlane; readonly ingest: IngestPlane },
  request: PushRequest,
  scope: Scope,
): Promise<Buffer> {
  const types = typesOf(control, request.source);
  const { idempotencyKey } = request;
  const key = idempotencyKey === '' ? undefined : idempotencyKey;
  const rows = jsonRows(request, types);
  const result = await ingest.push(request.source, rows, key, scope);
  return writeMessage((out) => {
    if (result.accepted > 0) out.int(RESPONSE.accepted, result.accepted);
    if (result.duplicate) out.bool(RESPONSE.duplicate, true);
    for (const { view, written, covered, ignored } of result.views) {
      const place = out.begin(RESPONSE.views);
      out.text(VIEW.view, view);
      if (written > 0) out.int(VIEW.written, written);
      if (covered > 0) out.int(VIEW.covered, covered);
      if (ignored > 0) out.int(VIEW.ignored, ignored);
      out.end(place);
    }
    if (result.quarantined !== undefined) out.int(RESPONSE.quarantined, result.quarantined);
    for (const { rule, rows } of result.warnings ?? []) {
      const place = out.begin(RESPONSE.warnings);
      out.text(RULE.rule, rule);
      out.int(RULE.rows, rows);
      out.end(place);
    }
    const place = out.begin(RESPONSE.durable);
    if (result.durable.disk) out.bool(DURABLE.disk, true);
    if (result.durable.replicas > 0) out.int(DURABLE.replicas, result.durable.replicas);
    out.end(place);
  });
}

const RESPONSE = { accepted: 1, duplicate: 2, views: 3, quarantined: 4, warnings: 5, durable: 6 } as const;
const DURABLE = { disk: 1, replicas: 2 } as const;
const VIEW = { view: 1, written: 2, covered: 3, ignored: 4 } as const;
const RULE = { rule: 1, rows: 2 } as const;

type Types = ReadonlyMap<string, DataType>;

/** By column name; none where there is no such source, which the push itself says. */
function typesOf(control: ControlPlane, name: string): Types {
  const source = control.catalogue().sources.find((one) => one.name === name);
  return new Map(source?.columns.map((column) => [column.name, column.type]));
}

function jsonRows({ bytes, places }: RowPlaces, types: Types): object[] {
  const mistakes: ErrorDetail[] = [];
  const reader = new WireReader(bytes);
  const rows = new Array<object>(places.length / 2);
  for (let place = 0; place < rows.length; place++) {
    const members: [string, unknown][] = [];
    reader.at = places[2 * place] as number;
    reader.end = places[2 * place + 1] as number;
    readColumns(reader, (name, sent) => {
      const type = types.get(name);
      const value = type === undefined ? INVALID : asType(type, sent);
      if (type === undefined) members.push([name, plain(sent)]);
      else if (value !== INVALID) members.push([name, toJson(type, value)]);
      else noteMistake(mistakes, () => ({ path: `rows[${place}].${name}`, message: describeMisfit(type, sent) }));
    });
    // What is named as a prototype's member is a member of its own.
    rows[place] = Object.fromEntries(members);
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  return rows;
}

/** Of a column that is not declared (any more): as JSON would have it. */
function plain(sent: SentValue): unknown {
  if (sent instanceof SentTime) return sent.time === undefined ? null : formatTimestamp(sent.time);
  if (sent instanceof Uint8Array) return Buffer.from(sent).toString('base64');
  if (sent instanceof Float32Array) return Array.from(sent, plainNumber);
  if (typeof sent === 'object' && sent !== null) return sent.map(plain);
  return typeof sent === 'number' ? plainNumber(sent) : sent;
}

const plainNumber = (value: number): number | string => (Number.isFinite(value) ? value : String(value));
