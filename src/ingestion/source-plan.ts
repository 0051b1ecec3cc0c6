// A source compiled for pushes: what every version of each of its live views takes of a row.

import { compileValueChecks, type ValueCheck } from '../checks/index.ts';
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
  type OnFailedValue,
  own,
  type SourceSpec,
  sourceOfView,
  viewColumns,
  type ViewSpec,
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
import { tellOfFailedValues } from './failed-values.ts';
import type { DeriveRows, IngestionDeps } from './ingestion-deps.ts';
import { compileKeyText } from './key-text.ts';
import { isTime } from './known-time.ts';

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
  /** What rows with their derived columns are held to when they are pushed; of kept versions they were. */
  readonly checks: readonly ValueCheck[];
  /** Throws at a row that today's definitions can't derive; what those of kept versions can't is null. */
  readonly derive: DeriveRows;
  /** Of rows that the log holds, which were taken once: what can't be derived is null. */
  readonly deriveAgain: DeriveRows;
  /** Rows of the logged columns as rows of the lens's own. */
  readonly convert: (rows: readonly Row[]) => readonly Row[];
  /** Undefined for a row without an event time. What is known before it happened counts as known when it happens. */
  timesOf(row: Row, knownMicros: Micros, writer: number, offset: number): EventTimes | undefined;
}

export interface SourcePlan {
  /** What a pushed row is checked by. */
  readonly source: SourceSpec;
  /** Columns besides that a version reads by its own definitions: taken from rows that have them. */
  readonly kept: readonly Field[];
  /** Told of a value of theirs that is none of the type. */
  readonly onLost: OnFailedValue;
  /** The source with those: what the log holds of a row. */
  readonly logged: SourceSpec;
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

type LensDeps = Pick<IngestionDeps, 'deriver' | 'logger'>;

export function compileSourcePlans(
  { definitions, versions }: KeptDefinitions,
  deps: LensDeps,
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
      plan = compilePlan({ definitions, versions: reading }, source, deps);
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

function compilePlan({ definitions, versions }: KeptDefinitions, source: SourceSpec, deps: LensDeps): SourcePlan {
  const kept = keptColumns(source, versions);
  const logged = kept.length === 0 ? source : { ...source, columns: [...source.columns, ...kept] };
  const current = versions.filter(({ isCurrent }) => isCurrent);
  const forms = new Map<string, { readonly source: SourceSpec; readonly members: LiveVersion[] }>();
  for (const version of versions) {
    if (version.isCurrent || !isLive(version)) continue;
    const form = formOf(version);
    const id = canonicalJson(form);
    const known = forms.get(id);
    if (known === undefined) forms.set(id, { source: form, members: [version] });
    else known.members.push(version);
  }
  // Of one that is not defined any more nothing is derived but what a version needs.
  const isDefined = own(definitions.manifest.sources, source.name) !== undefined;
  const today = isDefined ? source : { ...source, derive: [] };
  const first = compileLens(logged, today, definitions, current.filter(isLive), deps);
  const others = [...forms.values()].map((form) => {
    // Every form has a member.
    const [{ definitions: by }] = form.members as [LiveVersion];
    const lens = compileLens(logged, form.source, by, form.members, deps);
    return { ...lens, derive: lens.deriveAgain };
  });
  const readers = versions.filter(({ isCurrent }) => !isCurrent).map(({ version }) => version);
  return { source, kept, onLost: tellOfFailedValues(deps.logger, source, readers), logged, lenses: [first, ...others] };
}

/** Of the versions' columns those that the source has no more. Where two have one in two types it is taken in one of them. */
function keptColumns({ columns }: SourceSpec, versions: readonly LiveVersion[]): readonly Field[] {
  const kept = new Map<string, Field>();
  for (const { definitions, view, isCurrent } of versions) {
    if (isCurrent) continue;
    // The version's manifest was validated: its view is in it.
    const spec = definitions.manifest.views[view] as ViewSpec;
    for (const field of viewColumns(sourceOfView(definitions, view), spec).declared) kept.set(field.name, field);
  }
  for (const { name } of columns) kept.delete(name);
  return [...kept.values()];
}

/** The version's source, without what is derived for others: that must not fail for it. */
function formOf({ definitions, view }: LiveVersion): SourceSpec {
  const source = sourceOfView(definitions, view);
  return { ...source, derive: viewColumns(source, definitions.manifest.views[view] as ViewSpec).derived };
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
  logged: SourceSpec,
  source: SourceSpec,
  definitions: Definitions,
  versions: readonly LiveVersion[],
  { deriver, logger }: LensDeps,
): Lens {
  const created = [...source.columns, ...source.derive].find(({ name }) => name === source.createdOrder);
  const convert = logged === source ? undefined : compileConversion(logged.columns, source.columns);
  const names = versions.map(({ version }) => version);
  return {
    source,
    views: versions.map(compileView),
    checks: compileValueChecks([...source.columns, ...source.derive], source.expect),
    derive: whenNeeded(() => deriver(definitions, source)),
    deriveAgain: whenNeeded(() => deriver(definitions, source, tellOfFailedValues(logger, source, names))),
    convert: (rows) => (convert === undefined ? rows : rows.map(convert)),
    timesOf(row, knownMicros, writer, offset) {
      const eventMicros = row[source.eventTime];
      if (!isTime(eventMicros)) return undefined;
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

function compileView({ definitions, view: name, epoch, isCurrent }: LiveVersion): LiveView {
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
