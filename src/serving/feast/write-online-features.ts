// The answer of POST /get-online-features as bytes, compiled for a service: join keys first, then its features, each with its
// values, statuses and the times of the records that they were read from. Values go from the records into the answer.

import { type Field, HeadraceError } from '../../core/index.ts';
import type { ResolvedService } from '../../definitions/index.ts';
import { PRESENT, STATUSES } from '../../online/index.ts';
import type { FeaturesRead } from '../features/read-features.ts';
import type { LentBytes } from '../json-bytes.ts';
import type { RequestRow } from '../row-parser.ts';
import { FeastBytes } from './feast-bytes.ts';
import { inFeastsName } from './feast-errors.ts';

type WriteOnlineFeatures = (read: Pick<FeaturesRead, 'source' | 'rows'>) => LentBytes;

interface Writers {
  short?: WriteOnlineFeatures;
  full?: WriteOnlineFeatures;
}

const writers = new WeakMap<ResolvedService, Writers>();

/**
 * What was read, as Feast's server answers it. `isFull`: features are `view__feature` and not just `feature`. Throws HR_INVALID
 * where two features have one short name.
 */
export function writeOnlineFeatures(read: FeaturesRead, isFull: boolean): LentBytes {
  const { service } = read;
  let own = writers.get(service);
  if (own === undefined) writers.set(service, (own = {}));
  const write = isFull ? (own.full ??= compile(service, true)) : (own.short ??= compile(service, false));
  return write(read);
}

const text = (value: string): Buffer => Buffer.from(value);
const COMMA = 44;
const OPEN = text('{"values":[');
const STATUS = text('],"statuses":[');
const TIMES = text('],"event_timestamps":[');
const NEXT = text(']},{"values":[');
const END = text(']}]}');
const NOTHING = text(']}');
const STATUS_TEXTS = STATUSES.map((status) => text(`"${status}"`));
const NULL_VALUE = STATUSES.indexOf('NULL_VALUE');
/** Of what no record has: a join key, and what a function computes. */
const NO_TIME = text('"1970-01-01T00:00:00Z"');

/** One for all services of a process: an answer is written in one go. */
const out = new FeastBytes();

interface JoinKey {
  readonly field: Field;
  /** Its place in a request row. */
  readonly place: number;
}

