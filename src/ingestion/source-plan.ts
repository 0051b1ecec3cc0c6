// A source compiled for pushes: what each of its live views takes of a row.

import {
  type EncodedKey,
  encodeKey,
  encodeOrder,
  type Field,
  type Micros,
  type Row,
  type Value,
} from '../core/index.ts';
import type { Definitions, SourceSpec } from '../definitions/index.ts';
import {
  createPartFolder,
  createViewCodec,
  type LifetimeOf,
  lifetimesOf,
  type PartFolder,
  type ViewCodec,
  type ViewEvent,
} from '../online/index.ts';
import type { DeriveRows, IngestionDeps } from './ingestion-deps.ts';
import { compileKeyText } from './key-text.ts';

/** A live view of a source. */
export interface LiveView {
  readonly codec: ViewCodec;
  readonly folder: PartFolder;
  /** A text that the row's key alone has; undefined when a part of the key is null: then the row matches nothing. */
  keyTextOf(row: Row): string | undefined;
  /** The key of a row whose key has a text. */
  keyOf(row: Row): EncodedKey;
  eventOf(row: Row, times: EventTimes): ViewEvent;
}

export interface EventTimes {
  readonly eventMicros: Micros;
  readonly knownMicros: Micros;
  readonly order: Uint8Array;
}

export interface SourcePlan {
  readonly source: SourceSpec;
  readonly views: readonly LiveView[];
  readonly derive: DeriveRows;
  /** Undefined for a row without an event time. What is known before it happened counts as known when it happens. */
  timesOf(row: Row, knownMicros: Micros, writer: number, offset: number): EventTimes | undefined;
}

/** Compiles the sources of one state of the definitions, each when first asked for. */
export interface SourcePlans {
  readonly definitions: Definitions;
  /** Greater for later definitions: a cut never goes back to earlier ones. */
  readonly generation: number;
  of(source: string): SourcePlan | undefined;
  /** All live views, of all sources. */
  live(): readonly LiveView[];
  readonly lifetimeMs: LifetimeOf;
}

export function compileSourcePlans(
  definitions: Definitions,
  deriver: IngestionDeps['deriver'],
  generation: number,
): SourcePlans {
  const { manifest } = definitions;
  const plans = new Map<string, SourcePlan>();
  const of = (name: string): SourcePlan | undefined => {
    let plan = plans.get(name);
    if (plan === undefined && Object.hasOwn(manifest.sources, name)) {
      plan = compilePlan(definitions, manifest.sources[name] as SourceSpec, deriver);
      plans.set(name, plan);
    }
    return plan;
  };
  const live = () => Object.keys(manifest.sources).flatMap((name) => of(name)?.views ?? []);
  return { definitions, generation, of, live, lifetimeMs: lifetimesOf(manifest) };
}

function compilePlan(definitions: Definitions, source: SourceSpec, deriver: IngestionDeps['deriver']): SourcePlan {
  const { manifest } = definitions;
  const live = Object.values(manifest.views).filter(
    (view) => view.source === source.name && view.freshness.kind === 'live',
  );
  const created = [...source.columns, ...source.derive].find(({ name }) => name === source.createdOrder);
  return {
    source,
    views: live.map(({ name }) => compileView(createViewCodec(manifest, name))),
    derive: deriver(definitions, source),
    timesOf(row, knownMicros, writer, offset) {
      const eventMicros = row[source.eventTime];
      if (typeof eventMicros !== 'number') return undefined;
      return {
        eventMicros,
        knownMicros: Math.max(knownMicros, eventMicros),
        order: encodeOrder(createdOf(created, row), { writer, offset }),
      };
    },
  };
}

function createdOf(created: Field | undefined, row: Row): { type: Field['type']; value: Value } | undefined {
  return created === undefined ? undefined : { type: created.type, value: row[created.name] ?? null };
}

function compileView(codec: ViewCodec): LiveView {
  const { keyTypes, eventColumns, view, source } = codec;
  const { tombstone } = source;
  const { keyColumns } = view;
  return {
    codec,
    folder: createPartFolder(codec),
    keyTextOf: compileKeyText(keyColumns),
    // Only null has no encoding, and a key with null has no text.
    keyOf: (row) =>
      encodeKey(
        keyTypes,
        keyColumns.map((column) => row[column] ?? null),
      ) as EncodedKey,
    eventOf(row, { eventMicros, knownMicros, order }) {
      const values: Value[] = new Array(eventColumns.length);
      for (let i = 0; i < eventColumns.length; i++) values[i] = row[eventColumns[i] as string] ?? null;
      const deleted = tombstone !== undefined && row[tombstone] === true;
      return { eventMicros, knownMicros, order, deleted, values };
    },
  };
}
