// A source compiled for pushes: what every version of each of its live views takes of a row.

import {
  canonicalJson,
  type EncodedKey,
  encodeKey,
  encodeOrder,
  type Field,
  type Micros,
  type Row,
  type Value,
} from '../core/index.ts';
import {
  type Definitions,
  type LiveVersion,
  own,
  type SourceSpec,
  sourceOfView,
  viewVersion,
} from '../definitions/index.ts';
import { compileConversion } from '../events/index.ts';
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

/** A version of a live view. */
export interface LiveView {
  readonly codec: ViewCodec;
  readonly epoch: number;
  /** Whether it is what the definitions say now: only of those a push is told. */
  readonly isCurrent: boolean;
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

/** A source as some versions of its views see it: by the columns, derived ones and times of when they were defined. */
export interface Lens {
  readonly source: SourceSpec;
  readonly views: readonly LiveView[];
  readonly derive: DeriveRows;
  /** Rows of the pushed columns as rows of the lens's own. */
  readonly convert: (rows: readonly Row[]) => readonly Row[];
  /** Undefined for a row without an event time. What is known before it happened counts as known when it happens. */
  timesOf(row: Row, knownMicros: Micros, writer: number, offset: number): EventTimes | undefined;
}

export interface SourcePlan {
  /** What a pushed row is checked by. */
  readonly source: SourceSpec;
  /** The source as it is defined now comes first. */
  readonly lenses: readonly [Lens, ...Lens[]];
}

/** What pushes are folded by: the definitions as they are now, and every version of a view that is kept. */
export interface KeptDefinitions {
  readonly definitions: Definitions;
  readonly versions: readonly LiveVersion[];
}

/** Compiles the sources of one state of the definitions, each when first asked for. */
export interface SourcePlans extends KeptDefinitions {
  /** Greater for later definitions: a cut never goes back to earlier ones. */
  readonly generation: number;
  of(source: string): SourcePlan | undefined;
  /** Sources that can be pushed to. */
  readonly sources: readonly string[];
  /** All live views, of all sources. */
  live(): readonly LiveView[];
  readonly lifetimeMs: LifetimeOf;
}

export function compileSourcePlans(
  { definitions, versions }: KeptDefinitions,
  deriver: IngestionDeps['deriver'],
  generation: number,
): SourcePlans {
  const plans = new Map<string, SourcePlan>();
  const sourceOf = (live: LiveVersion): SourceSpec => sourceOfView(live.definitions, live.view);
  const specs = new Map(versions.map((version) => [sourceOf(version).name, sourceOf(version)]));
  // One that is not defined any more takes pushes for as long as a version needs them.
  for (const source of Object.values(definitions.manifest.sources)) specs.set(source.name, source);
  const of = (name: string): SourcePlan | undefined => {
    let plan = plans.get(name);
    const source = specs.get(name);
    if (plan === undefined && source !== undefined) {
      const reading = versions.filter((version) => sourceOf(version).name === name);
      plan = compilePlan({ definitions, versions: reading }, source, sourceOf, deriver);
      plans.set(name, plan);
    }
    return plan;
  };
  const sources = [...specs.keys()];
  const live = () => sources.flatMap((name) => of(name)?.lenses.flatMap(({ views }) => views) ?? []);
  const codecs = versions.map(codecOf);
  return { definitions, versions, generation, of, sources, live, lifetimeMs: lifetimesOf(codecs) };
}

const codecOf = ({ definitions, view }: LiveVersion): ViewCodec => createViewCodec(definitions.manifest, view);

function compilePlan(
  { definitions, versions }: KeptDefinitions,
  source: SourceSpec,
  sourceOf: (version: LiveVersion) => SourceSpec,
  deriver: IngestionDeps['deriver'],
): SourcePlan {
  const now = canonicalJson(source);
  const seen = new Map<string, LiveVersion[]>([[now, []]]);
  // A source that is not defined any more has its functions from the versions that need it.
  const isDefined = own(definitions.manifest.sources, source.name) !== undefined;
  const owners = new Map<string, Definitions>(isDefined ? [[now, definitions]] : []);
  for (const version of versions) {
    const id = canonicalJson(sourceOf(version));
    if (!owners.has(id)) owners.set(id, version.definitions);
    if (!isLive(version)) continue;
    const same = seen.get(id);
    if (same === undefined) seen.set(id, [version]);
    else same.push(version);
  }
  const lenses = [...seen].map(([id, members]): Lens => {
    // The very object, where nothing differs: then rows need no conversion.
    const by = id === now || members[0] === undefined ? source : sourceOf(members[0]);
    return compileLens(
      source,
      by,
      members,
      definitions,
      whenNeeded(() => deriver(owners.get(id) as Definitions, by)),
    );
  });
  return { source, lenses: lenses as unknown as SourcePlan['lenses'] };
}

// A source whose code can't be had refuses what is pushed into it; others go on.
function whenNeeded(compile: () => DeriveRows): DeriveRows {
  let derive: DeriveRows | undefined;
  return (rows) => (derive ??= compile())(rows);
}

function isLive({ definitions, view }: LiveVersion): boolean {
  return definitions.manifest.views[view]?.freshness.kind === 'live';
}

function compileLens(
  pushed: SourceSpec,
  source: SourceSpec,
  versions: readonly LiveVersion[],
  current: Definitions,
  derive: DeriveRows,
): Lens {
  const created = [...source.columns, ...source.derive].find(({ name }) => name === source.createdOrder);
  const convert = pushed === source ? undefined : compileConversion(pushed.columns, source.columns);
  return {
    source,
    views: versions.map((version) => compileView(version, isCurrentIn(current, version))),
    derive,
    convert: (rows) => (convert === undefined ? rows : rows.map(convert)),
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

// A version keeps its own definitions' name for the view, which a rename leaves behind.
function isCurrentIn({ manifest }: Definitions, { version }: LiveVersion): boolean {
  return Object.keys(manifest.views).some((view) => viewVersion(manifest, view) === version);
}

function createdOf(created: Field | undefined, row: Row): { type: Field['type']; value: Value } | undefined {
  return created === undefined ? undefined : { type: created.type, value: row[created.name] ?? null };
}

function compileView({ definitions, view: name, epoch }: LiveVersion, isCurrent: boolean): LiveView {
  const codec = createViewCodec(definitions.manifest, name);
  const { keyTypes, eventColumns, view, source } = codec;
  const { tombstone } = source;
  const { keyColumns } = view;
  return {
    codec,
    epoch,
    isCurrent,
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
