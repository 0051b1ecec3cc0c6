// Everything about how one view's records are packed, compiled once: row schemas, aggregator, expiry.

import { type Clock, type DataType, MICROS_PER_DAY, type Micros, sha256Hex, systemClock } from '../core/index.ts';
import { type Aggregator, compileAggregator, type TileState } from '../aggregation/index.ts';
import type { EntitySpec, Manifest, SourceSpec, ViewSpec } from '../definitions/index.ts';
import { ByteWriter } from './bytes.ts';
import type { TilesFingerprint } from './layer.ts';
import { compileRowCodec, type PackedRow, type RowCodec } from './row-codec.ts';
import { type RowSchema, sourceRowSchema } from './row-schema.ts';

export interface ViewCodec {
  readonly view: ViewSpec;
  readonly entity: EntitySpec;
  readonly source: SourceSpec;
  readonly keyTypes: readonly DataType[];
  /** Only these take pushes at once; a scheduled view waits for its materialize. */
  readonly isLive: boolean;
  readonly aggregator: Aggregator | null;
  /** Source columns of the view's `latest` features, each once: the order of a latest row's values. */
  readonly latestColumns: readonly string[];
  /** Source columns that a pushed event keeps: of `latest` features and of windows. */
  readonly eventColumns: readonly string[];
  /** Index in `eventColumns` of each of the aggregator's inputs, and of each of `latestColumns`. */
  readonly inputPlaces: readonly number[];
  readonly latestPlaces: readonly number[];
  readonly rowCodec: RowCodec;
  readonly eventCodec: RowCodec;
  readonly tilesFingerprint: TilesFingerprint;
  /** Changes when stored rows or tiles of the view can no longer be read as they are. */
  readonly fingerprint: string;
  readonly clock: Clock;
  packRow(row: PackedRow): Uint8Array;
  packEvent(event: PackedRow): Uint8Array;
  /** When a record written now may be forgotten; undefined is never. */
  expiresAtMicros(): Micros | undefined;
}

/** What `latest` features are read from: the winner by (event, known, arrival, content). */
export interface LatestRow extends PackedRow {}

/** One key's state as materialize computed it. */
export interface BaseRow<Key = unknown> {
  readonly key: Key;
  readonly latest: LatestRow | null;
  readonly tiles: TileState | null;
}

// Kept past the last moment at which it could matter, so that a slow clock never loses anything.
const EXPIRY_SLACK_MICROS = 2 * MICROS_PER_DAY;

/** Compiles a view of a valid manifest. The clock decides physical expiry and which pushed events are known by now. */
export function createViewCodec(manifest: Manifest, viewName: string, clock: Clock = systemClock): ViewCodec {
  // The manifest was validated: what it names is in it.
  const view = manifest.views[viewName] as ViewSpec;
  const entity = manifest.entities[view.entity] as EntitySpec;
  const source = manifest.sources[view.source] as SourceSpec;
  const aggregator = compileAggregator(view, source);
  const latestColumns = unique(
    view.features.flatMap(({ aggregation }) => (aggregation.op === 'latest' ? [aggregation.column] : [])),
  );
  const windowColumns = aggregator?.inputs.map((input) => input.column) ?? [];
  const eventColumns = unique([...latestColumns, ...windowColumns]);
  const rowCodec = compileRowCodec(sourceRowSchema(source, latestColumns));
  const eventCodec = compileRowCodec(sourceRowSchema(source, eventColumns));
  // Derived inputs count with their code: tiles over another function's results are other tiles.
  const tilesHash = sha256Hex(`${aggregator?.fingerprint}|${schemaOf(source, windowColumns).fingerprint}`);
  const writer = new ByteWriter();
  const pack = (codec: RowCodec, row: PackedRow): Uint8Array => {
    writer.reset();
    codec.write(writer, row);
    return writer.take();
  };
  const horizon = horizonMicros(view, aggregator, latestColumns.length > 0);
  return {
    view,
    entity,
    source,
    keyTypes: entity.keys.map((key) => key.type),
    isLive: view.freshness.kind === 'live',
    aggregator,
    latestColumns,
    eventColumns,
    inputPlaces: windowColumns.map((column) => eventColumns.indexOf(column)),
    latestPlaces: latestColumns.map((column) => eventColumns.indexOf(column)),
    rowCodec,
    eventCodec,
    tilesFingerprint: {
      high: Number.parseInt(tilesHash.slice(0, 8), 16),
      low: Number.parseInt(tilesHash.slice(8, 16), 16),
    },
    fingerprint: sha256Hex(`${rowCodec.schema.fingerprint}|${tilesHash}`).slice(0, 16),
    clock,
    packRow: (row) => pack(rowCodec, row),
    packEvent: (event) => pack(eventCodec, event),
    expiresAtMicros: () => (horizon === null ? undefined : clock.nowMicros() + horizon),
  };
}

function schemaOf(source: SourceSpec, columns: readonly string[]): RowSchema {
  return sourceRowSchema(source, unique(columns));
}

// Counted from the write, not from the event: a store of old events read as at an old time must not lose them.
function horizonMicros(view: ViewSpec, aggregator: Aggregator | null, hasLatest: boolean): Micros | null {
  if (hasLatest && view.ttlMicros === null) return null;
  const windows = aggregator?.groups.map((group) => group.retentionMicros + group.hopMicros) ?? [];
  return Math.max(hasLatest ? (view.ttlMicros ?? 0) : 0, ...windows) + EXPIRY_SLACK_MICROS;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
