// Everything about how one view's records are packed, compiled once: version, row schemas, aggregator, lifetime.

import { contentHash, type DataType, MICROS_PER_DAY, type Micros, sha256Hex } from '../../core/index.ts';
import { type Aggregator, compileAggregator } from '../../aggregation/index.ts';
import type { EntitySpec, Manifest, SourceSpec, ViewSpec } from '../../definitions/index.ts';
import type { LifetimeOf, VersionId } from '../online-store.ts';
import { ByteWriter } from './bytes.ts';
import type { TilesFingerprint } from './fold.ts';
import { compileRowCodec, type PackedRow, type RowCodec } from './row-codec.ts';
import { sourceRowSchema } from './row-schema.ts';

export interface ViewCodec {
  readonly view: ViewSpec;
  /** What the view's records are stored under. */
  readonly version: VersionId;
  readonly entity: EntitySpec;
  readonly source: SourceSpec;
  readonly keyTypes: readonly DataType[];
  /** Only these take pushes at once; a scheduled view waits for its materialize. */
  readonly isLive: boolean;
  readonly aggregator: Aggregator | null;
  /** Source columns of the view's `latest` features, each once: the order of a latest row's values. */
  readonly latestColumns: readonly string[];
  /** Source columns that an event keeps: of `latest` features and of windows. */
  readonly eventColumns: readonly string[];
  /** Index in `eventColumns` of each of the aggregator's inputs, and of each of `latestColumns`. */
  readonly inputPlaces: readonly number[];
  readonly latestPlaces: readonly number[];
  readonly rowCodec: RowCodec;
  readonly eventCodec: RowCodec;
  readonly tilesFingerprint: TilesFingerprint;
  /** Of what the records are computed and packed by: under another one a run writes every key anew. */
  readonly fingerprint: string;
  packEvent(event: PackedRow): Uint8Array;
}

/** Compiles a view of a valid manifest. */
export function createViewCodec(manifest: Manifest, viewName: string): ViewCodec {
  // The manifest was validated: what it names is in it.
  const view = manifest.views[viewName] as ViewSpec;
  const entity = manifest.entities[view.entity] as EntitySpec;
  const source = manifest.sources[view.source] as SourceSpec;
  const aggregator = compileAggregator(view, source);
  const latestColumns = latestColumnsOf(view);
  const windowColumns = aggregator?.inputs.map((input) => input.column) ?? [];
  const eventColumns = unique([...latestColumns, ...windowColumns]);
  const rowCodec = compileRowCodec(sourceRowSchema(source, latestColumns));
  const eventCodec = compileRowCodec(sourceRowSchema(source, eventColumns));
  // Derived inputs count with their code: tiles over another function's results are other tiles.
  const windowSchema = sourceRowSchema(source, unique(windowColumns));
  const tilesHash = sha256Hex(`${aggregator?.fingerprint}|${windowSchema.fingerprint}`);
  const identity = identityOf(view, entity, source);
  const writer = new ByteWriter();
  return {
    view,
    version: `${view.name}@${contentHash(identity).slice(0, 12)}`,
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
    fingerprint: contentHash({
      identity,
      records: [rowCodec.schema.fingerprint, tilesHash],
      // A key or a time may be derived, and a column's type decides how it is read.
      columns: [source.columns, source.derive],
    }),
    packEvent(event) {
      writer.reset();
      eventCodec.write(writer, event);
      return writer.take();
    },
  };
}

/**
 * What makes records another view's altogether: its keys, where its facts come from and when they count. Columns and
 * windows that change are told by their own fingerprints within a record.
 */
function identityOf(view: ViewSpec, entity: EntitySpec, source: SourceSpec): unknown {
  return {
    keys: [view.keyColumns, entity.keys],
    source: [source.name, source.kind, source.pushes],
    times: [source.eventTime, source.knownTime, source.createdOrder ?? null, source.tombstone ?? null],
  };
}

// Kept past the last moment at which it could matter, so that a slow clock never loses anything.
const LIFETIME_SLACK_MICROS = 2 * MICROS_PER_DAY;

/**
 * How long an entity's records live after a write: as long as the longest of its views needs, since they lie together.
 * Counted from the write, not from the event: a store of old events read as at an old time must not lose them.
 */
export function lifetimesOf(manifest: Manifest): LifetimeOf {
  const longest = new Map<string, number | undefined>();
  for (const view of Object.values(manifest.views)) {
    const source = manifest.sources[view.source] as SourceSpec;
    const own = lifetimeMicros(view, compileAggregator(view, source));
    const other = longest.get(view.entity);
    const isForEver = own === null || (longest.has(view.entity) && other === undefined);
    longest.set(view.entity, isForEver ? undefined : Math.max(own, other ?? 0));
  }
  return (entity) => {
    const micros = longest.get(entity);
    return micros === undefined ? undefined : Math.ceil(micros / 1000);
  };
}

function lifetimeMicros(view: ViewSpec, aggregator: Aggregator | null): Micros | null {
  const hasLatest = latestColumnsOf(view).length > 0;
  if (hasLatest && view.ttlMicros === null) return null;
  const windows = aggregator?.groups.map((group) => group.retentionMicros + group.hopMicros) ?? [];
  return Math.max(hasLatest ? (view.ttlMicros ?? 0) : 0, ...windows) + LIFETIME_SLACK_MICROS;
}

function latestColumnsOf(view: ViewSpec): string[] {
  return unique(view.features.flatMap(({ aggregation }) => (aggregation.op === 'latest' ? [aggregation.column] : [])));
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
