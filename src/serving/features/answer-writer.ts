// The answers of POST /v1/features/read as bytes, by rows or by columns, compiled for a service: a value goes from its
// record into the answer, a status is given only where it isn't PRESENT, a time once a view.

import type { Int64Form, Micros } from '../../core/index.ts';
import type { ResolvedService } from '../../definitions/index.ts';
import { PRESENT, STATUSES, type ValueSink } from '../../online/index.ts';
import { JsonBytes, TextInt64Bytes } from '../json-bytes.ts';

export type Layout = 'rows' | 'columns';

export const LAYOUTS: readonly Layout[] = ['rows', 'columns'];

/** A service's features of several rows, given value by value. */
export interface FeatureSource {
  readonly rows: number;
  /** Gives the sink the value of the service's feature; gives the code of its status. */
  give(row: number, feature: number, sink: ValueSink): number;
  /** As `PlacedReads.copy`; left out where values are held and not placed. */
  copy?(feature: number, to: Int32Array, at: number, rest: (row: number) => void): boolean;
  /** Event time of the row's record of a read of the service; null for none. */
  eventMicros(row: number, read: number): Micros | null;
}

/** A view as the service names it, and its read. */
export interface ViewTime {
  readonly role: string;
  readonly read: number;
}

/** The roles of the service's stored views, each once, in their order: `event_times` are by them. */
export function viewTimes({ features }: Pick<ResolvedService, 'features'>): ViewTime[] {
  const reads = new Map<string, number>();
  for (const { name, from } of features) if (from.kind === 'read') reads.set(roleOf(name), from.read);
  return [...reads].map(([role, read]) => ({ role, read }));
}

/** What is before `__` in a feature's full name. */
export function roleOf(feature: string): string {
  return feature.slice(0, feature.indexOf('__'));
}

const text = (value: string): Buffer => Buffer.from(value);
const STATUS_TEXTS = STATUSES.map((status) => text(`"${status}"`));
const COMMA = 44;
const [OPEN_ARRAY, CLOSE_ARRAY] = [91, 93];

/** Names with what stands before them: the first member of an object, and any later one. */
interface Members {
  readonly first: readonly Buffer[];
  readonly later: readonly Buffer[];
}

function membersOf(names: readonly string[]): Members {
  const keys = names.map((name) => `${JSON.stringify(name)}:`);
  return { first: keys.map((key) => text(key)), later: keys.map((key) => text(`,${key}`)) };
}

const PARTS = {
  openRows: text('{"rows":['),
  closeRows: text(']}'),
  open: text('{"features":{'),
  statuses: text('},"statuses":{'),
  times: text('},"event_times":{'),
  close: text('}}'),
} as const;

/** One of each for all services of a process: an answer is written in one go. */
const OUT: Readonly<Record<Int64Form, JsonBytes>> = { number: new JsonBytes(), text: new TextInt64Bytes() };

export type WriteFeatures = (source: FeatureSource, layout: Layout) => Buffer;

/** Of answers whose int64 have the form. */
export function compileAnswerWriter(service: ResolvedService, int64: Int64Form = 'number'): WriteFeatures {
  const out = OUT[int64];
  const names = membersOf(service.features.map(({ name }) => name));
  const times = viewTimes(service);
  const roles = membersOf(times.map(({ role }) => role));
  const size = service.features.length;
  /** Of the answer under way: by feature, or by feature and row, what isn't PRESENT. */
  let codes = new Uint8Array(size);

  const writeRow = (source: FeatureSource, row: number): void => {
    out.raw(PARTS.open);
    for (let i = 0; i < size; i++) {
      out.raw((i === 0 ? names.first : names.later)[i] as Buffer);
      codes[i] = source.give(row, i, out);
    }
    out.raw(PARTS.statuses);
    let isFirst = true;
    for (let i = 0; i < size; i++) {
      if (codes[i] === PRESENT) continue;
      out.raw((isFirst ? names.first : names.later)[i] as Buffer);
      out.raw(STATUS_TEXTS[codes[i] as number] as Buffer);
      isFirst = false;
    }
    out.raw(PARTS.times);
    for (let i = 0; i < times.length; i++) {
      out.raw((i === 0 ? roles.first : roles.later)[i] as Buffer);
      writeTimeOf(out, source, row, (times[i] as ViewTime).read);
    }
    out.raw(PARTS.close);
  };

  const writeRows = (source: FeatureSource): void => {
    out.raw(PARTS.openRows);
    for (let row = 0; row < source.rows; row++) {
      if (row > 0) out.byte(COMMA);
      writeRow(source, row);
    }
    out.raw(PARTS.closeRows);
  };

  const writeColumns = (source: FeatureSource): void => {
    const { rows } = source;
    if (codes.length < size * rows) codes = new Uint8Array(size * rows);
    const isAbsent = new Array<boolean>(size).fill(false);
    out.raw(PARTS.open);
    for (let i = 0; i < size; i++) {
      out.raw((i === 0 ? names.first : names.later)[i] as Buffer);
      out.byte(OPEN_ARRAY);
      for (let row = 0; row < rows; row++) {
        if (row > 0) out.byte(COMMA);
        const code = source.give(row, i, out);
        codes[i * rows + row] = code;
        if (code !== PRESENT) isAbsent[i] = true;
      }
      out.byte(CLOSE_ARRAY);
    }
    out.raw(PARTS.statuses);
    let isFirst = true;
    for (let i = 0; i < size; i++) {
      if (isAbsent[i] === false) continue;
      out.raw((isFirst ? names.first : names.later)[i] as Buffer);
      isFirst = false;
      writeArray(out, rows, (row) => out.raw(STATUS_TEXTS[codes[i * rows + row] as number] as Buffer));
    }
    out.raw(PARTS.times);
    for (let i = 0; i < times.length; i++) {
      const { read } = times[i] as ViewTime;
      out.raw((i === 0 ? roles.first : roles.later)[i] as Buffer);
      writeArray(out, rows, (row) => writeTimeOf(out, source, row, read));
    }
    out.raw(PARTS.close);
  };

  return (source, layout) => {
    try {
      if (layout === 'rows') writeRows(source);
      else writeColumns(source);
      return out.take();
    } finally {
      out.reset();
    }
  };
}

function writeArray(out: JsonBytes, size: number, write: (at: number) => void): void {
  out.byte(OPEN_ARRAY);
  for (let at = 0; at < size; at++) {
    if (at > 0) out.byte(COMMA);
    write(at);
  }
  out.byte(CLOSE_ARRAY);
}

function writeTimeOf(out: JsonBytes, source: FeatureSource, row: number, read: number): void {
  const micros = source.eventMicros(row, read);
  if (micros === null) out.none();
  else out.timestamp(micros);
}
