// A service's stored features for rows of keys, at a time: one read of the store for all rows and views, decoded
// straight into arrays. Compiled once per service; answers without a promise when the store does.

import { type EncodedKey, HeadraceError, type Micros } from '../../core/index.ts';
import type { Manifest, ResolvedService } from '../../definitions/index.ts';
import type { OnlineStore, RecordRef, StoredRecord } from '../online-store.ts';
import { describeKey } from './describe-key.ts';
import type { RecordDirectory } from './record-directory.ts';
import { createRecordReader, type ReadView, type RecordReader } from './record-reader.ts';
import { createViewCodec, type ViewCodec } from './view-codec.ts';

/** One row's reads, in the service's order of `reads`. */
export type ReadRow = readonly ReadView[];

export interface FeatureReader {
  /**
   * Reads every key at `at`. `keys[row][read]` is undefined for a null key: all of that view's values are null. Only
   * features that the service uses are computed; the others of a view are null. `skew` is how far ahead of this clock that
   * of the server may be that took a push: what it answered is seen here. Throws HR_ONLINE_UNAVAILABLE,
   * HR_STORAGE_UNAVAILABLE (a run not met before, and no registry to ask), HR_INTEGER_OVERFLOW.
   */
  read(
    keys: readonly (readonly (EncodedKey | undefined)[])[],
    at: Micros,
    skew?: Micros,
  ): ReadRow[] | Promise<ReadRow[]>;
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
  store: Pick<OnlineStore, 'read'>,
  directory: RecordDirectory,
): FeatureReader {
  const codecs = service.reads.map((read) => createViewCodec(manifest, read.view.name));
  const readers = codecs.map((codec, read) => createRecordReader(codec, directory, usedFeatures(service, read)));
  const width = readers.length;

  const readOne = (
    place: number,
    ref: RecordRef,
    record: StoredRecord,
    at: Micros,
    skew: Micros,
  ): ReadView | undefined => {
    const read = place % width;
    try {
      return (readers[read] as RecordReader).read(record, at, skew);
    } catch (error) {
      throw nameKey(error, codecs[read] as ViewCodec, ref);
    }
  };

  const put = (rows: ReadView[][], place: number, found: ReadView): void => {
    const read = place % width;
    (rows[(place - read) / width] as ReadView[])[read] = found;
  };

  // Rare: a run or a schema that this process meets for the first time.
  const readPending = async (
    pending: readonly Pending[],
    rows: ReadView[][],
    at: Micros,
    skew: Micros,
  ): Promise<ReadRow[]> => {
    for (let left = pending; left.length > 0; ) {
      await directory.load();
      left = left.filter(({ place, ref, record }) => {
        const found = readOne(place, ref, record, at, skew);
        if (found !== undefined) put(rows, place, found);
        return found === undefined;
      });
    }
    return rows;
  };

  const finish = (
    refs: readonly RecordRef[],
    places: readonly number[],
    records: readonly (StoredRecord | undefined)[],
    rows: ReadView[][],
    at: Micros,
    skew: Micros,
  ): ReadRow[] | Promise<ReadRow[]> => {
    let pending: Pending[] | undefined;
    for (let i = 0; i < refs.length; i++) {
      const record = records[i];
      if (record === undefined) continue;
      const place = places[i] as number;
      const ref = refs[i] as RecordRef;
      const found = readOne(place, ref, record, at, skew);
      if (found !== undefined) put(rows, place, found);
      else (pending ??= []).push({ place, ref, record });
    }
    return pending === undefined ? rows : readPending(pending, rows, at, skew);
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
      if (refs.length === 0) return rows;
      const records = store.read(refs);
      return records instanceof Promise
        ? records.then((found) => finish(refs, places, found, rows, at, skew))
        : finish(refs, places, records, rows, at, skew);
    },
  };
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

function nameKey(error: unknown, codec: ViewCodec, ref: RecordRef): unknown {
  if (!(error instanceof HeadraceError) || error.code !== 'HR_INTEGER_OVERFLOW') return error;
  const key = describeKey(codec.entity, ref.key);
  return new HeadraceError('HR_INTEGER_OVERFLOW', `${error.message} (key ${key})`, { cause: error });
}
