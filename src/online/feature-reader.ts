// A service's stored features for rows of keys, at a time: one read of the store for all rows and views, decoded
// straight into arrays. Compiled once per service; answers without a promise when the store does.

import { type EncodedKey, HeadraceError, type Micros } from '../core/index.ts';
import type { Manifest, ResolvedService } from '../definitions/index.ts';
import { describeKey } from './describe-key.ts';
import type { FullRecord, OnlineStore, RecordRef, StoredRecord } from './online-store.ts';
import { createRecordReader, NeedsEvents, type ReadView, type RecordReader } from './record-reader.ts';
import { schemaDirectory, UnknownSchema } from './schema-directory.ts';
import { createViewCodec, type ViewCodec } from './view-codec.ts';

/** One row's reads, in the service's order of `reads`. */
export type ReadRow = readonly ReadView[];

export interface FeatureReader {
  /**
   * Reads every key at `at`. `keys[row][read]` is undefined for a null key: all of that view's values are null.
   * `asOf` gives the watermark of a scheduled view. Only features that the service uses are computed; the others of a
   * view are null. Throws HR_ONLINE_UNAVAILABLE, HR_INTEGER_OVERFLOW.
   */
  read(
    keys: readonly (readonly (EncodedKey | undefined)[])[],
    at: Micros,
    asOf: (view: string) => Micros | undefined,
  ): ReadRow[] | Promise<ReadRow[]>;
}

export function createFeatureReader(manifest: Manifest, service: ResolvedService, store: OnlineStore): FeatureReader {
  const schemas = schemaDirectory(store);
  const codecs = service.reads.map((read) => createViewCodec(manifest, read.view.name));
  const readers = codecs.map((codec, read) => createRecordReader(codec, schemas, usedFeatures(service, read)));
  const width = readers.length;

  const readOne = (
    read: number,
    ref: RecordRef,
    record: StoredRecord,
    at: Micros,
    asOf: Micros | undefined,
  ): ReadView => {
    try {
      return (readers[read] as RecordReader).read(record, at, asOf);
    } catch (error) {
      throw nameKey(error, codecs[read] as ViewCodec, ref);
    }
  };

  // The rare record that needs more than it brought: an older schema's description, or its events one by one.
  const readAgain = async (
    read: number,
    ref: RecordRef,
    record: StoredRecord,
    at: Micros,
    asOf: Micros | undefined,
  ): Promise<ReadView> => {
    let current: StoredRecord | FullRecord | undefined = record;
    for (;;) {
      if (current === undefined) return (readers[read] as RecordReader).absent(false);
      try {
        return readOne(read, ref, current, at, asOf);
      } catch (error) {
        if (error instanceof UnknownSchema) await schemas.load(error.fingerprint);
        else if (error instanceof NeedsEvents) [current] = await store.readFull([ref]);
        else throw error;
      }
    }
  };

  const finish = (
    refs: readonly RecordRef[],
    places: readonly number[],
    records: readonly (StoredRecord | undefined)[],
    rows: ReadView[][],
    at: Micros,
    asOf: readonly (Micros | undefined)[],
  ): ReadRow[] | Promise<ReadRow[]> => {
    let pending: Promise<void>[] | undefined;
    for (let i = 0; i < refs.length; i++) {
      const place = places[i] as number;
      const read = place % width;
      const row = rows[(place - read) / width] as ReadView[];
      const record = records[i];
      if (record === undefined) continue;
      const ref = refs[i] as RecordRef;
      try {
        row[read] = readOne(read, ref, record, at, asOf[read]);
      } catch (error) {
        if (!(error instanceof UnknownSchema || error instanceof NeedsEvents)) throw error;
        const again = readAgain(read, ref, record, at, asOf[read]).then((found) => {
          row[read] = found;
        });
        (pending ??= []).push(again);
      }
    }
    return pending === undefined ? rows : Promise.all(pending).then(() => rows);
  };

  return {
    read(keys, at, asOf) {
      const refs: RecordRef[] = [];
      const places: number[] = [];
      const rows: ReadView[][] = new Array<ReadView[]>(keys.length);
      const watermarks = codecs.map((codec) => (codec.isLive ? undefined : asOf(codec.view.name)));
      for (let row = 0; row < keys.length; row++) {
        const own: ReadView[] = new Array<ReadView>(width);
        rows[row] = own;
        for (let read = 0; read < width; read++) {
          const key = keys[row]?.[read];
          own[read] = (readers[read] as RecordReader).absent(key === undefined);
          if (key === undefined) continue;
          const { view } = codecs[read] as ViewCodec;
          refs.push({ entity: view.entity, key, view: view.name });
          places.push(row * width + read);
        }
      }
      if (refs.length === 0) return rows;
      const records = store.read(refs);
      return records instanceof Promise
        ? records.then((found) => finish(refs, places, found, rows, at, watermarks))
        : finish(refs, places, records, rows, at, watermarks);
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
