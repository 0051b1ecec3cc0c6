// A push's half of a record: events beside the base until a materialize covers them. Never backwards, and a repeat
// of an arrival changes nothing, so replays and retries are harmless.

import type { EncodedKey, Micros, Row } from '../core/index.ts';
import { extendPushed, foldPushed } from './fold-events.ts';
import { baseCoverage } from './layer.ts';
import type { FullRecord, OnlineStore, RecordChange } from './online-store.ts';
import { isCovered, isSameEvent, type LoggedEvent, loggedEvent, parseEvents } from './pushed-events.ts';
import { compareTimes } from './row-codec.ts';
import { type SchemaDirectory, schemaDirectory } from './schema-directory.ts';
import type { ViewCodec } from './view-codec.ts';
import { withSchemas } from './with-schemas.ts';
import { packLog, pushedMark, refOf } from './write-base.ts';
import type { WriteSummary } from './write-summary.ts';

export interface PushedEvent {
  readonly key: EncodedKey;
  readonly eventMicros: Micros;
  readonly knownMicros: Micros;
  /** What the source orders its rows by: its created order, else the arrival. */
  readonly order: number;
  /** When the push log took the event in; `order` when left out. */
  readonly arrival?: number;
  /** A tombstone. */
  readonly deleted?: boolean;
  /** Of the source's columns, derived ones included; the view takes those it needs. */
  readonly row: Row;
}

/** A record's log longer than this is rid of events that nothing can see any more. */
const LONG_LOG = 256;

/** Adds events to a live view. Resolves once durable; `skipped` counts repeats and events that a base covers. */
export async function writePushed(
  store: OnlineStore,
  codec: ViewCodec,
  rows: readonly PushedEvent[],
): Promise<WriteSummary> {
  const byKey = new Map<string, { key: EncodedKey; events: LoggedEvent[] }>();
  for (const event of rows) {
    const id = Buffer.from(event.key.buffer, event.key.byteOffset, event.key.length).toString('latin1');
    let group = byKey.get(id);
    if (group === undefined) byKey.set(id, (group = { key: event.key, events: [] }));
    const values = codec.eventColumns.map((column) => event.row[column] ?? null);
    group.events.push(loggedEvent(codec.packEvent({ ...event, values }), event.arrival ?? event.order));
  }
  const groups = [...byKey.values()];
  const schemas = schemaDirectory(store);
  await schemas.publish(codec.rowCodec.schema);
  await schemas.publish(codec.eventCodec.schema);
  await markPushed(store, codec.view.name);
  // `change` may be asked again for a record, so what it added is kept by record.
  const added = new Array<number>(groups.length).fill(0);
  const written = await withSchemas(schemas, () =>
    store.update(
      groups.map((group) => refOf(codec, group.key)),
      (current, index) => {
        const { events } = groups[index] as (typeof groups)[number];
        const fresh = freshEvents(current, events);
        added[index] = fresh.length;
        return fresh.length === 0 ? null : addEvents(codec, current, fresh, schemas);
      },
    ),
  );
  return { written, skipped: rows.length - added.reduce((sum, count) => sum + count, 0) };
}

/** Those that the base does not cover and the log does not hold. */
function freshEvents(current: FullRecord | undefined, events: readonly LoggedEvent[]): LoggedEvent[] {
  const coverage = baseCoverage(current?.base);
  // By arrival, which hardly ever repeats: a long log is not searched for each event.
  const seen = Map.groupBy(parseEvents(current?.pushedLog), (event) => event.arrival);
  return events.filter((event) => {
    const others = seen.get(event.arrival);
    if (isCovered(event, coverage) || others?.some((other) => isSameEvent(other, event)) === true) return false;
    if (others === undefined) seen.set(event.arrival, [event]);
    else others.push(event);
    return true;
  });
}

function addEvents(
  codec: ViewCodec,
  current: FullRecord | undefined,
  fresh: readonly LoggedEvent[],
  schemas: SchemaDirectory,
): RecordChange {
  const before = parseEvents(current?.pushedLog);
  const events = [...before, ...fresh];
  const greatestOrder = before.reduce((greatest, event) => Math.max(greatest, event.order), -Infinity);
  const pushed =
    (current?.pushed === undefined ? undefined : extendPushed(codec, current.pushed, fresh, greatestOrder, schemas)) ??
    foldPushed(codec, events, schemas);
  const expiresAtMicros = codec.expiresAtMicros();
  return {
    base: current?.base,
    pushed,
    pushedLog: packLog(events.length > LONG_LOG ? dropUnseen(codec, events) : events),
    ...(expiresAtMicros === undefined ? {} : { expiresAtMicros }),
  };
}

/** Leaves out events that no window at or after the newest known time can see and that an other event outdoes. */
function dropUnseen(codec: ViewCodec, events: readonly LoggedEvent[]): LoggedEvent[] {
  const newest = events.reduce((latest, event) => Math.max(latest, event.knownMicros), -Infinity);
  const retention = codec.aggregator?.groups.map((group) => group.retentionMicros + group.hopMicros) ?? [];
  const horizon = newest - Math.max(0, ...retention);
  const winner = events.reduce((best, event) => (compareTimes(event, best) >= 0 ? event : best));
  return events.filter((event) => event.eventMicros >= horizon || event === winner);
}

const marked = new WeakMap<OnlineStore, Set<string>>();

// Before the first event, so that a finished materialize always knows to look for pushed parts.
async function markPushed(store: OnlineStore, view: string): Promise<void> {
  let views = marked.get(store);
  if (views === undefined) marked.set(store, (views = new Set()));
  if (views.has(view)) return;
  if ((await store.getMeta(pushedMark(view))) === undefined) await store.setMeta(pushedMark(view), '1');
  views.add(view);
}
