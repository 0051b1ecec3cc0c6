// A service's stored features for rows of keys, at a time: one read of the store for all rows and views, decoded
// straight into arrays. Compiled once per service; answers without a promise when the store does.

import type { Micros } from '../../core/index.ts';
import type { Manifest, ResolvedService } from '../../definitions/index.ts';
import type { OnlineStore, RecordRef, RecordTaker, StoredRecord, WantedVersion } from '../online-store.ts';
import type { RecordDirectory } from './record-directory.ts';
import { Placed, type PlacedReads } from './placed-reads.ts';
import { nameKey, PlacedTaker, type RowKeys } from './placed-taker.ts';
import { createRecordReader, type ReadView, type RecordReader } from './record-reader.ts';
import { createViewCodec, type ViewCodec } from './view-codec.ts';

/** A store's two ways to read; what is no store may have the first alone. */
export type RecordSource = Pick<OnlineStore, 'read'> & Partial<Pick<OnlineStore, 'readRows'>>;

/** One row's reads, in the service's order of `reads`. */
export type ReadRow = readonly ReadView[];

export interface FeatureReader {
  /**
   * Reads every key at `at`. `keys[row][read]` is undefined for a null key: all of that view's values are null. Only
   * features that the service uses are computed; the others of a view are null. `skew` is how far ahead of this clock that
   * of the server may be that took a push: what it answered is seen here. Throws HR_ONLINE_UNAVAILABLE,
   * HR_STORAGE_UNAVAILABLE (a run not met before, and no registry to ask), HR_INTEGER_OVERFLOW.
   */
  read(keys: RowKeys, at: Micros, skew?: Micros): ReadRow[] | Promise<ReadRow[]>;
  /** As `read`, for an answer that is written straight from the records. */
  place(keys: RowKeys, at: Micros, skew?: Micros): PlacedReads | Promise<PlacedReads>;
}

/** Takes what is found of one place; false when the directory lacks something. */
type Take = (place: number, ref: RecordRef, record: StoredRecord) => boolean;

interface Asked {
  readonly refs: readonly RecordRef[];
  readonly places: readonly number[];
}

/** A record that could not be read yet, and its place among all reads. */
interface Pending {
  readonly place: number;
  readonly ref: RecordRef;
  readonly record: StoredRecord;
}

export function createFeatureReader(
  manifest: Manifest,
  service: ResolvedService,
  store: RecordSource,
  directory: RecordDirectory,
): FeatureReader {
  const codecs = service.reads.map((read) => createViewCodec(manifest, read.view.name));
  const readers = codecs.map((codec, read) => createRecordReader(codec, directory, usedFeatures(service, read)));
  const width = readers.length;
  const wanted = codecs.map(({ recordsOf: entity, version }): WantedVersion => ({ entity, version }));
  const types = service.reads.map(({ view }) => view.features.map(({ type }) => type));

  const takeInto =
    (rows: ReadView[][], at: Micros, skew: Micros): Take =>
    (place, ref, record) => {
      const read = place % width;
      let found: ReadView | undefined;
      try {
        found = (readers[read] as RecordReader).read(record, at, skew);
      } catch (error) {
        throw nameKey(error, codecs[read] as ViewCodec, ref.key);
      }
      if (found === undefined) return false;
      (rows[(place - read) / width] as ReadView[])[read] = found;
      return true;
    };

  // Rare: a run or a schema that this process meets for the first time.
  const takePending = async <T>(pending: readonly Pending[], take: Take, answer: T): Promise<T> => {
    for (let left = pending; left.length > 0; ) {
      await directory.load();
      left = left.filter(({ place, ref, record }) => !take(place, ref, record));
    }
    return answer;
  };

  const finish = <T>(
    { refs, places }: Asked,
    records: readonly (StoredRecord | undefined)[],
    take: Take,
    answer: T,
  ): T | Promise<T> => {
    let pending: Pending[] | undefined;
    for (let i = 0; i < refs.length; i++) {
      const record = records[i];
      if (record === undefined) continue;
      const place = places[i] as number;
      const ref = refs[i] as RecordRef;
      if (!take(place, ref, record)) (pending ??= []).push({ place, ref, record });
    }
    return pending === undefined ? answer : takePending(pending, take, answer);
  };

  const readAll = <T>(asked: Asked, take: Take, answer: T): T | Promise<T> => {
    if (asked.refs.length === 0) return answer;
    const records = store.read(asked.refs);
    return records instanceof Promise
      ? records.then((found) => finish(asked, found, take, answer))
      : finish(asked, records, take, answer);
  };

  return {
    read(keys, at, skew = 0) {
      const refs: RecordRef[] = [];
      const places: number[] = [];
      const rows: ReadView[][] = new Array<ReadView[]>(keys.length);
      for (let row = 0; row < keys.length; row++) {
        const own: ReadView[] = new Array<ReadView>(width);
        rows[row] = own;
        for (let read = 0; read < width; read++) {
          const key = keys[row]?.[read];
          own[read] = (readers[read] as RecordReader).absent(key === undefined);
          if (key === undefined) continue;
          const { recordsOf, version } = codecs[read] as ViewCodec;
          refs.push({ entity: recordsOf, key, version });
          places.push(row * width + read);
        }
      }
      return readAll({ refs, places }, takeInto(rows, at, skew), rows as ReadRow[]);
    },
    place(keys, at, skew = 0) {
      const placed = new Placed(keys.length, readers, types);
      for (let row = 0; row < keys.length; row++)
        for (let read = 0; read < width; read++)
          if (keys[row]?.[read] === undefined) placed.putView(row, read, (readers[read] as RecordReader).absent(true));
      const taker = new PlacedTaker({ placed, readers, codecs, keys, at, skew });
      const finish = (): PlacedReads | Promise<PlacedReads> => taker.finish(directory);
      const reading = readRows(store, wanted, keys, taker);
      return reading instanceof Promise ? reading.then(finish) : finish();
    },
  };
}

/** By the store's own way where it has one. */
function readRows(
  store: RecordSource,
  wanted: readonly WantedVersion[],
  keys: RowKeys,
  taker: RecordTaker,
): void | Promise<void> {
  if (store.readRows !== undefined) return store.readRows(wanted, keys, taker);
  const refs: RecordRef[] = [];
  const places: (readonly [row: number, read: number])[] = [];
  for (const [row, own] of keys.entries()) {
    for (const [read, key] of own.entries()) {
      if (key === undefined) continue;
      refs.push({ ...(wanted[read] as WantedVersion), key });
      places.push([row, read]);
    }
  }
  if (refs.length === 0) return undefined;
  const take = (records: readonly (StoredRecord | undefined)[]): void => {
    for (const [i, record] of records.entries()) {
      const [row, read] = places[i] as (typeof places)[number];
      if (record !== undefined) taker.record(row, read, record);
    }
  };
  const records = store.read(refs);
  return records instanceof Promise ? records.then(take) : take(records);
}

/** Features of a read that the service answers with, or that an on-demand view takes as input. */
function usedFeatures(service: ResolvedService, read: number): number[] {
  const all = service.reads[read]?.view.features.map((_, index) => index) ?? [];
  const feedsTransform = service.onDemand.some((transform) =>
    transform.inputs.some((input) => input.kind === 'read' && input.read === read),
  );
  if (feedsTransform) return all;
  const used = new Set(
    service.features.flatMap(({ from }) => (from.kind === 'read' && from.read === read ? [from.feature] : [])),
  );
  return all.filter((feature) => used.has(feature));
}
