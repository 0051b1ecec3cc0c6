// Everything about how one view's records are packed, compiled once: version, row schemas, aggregator, lifetime.

import { contentHash, type DataType, type Micros, sha256Hex } from '../../core/index.ts';
import { type Aggregator, compileAggregator } from '../../aggregation/index.ts';
import {
  type EntitySpec,
  type Manifest,
  type SourceSpec,
  storedName,
  type ViewSpec,
  viewVersion,
} from '../../definitions/index.ts';
import { LIFETIME_SLACK_MICROS, type LifetimeOf, type VersionId } from '../online-store.ts';
import { ByteWriter } from './bytes.ts';
import type { TilesFingerprint } from './fold.ts';
import { compileRowCodec, type PackedRow, type RowCodec } from './row-codec.ts';
import { sourceRowSchema } from './row-schema.ts';

export interface ViewCodec {
  readonly view: ViewSpec;
  /** What the view's records are stored under. */
  readonly version: VersionId;
  readonly entity: EntitySpec;
  /** The name under which the entity's records lie. */
  readonly recordsOf: string;
  readonly source: SourceSpec;
  readonly keyTypes: readonly DataType[];
  /** Only these take pushes at once; a scheduled view waits for its materialize. */
  readonly isLive: boolean;
  readonly aggregator: Aggregator | null;
  /** Source columns of the view's `latest` features, each once, by name: the order of a latest row's values. */
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
  const version = viewVersion(manifest, viewName);
  const writer = new ByteWriter();
  return {
    view,
    version,
    entity,
    recordsOf: storedName(entity),
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
      version,
      records: [rowCodec.schema.fingerprint, tilesHash],
    }),
    packEvent(event) {
      writer.reset();
      eventCodec.write(writer, event);
      return writer.take();
    },
  };
}

/**
 * How long an entity's records live after a write: as long as the longest of its views needs, since they lie together.
 * Counted from the write, not from the event: a store of old events read as at an old time must not lose them.
 */
export function lifetimesOf(codecs: Iterable<ViewCodec>): LifetimeOf {
  const longest = new Map<string, number | undefined>();
  for (const { recordsOf, view, aggregator } of codecs) {
    const own = lifetimeMicros(view, aggregator);
    const other = longest.get(recordsOf);
    const isForEver = own === null || (longest.has(recordsOf) && other === undefined);
    longest.set(recordsOf, isForEver ? undefined : Math.max(own, other ?? 0));
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
  const seenMicros = Math.max(hasLatest ? (view.ttlMicros ?? 0) : 0, ...windows);
  return seenMicros + untilNextRun(view) + LIFETIME_SLACK_MICROS;
}

/** A scheduled view is read as at its last run: its records are needed until the next one has written them again. */
function untilNextRun({ freshness }: ViewSpec): Micros {
  return freshness.kind === 'scheduled' ? freshness.everyMicros + freshness.lagMicros : 0;
}

function latestColumnsOf(view: ViewSpec): string[] {
  const columns = view.features.flatMap(({ aggregation }) => (aggregation.op === 'latest' ? [aggregation.column] : []));
  return unique(columns).sort();
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
