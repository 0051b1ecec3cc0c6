// Pushed rows of a source into every live view made from it.

import { type EncodedKey, encodeKey, type Micros, type Row, type Value } from '../core/index.ts';
import type { Manifest, SourceSpec } from '../definitions/index.ts';
import type { OnlineStore } from './online-store.ts';
import type { PushLog } from './push-log/push-log.ts';
import type { PushedRow } from './push-log/push-batch.ts';
import { createViewCodec, type ViewCodec } from './view-codec.ts';
import { getReach, getWatermark } from './watermark.ts';
import { type PushedEvent, writePushed } from './write-pushed.ts';
import type { WriteSummary } from './write-summary.ts';

export interface PushSummary {
  /** By live view of the source. */
  readonly views: Readonly<Record<string, WriteSummary>>;
  /** Rows without an event time, which match nothing. */
  readonly withoutEventTime: number;
  /** Rows with a null key, by view: they match nothing there. */
  readonly withoutKey: Readonly<Record<string, number>>;
}

/**
 * Writes rows, complete with derived columns, to all live views of the source; scheduled views wait for their
 * materialize. Safe to repeat: the same arrival counts once. What is known before it happened counts as known when it
 * happens; the types are the caller's to check.
 */
export async function applyPush(
  store: OnlineStore,
  manifest: Manifest,
  sourceName: string,
  rows: readonly PushedRow[],
): Promise<PushSummary> {
  // The caller has resolved the source's name.
  const source = manifest.sources[sourceName] as SourceSpec;
  const timed = rows.filter(({ row }) => row[source.eventTime] !== null && row[source.eventTime] !== undefined);
  const views: Record<string, WriteSummary> = {};
  const withoutKey: Record<string, number> = {};
  const codecs = liveCodecs(manifest, sourceName);
  // In the manifest's order, whichever is written first.
  for (const { view } of codecs) views[view.name] = { written: 0, skipped: 0 };
  await Promise.all(
    codecs.map(async (codec) => {
      const events: PushedEvent[] = [];
      for (const pushed of timed) {
        const key = keyOf(codec, pushed.row);
        if (key !== undefined) events.push(toEvent(source, key, pushed));
      }
      withoutKey[codec.view.name] = timed.length - events.length;
      if (events.length > 0) views[codec.view.name] = await writePushed(store, codec, events);
    }),
  );
  return { views, withoutEventTime: rows.length - timed.length, withoutKey };
}

/**
 * Applies what the log holds of a source past what its views' last materialize took in: what a crash between the log and
 * the store left out. `complete` adds the derived columns. Gives how many events were applied again or anew.
 */
export async function replayPushLog(
  log: PushLog,
  store: OnlineStore,
  manifest: Manifest,
  sourceName: string,
  complete: (rows: readonly Row[]) => readonly Row[] | Promise<readonly Row[]>,
): Promise<number> {
  const source = manifest.sources[sourceName] as SourceSpec;
  const codecs = liveCodecs(manifest, sourceName);
  if (codecs.length === 0) return 0;
  const watermarks = await Promise.all(codecs.map((codec) => getWatermark(store, codec.view.name)));
  const reaches = await Promise.all(codecs.map((codec) => getReach(store, codec.view.name)));
  const oldest = Math.min(...watermarks.map((watermark) => watermark ?? -Infinity));
  const through = Math.min(...reaches.map((reach) => reach?.through ?? Infinity));
  let batch: PushedRow[] = [];
  let applied = 0;
  const flush = async (): Promise<void> => {
    const rows = await complete(batch.map(({ row }) => row));
    const completed = batch.map((pushed, i) => ({ ...pushed, row: rows[i] as Row }));
    await applyPush(store, manifest, sourceName, completed);
    applied += batch.length;
    batch = [];
  };
  for await (const pushed of log.read(source)) {
    if (pushed.knownMicros <= oldest && pushed.order <= through) continue;
    batch.push(pushed);
    if (batch.length === 1000) await flush();
  }
  if (batch.length > 0) await flush();
  return applied;
}

function keyOf(codec: ViewCodec, row: Row): EncodedKey | undefined {
  return encodeKey(
    codec.keyTypes,
    codec.view.keyColumns.map((column) => row[column] ?? null),
  );
}

function toEvent(source: SourceSpec, key: EncodedKey, { row, knownMicros, order }: PushedRow): PushedEvent {
  // Rows without an event time were left out.
  const eventMicros = row[source.eventTime] as Micros;
  const created = source.createdOrder === undefined ? undefined : orderOf(row[source.createdOrder] ?? null);
  const event = {
    key,
    eventMicros,
    knownMicros: Math.max(knownMicros, eventMicros),
    order: created ?? order,
    arrival: order,
    row,
  };
  return source.tombstone !== undefined && row[source.tombstone] === true ? { ...event, deleted: true } : event;
}

/** A created-order column's value as the number that rows are ordered by. */
function orderOf(value: Value): number | undefined {
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined;
}

const codecsOf = new WeakMap<Manifest, Map<string, ViewCodec[]>>();

function liveCodecs(manifest: Manifest, source: string): ViewCodec[] {
  let bySource = codecsOf.get(manifest);
  if (bySource === undefined) codecsOf.set(manifest, (bySource = new Map<string, ViewCodec[]>()));
  let codecs = bySource.get(source);
  if (codecs === undefined) {
    const live = Object.values(manifest.views).filter(
      (view) => view.source === source && view.freshness.kind === 'live',
    );
    bySource.set(source, (codecs = live.map((view) => createViewCodec(manifest, view.name))));
  }
  return codecs;
}
