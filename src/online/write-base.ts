// Materialize's half of a record: the base layer, replaced whole as of a watermark, in the same atomic change in
// which the pushed events that it covers are dropped. Running it twice is harmless.

import type { EncodedKey, Micros } from '../core/index.ts';
import { ByteWriter } from './bytes.ts';
import { foldPushed } from './fold-events.ts';
import { baseCoverage, type Coverage, writeLayer } from './layer.ts';
import type { FullRecord, OnlineStore, RecordChange, RecordRef } from './online-store.ts';
import { isCovered, type LoggedEvent, parseEvents, writeEvents } from './pushed-events.ts';
import { type SchemaDirectory, schemaDirectory } from './schema-directory.ts';
import type { BaseRow, ViewCodec } from './view-codec.ts';
import { withSchemas } from './with-schemas.ts';
import type { WriteSummary } from './write-summary.ts';

/**
 * Replaces the base of each key by the state computed as of `asOf` (known times up to it, inclusive); a key with
 * neither a row nor tiles has none. `through` is for sources that keep their pushes: the arrival up to which pushed
 * events were read; a push that came later stays beside the base however early its known time. A record whose base is
 * of a later time is left alone. The rows' tiles may be reused by the caller as soon as this returns. Resolves once
 * durable.
 */
export async function writeBase(
  store: OnlineStore,
  codec: ViewCodec,
  rows: readonly BaseRow<EncodedKey>[],
  asOf: Micros,
  through: Micros = Infinity,
): Promise<WriteSummary> {
  const coverage = { asOf, through };
  const bases = rows.map((row) => packBase(codec, row, coverage));
  const refs = rows.map((row) => refOf(codec, row.key));
  const schemas = schemaDirectory(store);
  await schemas.publish(codec.rowCodec.schema);
  const written = await withSchemas(schemas, () =>
    store.update(refs, (current, index) => {
      if (isPast(baseCoverage(current?.base), coverage)) return null;
      return { ...keepUncovered(codec, current, coverage, schemas), base: bases[index] };
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
  { isFull, through = Infinity }: { readonly isFull: boolean; readonly through?: Micros },
): Promise<WriteSummary> {
  const coverage = { asOf, through };
  // An incremental run of a view that nothing was ever pushed to has nothing to drop: no scan.
  if (!isFull && (await store.getMeta(pushedMark(codec.view.name))) === undefined) return { written: 0, skipped: 0 };
  const schemas = schemaDirectory(store);
  let written = 0;
  let batch: RecordRef[] = [];
  const flush = async (): Promise<void> => {
    written += await withSchemas(schemas, () =>
      store.update(batch, (current) =>
        isStale(current, coverage, isFull) ? settle(codec, current, coverage, isFull, schemas) : null,
      ),
    );
    batch = [];
  };
  for await (const { key, record } of store.scan(codec.view.entity, codec.view.name)) {
    if (!isStale(record, coverage, isFull)) continue;
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

/** Whether a base already stands where a run of `run` would put it back. */
function isPast(base: Coverage, run: Coverage): boolean {
  return base.asOf > run.asOf || (base.asOf === run.asOf && base.through > run.through);
}

function isStale(record: FullRecord | undefined, run: Coverage, isFull: boolean): record is FullRecord {
  if (record === undefined) return false;
  const base = baseCoverage(record.base);
  // The run left this record alone, so it says nothing of what was pushed to it.
  if (isPast(base, run)) return false;
  if (isFull && record.base !== undefined && base.asOf < run.asOf) return true;
  return parseEvents(record.pushedLog).some((event) => isCovered(event, run));
}

function settle(
  codec: ViewCodec,
  current: FullRecord,
  run: Coverage,
  isFull: boolean,
  schemas: SchemaDirectory,
): RecordChange {
  const isGone = isFull && baseCoverage(current.base).asOf < run.asOf;
  return { ...keepUncovered(codec, current, run, schemas), base: isGone ? undefined : current.base };
}

/** The pushed parts of a record without the events that a base of `coverage` holds. */
function keepUncovered(
  codec: ViewCodec,
  current: FullRecord | undefined,
  coverage: Coverage,
  schemas: SchemaDirectory,
): Omit<RecordChange, 'base'> {
  const expiresAtMicros = codec.expiresAtMicros();
  const expiry = expiresAtMicros === undefined ? {} : { expiresAtMicros };
  const events = parseEvents(current?.pushedLog);
  const left = events.filter((event) => !isCovered(event, coverage));
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

function packBase(codec: ViewCodec, { latest, tiles }: BaseRow<EncodedKey>, { asOf, through }: Coverage): Uint8Array {
  const { aggregator, tilesFingerprint } = codec;
  baseWriter.reset();
  writeLayer(baseWriter, {
    stamp: asOf,
    through,
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