function compile(service: ResolvedService, isFull: boolean): WriteOnlineFeatures {
  const { features } = service;
  const keys = joinKeysOf(service);
  const names = [...keys.map(({ field }) => field.name), ...featureNames(service, isFull)];
  const head = text(`{"metadata":{"feature_names":${JSON.stringify(names)}},"results":[`);
  const floats = features.map(({ type }) => isFloat(type.kind));
  const reads = features.map(({ from }) => (from.kind === 'read' ? from.read : undefined));
  const present = repeated(STATUS_TEXTS[PRESENT] as Buffer);
  const noTimes = repeated(NO_TIME);
  let codes = new Uint8Array(0);
  /**
   * Of the answer under way, where each read's times were written, and where what follows the values of a feature of it that all
   * rows have: its statuses, the same times, and the start of the next column. From and to; 0 before it was.
   */
  const timesAt = new Int32Array(2 * service.reads.length);
  const restAt = new Int32Array(2 * service.reads.length);

  const writeKey = ({ field, place }: JoinKey, rows: readonly RequestRow[]): void => {
    out.isPointed = isFloat(field.type.kind);
    for (let row = 0; row < rows.length; row++) {
      if (row > 0) out.byte(COMMA);
      out.value(field.type, (rows[row] as RequestRow)[place] ?? null);
    }
    out.raw(STATUS);
    for (let row = 0; row < rows.length; row++) {
      if (row > 0) out.byte(COMMA);
      const isNull = ((rows[row] as RequestRow)[place] ?? null) === null;
      out.raw(STATUS_TEXTS[isNull ? NULL_VALUE : PRESENT] as Buffer);
    }
    out.raw(TIMES);
    out.raw(noTimes(rows.length));
    out.raw(NEXT);
  };

  /** Whether all rows have it. */
  const writeValues = (source: FeaturesRead['source'], feature: number): boolean => {
    const { rows } = source;
    out.isPointed = floats[feature] as boolean;
    let isPresent = true;
    for (let row = 0; row < rows; row++) {
      if (row > 0) out.byte(COMMA);
      const code = source.give(row, feature, out);
      codes[row] = code;
      if (code !== PRESENT) isPresent = false;
    }
    return isPresent;
  };

  const writeStatuses = (rows: number): void => {
    for (let row = 0; row < rows; row++) {
      if (row > 0) out.byte(COMMA);
      out.raw(STATUS_TEXTS[codes[row] as number] as Buffer);
    }
  };

  const writeTimes = (source: FeaturesRead['source'], read: number): void => {
    const from = timesAt[2 * read] as number;
    if (from > 0) {
      out.again(from, timesAt[2 * read + 1] as number);
      return;
    }
    timesAt[2 * read] = out.length;
    for (let row = 0; row < source.rows; row++) {
      if (row > 0) out.byte(COMMA);
      const micros = source.eventMicros(row, read);
      if (micros === null) out.raw(NO_TIME);
      else out.time(micros);
    }
    timesAt[2 * read + 1] = out.length;
  };

  const writeFeature = (source: FeaturesRead['source'], feature: number): void => {
    const isPresent = writeValues(source, feature);
    const read = reads[feature];
    const known = isPresent && read !== undefined ? (restAt[2 * read] as number) : 0;
    if (known > 0) {
      out.again(known, restAt[2 * (read as number) + 1] as number);
      return;
    }
    const from = out.length;
    out.raw(STATUS);
    if (isPresent) out.raw(present(source.rows));
    else writeStatuses(source.rows);
    out.raw(TIMES);
    if (read === undefined) out.raw(noTimes(source.rows));
    else writeTimes(source, read);
    out.raw(NEXT);
    if (!isPresent || read === undefined) return;
    restAt[2 * read] = from;
    restAt[2 * read + 1] = out.length;
  };

  return ({ source, rows }) => {
    if (codes.length < rows.length) codes = new Uint8Array(rows.length);
    timesAt.fill(0);
    restAt.fill(0);
    try {
      out.raw(head);
      if (names.length === 0) out.raw(NOTHING);
      else {
        out.raw(OPEN);
        for (const key of keys) writeKey(key, rows);
        for (let feature = 0; feature < features.length; feature++) writeFeature(source, feature);
        // None follows the last.
        out.length -= NEXT.length;
        out.raw(END);
      }
      return out.lend();
    } finally {
      out.reset();
    }
  };
}

/** Request columns by which stored views are read, in the service's order. */
function joinKeysOf({ requestColumns, reads }: ResolvedService): readonly JoinKey[] {
  const names = new Set(reads.flatMap(({ keyColumns }) => keyColumns));
  return requestColumns.map((field, place) => ({ field, place })).filter(({ field }) => names.has(field.name));
}

function featureNames({ features }: ResolvedService, isFull: boolean): readonly string[] {
  const names = features.map(({ name }) => (isFull ? name : name.slice(name.indexOf('__') + 2)));
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice === undefined) return names;
  const hint = isFull
    ? 'Ask for it once'
    : 'Ask with "full_feature_names": true, which tells them apart by their views';
  const sentence = `two of the features are named "${twice}". ${hint}.`;
  throw inFeastsName('FeatureNameCollisionError', new HeadraceError('HR_INVALID', sentence));
}

function isFloat(kind: Field['type']['kind']): boolean {
  return kind === 'float32' || kind === 'float64';
}

/** The item so many times, with commas between: the last number's is kept, as most requests are of one size. */
function repeated(item: Buffer): (times: number) => Buffer {
  let size = -1;
  let kept: Buffer = Buffer.alloc(0);
  return (times) => {
    if (times !== size) {
      kept = text(new Array<string>(times).fill(item.toString()).join(','));
      size = times;
    }
    return kept;
  };
}
