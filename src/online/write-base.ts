// Materialize's half of a record: the base layer, replaced whole as of a watermark, in the same atomic change in
// which the pushed events that it covers are dropped. Running it twice is harmless.

import type { EncodedKey, Micros } from '../core/index.ts';
import { ByteWriter } from './bytes.ts';
import { foldPushed } from './fold-events.ts';
import { layerStamp, writeLayer } from './layer.ts';
import type { FullRecord, OnlineStore, RecordChange, RecordRef } from './online-store.ts';
import { type LoggedEvent, parseEvents, writeEvents } from './pushed-events.ts';
import { type SchemaDirectory, schemaDirectory } from './schema-directory.ts';
import type { BaseRow, ViewCodec } from './view-codec.ts';
import { withSchemas } from './with-schemas.ts';
import type { WriteSummary } from './write-summary.ts';

/**
 * Replaces the base of each key by the state computed as of `asOf` (known times up to it, inclusive); a key with
 * neither a row nor tiles has none. A record whose base is of a later time is left alone. The rows' tiles may be
 * reused by the caller as soon as this returns. Resolves once durable.
 */
export async function writeBase(
  store: OnlineStore,
  codec: ViewCodec,
  rows: readonly BaseRow<EncodedKey>[],
  asOf: Micros,
): Promise<WriteSummary> {
  const bases = rows.map((row) => packBase(codec, row, asOf));
  const refs = rows.map((row) => refOf(codec, row.key));
  const schemas = schemaDirectory(store);
  await schemas.publish(codec.rowCodec.schema);
  const written = await withSchemas(schemas, () =>
    store.update(refs, (current, index) => {
      if (layerStamp(current?.base) > asOf) return null;
      return { ...keepUncovered(codec, current, asOf, schemas), base: bases[index] };
    }),
  );
  return { written, skipped: rows.length - written };
}

/**
 * Ends a run after its last `writeBase`: every record of the view loses the pushed events that the run covers, also
 * where the run had no row for the key. With `isFull`, a base that the run did not replace is removed: its key is gone
 * from the source. Set the watermark after this.
 */
export async function finishBase(
  store: OnlineStore,
  codec: ViewCodec,
  asOf: Micros,
  { isFull }: { readonly isFull: boolean },
): Promise<WriteSummary> {
  // An incremental run of a view that nothing was ever pushed to has nothing to drop: no scan.
  if (!isFull && (await store.getMeta(pushedMark(codec.view.name))) === undefined) return { written: 0, skipped: 0 };
  const schemas = schemaDirectory(store);
  let written = 0;
  let batch: RecordRef[] = [];
  const flush = async (): Promise<void> => {
    written += await withSchemas(schemas, () =>
      store.update(batch, (current) =>
        isStale(current, asOf, isFull) ? settle(codec, current, asOf, isFull, schemas) : null,
      ),
    );
    batch = [];
  };
  for await (const { key, record } of store.scan(codec.view.entity, codec.view.name)) {
    if (!isStale(record, asOf, isFull)) continue;
    batch.push(refOf(codec, key));
    if (batch.length === 256) await flush();
  }
  if (batch.length > 0) await flush();
  return { written, skipped: 0 };
}

/** Name of the note in the store that the view has ever been pushed to. */
export function pushedMark(view: string): string {
  return `pushed/${view}`;
}

function isStale(record: FullRecord | undefined, asOf: Micros, isFull: boolean): record is FullRecord {
  if (record === undefined) return false;
  if (isFull && record.base !== undefined && layerStamp(record.base) < asOf) return true;
  return parseEvents(record.pushedLog).some((event) => event.knownMicros <= asOf);
}

function settle(
  codec: ViewCodec,
  current: FullRecord,
  asOf: Micros,
  isFull: boolean,
  schemas: SchemaDirectory,
): RecordChange {
  const isGone = isFull && layerStamp(current.base) < asOf;
  return { ...keepUncovered(codec, current, asOf, schemas), base: isGone ? undefined : current.base };
}

/** The pushed parts of a record without the events known by `asOf`. */
function keepUncovered(
  codec: ViewCodec,
  current: FullRecord | undefined,
  asOf: Micros,
  schemas: SchemaDirectory,
): Omit<RecordChange, 'base'> {
  const expiresAtMicros = codec.expiresAtMicros();
  const expiry = expiresAtMicros === undefined ? {} : { expiresAtMicros };
  const events = parseEvents(current?.pushedLog);
  const left = events.filter((event) => event.knownMicros > asOf);
  if (left.length === events.length && events.length > 0) {
    return { pushed: current?.pushed, pushedLog: current?.pushedLog, ...expiry };
  }
  return { pushed: foldPushed(codec, left, schemas), pushedLog: packLog(left), ...expiry };
}

const logWriter = new ByteWriter();

/** A record's pushed events as bytes; undefined for none. */
export function packLog(events: readonly LoggedEvent[]): Uint8Array | undefined {
  if (events.length === 0) return undefined;
  logWriter.reset();
  writeEvents(logWriter, events);
  return logWriter.take();
}

const baseWriter = new ByteWriter();

function packBase(codec: ViewCodec, { latest, tiles }: BaseRow<EncodedKey>, asOf: Micros): Uint8Array {
  const { aggregator, tilesFingerprint } = codec;
  baseWriter.reset();
  writeLayer(baseWriter, {
    stamp: asOf,
    row: latest === null ? undefined : codec.packRow(latest),
    // A key that exists has tiles, empty ones too: without them a reader could not tell none from never counted.
    tiles:
      aggregator === null || (tiles === null && latest === null)
        ? undefined
        : { fingerprint: tilesFingerprint, bytes: aggregator.encode(tiles ?? aggregator.create()) },
  });
  return baseWriter.take();
}

export function refOf(codec: ViewCodec, key: EncodedKey): RecordRef {
  return { entity: codec.view.entity, key, view: codec.view.name };
}
