// What every object of the authoring API carries for the compile step: its kind and what the user wrote.

import type { PartitionUnit, SourceKind, UserFunction, WindowOp } from '../manifest.ts';
import type { RolloutOptions } from './rollout.ts';
import { AUTHORED } from './authored-mark.ts';
import type { Call, OptionNames, Slip } from './call.ts';
import type { Columns } from './column-type.ts';
import type { Needs, StepOptions } from './step-options.ts';

/** What people write about any object; it changes nothing that is computed. */
export interface AboutOptions {
  readonly description?: string;
  readonly owner?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

export const ABOUT_OPTIONS: OptionNames<AboutOptions> = { description: true, owner: true, tags: true };

/** An object of the authoring API, as the compile step reads it. */
export interface AuthoredObject<D extends Authored = Authored> {
  readonly [AUTHORED]: D;
}

export type Authored =
  | AuthoredEntity
  | AuthoredSource
  | AuthoredView
  | AuthoredViewMember
  | AuthoredOnDemandView
  | AuthoredOnDemandMember
  | AuthoredService
  | AuthoredModel
  | AuthoredNode
  | AuthoredEndpoint
  | AuthoredMetric
  | AuthoredExperiment
  | AuthoredRollout
  | AuthoredPipeline
  | AuthoredStep
  | AuthoredGroup;

export type AuthoredOf<K extends Authored['kind']> = Extract<Authored, { readonly kind: K }>;

export interface AuthoredEntity {
  readonly kind: 'entity';
  readonly name: string;
  readonly call: Call;
  readonly keys: Columns;
  readonly renamedFrom: string | undefined;
  readonly about: AboutOptions;
}

export interface AuthoredSource {
  readonly kind: 'source';
  readonly name: string;
  readonly call: Call;
  readonly sourceKind: SourceKind;
  readonly location: Readonly<Record<string, string | undefined>>;
  readonly options: AnySourceOptions;
}

/** A source's options with nothing known about its columns. */
export interface AnySourceOptions extends AboutOptions {
  readonly columns: Columns;
  readonly derive?: Readonly<Record<string, readonly [Columns[string], UserFunction | SqlText]>>;
  readonly eventTime: string;
  readonly knownTime?: string | { readonly after: string };
  readonly createdOrder?: string;
  readonly tombstone?: string;
  readonly pushes?: 'keep' | 'until-materialized';
  readonly completeAfter?: string;
  /** Of files. */
  readonly partitions?: Readonly<Record<string, PartitionUnit>>;
  /** Of a query. */
  readonly sql?: string | SqlText;
  readonly over?: readonly AuthoredObject<AuthoredSource>[];
  readonly static?: readonly AuthoredObject<AuthoredSource>[];
  readonly expect?: unknown;
}

/** SQL for the source's own engine, made by the `sql` tag. */
export interface SqlText {
  readonly sql: string;
}

export interface AuthoredView {
  readonly kind: 'view';
  readonly name: string;
  readonly call: Call;
  readonly entity: AuthoredObject<AuthoredEntity>;
  readonly source: AuthoredObject<AuthoredSource>;
  readonly keys: Readonly<Record<string, string | undefined>>;
  readonly ttl: string | undefined;
  readonly features: Readonly<Record<string, AuthoredFeature>>;
  readonly freshness: 'live' | { readonly every: string; readonly lag?: string };
  readonly schedule: string | undefined;
  readonly timezone: string | undefined;
  readonly catchUp: unknown;
  readonly renamedFrom: string | undefined;
  readonly expect: unknown;
  readonly about: AboutOptions;
}

/** A stored feature as written: `mean('delay').over('7d', { hop: '1h' })`. */
export interface AuthoredFeature {
  readonly op: 'latest' | WindowOp;
  readonly column: string | null;
  /** For windows; absent while `.over()` was not called. */
  readonly window?: string;
  readonly hop?: string;
  readonly n?: number;
  readonly defaultValue?: unknown;
  readonly describedAs?: string;
  readonly formerName?: string;
  readonly slips?: readonly Slip[];
}

export interface AuthoredViewMember {
  readonly kind: 'viewMember';
  readonly view: AuthoredObject<AuthoredView>;
  readonly role: string | undefined;
  readonly keys: Readonly<Record<string, string>> | undefined;
  readonly picked: readonly string[] | undefined;
}

export interface AuthoredOnDemandView {
  readonly kind: 'onDemandView';
  readonly name: string;
  readonly call: Call;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly features: Columns;
  readonly transform: UserFunction;
  readonly renamedFrom: string | undefined;
  readonly about: AboutOptions;
}

export interface AuthoredOnDemandMember {
  readonly kind: 'onDemandMember';
  readonly view: AuthoredObject<AuthoredOnDemandView>;
  readonly role: string | undefined;
  readonly picked: readonly string[] | undefined;
}

export interface AuthoredService {
  readonly kind: 'service';
  readonly name: string;
  readonly call: Call;
  readonly members: readonly unknown[];
  readonly about: AboutOptions;
}

export interface AuthoredModel {
  readonly kind: 'model';
  readonly name: string;
  readonly call: Call;
  readonly features: AuthoredObject<AuthoredService>;
  readonly outputs: Columns;
  readonly providers: readonly string[];
  /** As it may come from plain JavaScript. */
  readonly batch: unknown;
  /** The node that answers, of a model that is made of others; as it may come from plain JavaScript. */
  readonly graph: unknown;
  readonly about: AboutOptions;
}

/** Options are as they may come from plain JavaScript. */
export interface AuthoredNode {
  readonly kind: 'node';
  readonly nodeKind: 'model' | 'function' | 'ensemble' | 'router';
  readonly name: string;
  readonly call: Call;
  /** Of a model node, the model; of an ensemble, its members. */
  readonly of: unknown;
  readonly options: Readonly<Partial<Record<NodeOption, unknown>>>;
  readonly about: AboutOptions;
}

export type NodeOption =
  | 'onFailure'
  | 'inputs'
  | 'timeoutMs'
  | 'outputs'
  | 'run'
  | 'by'
  | 'weights'
  | 'minimum'
  | 'cases'
  | 'choose';

export interface AuthoredEndpoint {
  readonly kind: 'endpoint';
  readonly name: string;
  readonly call: Call;
  readonly model: AuthoredObject<AuthoredModel>;
  readonly unit: readonly string[];
  readonly rules: readonly { readonly when: object; readonly variant: string }[] | undefined;
  readonly holdout: { readonly name: string; readonly percent: number } | undefined;
  readonly whenStoreDown: 'fail' | 'defaults';
  readonly cache: { readonly ttl: string; readonly maxBytes?: number; readonly maxEntries?: number } | undefined;
  readonly about: AboutOptions;
}

export interface AuthoredMetric {
  readonly kind: 'metric';
  readonly name: string;
  readonly call: Call;
  readonly options: AnyMetricOptions;
  readonly about: AboutOptions;
}

/** A metric's options, as they may come from plain JavaScript. */
export interface AnyMetricOptions {
  readonly outcome?: unknown;
  readonly output?: unknown;
  readonly endpoint?: unknown;
  readonly sql?: unknown;
  readonly over?: unknown;
  readonly static?: unknown;
  readonly aggregate?: unknown;
  readonly window?: unknown;
  readonly winsorize?: unknown;
  readonly prePeriod?: unknown;
  readonly quantile?: unknown;
  readonly ratio?: unknown;
  readonly direction?: unknown;
  readonly worth?: unknown;
}

/** Members are as they may come from plain JavaScript. */
export interface AuthoredExperiment {
  readonly kind: 'experiment';
  readonly name: string;
  readonly call: Call;
  readonly unit: unknown;
  readonly arms: unknown;
  readonly control: unknown;
  readonly endpoints: unknown;
  readonly namespace: unknown;
  readonly when: unknown;
  readonly metrics: unknown;
  readonly plan: unknown;
  readonly about: AboutOptions;
}

export interface AuthoredRollout {
  readonly kind: 'rollout';
  readonly name: string;
  readonly call: Call;
  readonly options: Omit<RolloutOptions, keyof AboutOptions>;
  readonly about: AboutOptions;
}

/** Options are as they may come from plain JavaScript. */
export interface AuthoredPipeline {
  readonly kind: 'pipeline';
  readonly name: string;
  readonly call: Call;
  readonly schedule: string | undefined;
  readonly timezone: string | undefined;
  readonly catchUp: unknown;
  readonly concurrency: unknown;
  readonly overlap: unknown;
  readonly on: unknown;
  readonly params: Columns;
  /** Grows with each `.step(…)`, those of groups too. */
  readonly steps: readonly AuthoredObject<AuthoredStep>[];
  /** Grows with each `.foreach(…)`, outer ones first. */
  readonly groups: readonly AuthoredObject<AuthoredGroup>[];
  readonly about: AboutOptions;
}

export interface AuthoredStep {
  readonly kind: 'step';
  readonly name: string;
  readonly call: Call;
  readonly pipeline: string;
  /** The group that it is in. */
  readonly in: AuthoredGroup | undefined;
  readonly action: AuthoredAction | undefined;
  /** As they may come from plain JavaScript. */
  readonly options: Readonly<Partial<Record<keyof StepOptions<Needs>, unknown>>>;
}

export interface AuthoredGroup {
  readonly kind: 'group';
  readonly name: string;
  readonly call: Call;
  readonly pipeline: string;
  /** The group around it. */
  readonly in: AuthoredGroup | undefined;
  readonly foreach: unknown;
  /** What its function gave; undefined where it is no function. */
  readonly last: { readonly given: unknown } | undefined;
}

/** An action as its authoring function notes it: of which kind, and what it was given. */
export interface AuthoredAction {
  readonly kind: string;
  /** What the kind's compile step takes. */
  readonly given: unknown;
  readonly slips: readonly Slip[];
}

/** What the user wrote, when the value is an object of the authoring API. */
export function authored(value: unknown): Authored | undefined {
  if (value === null || typeof value !== 'object') return undefined;
  return (value as Partial<AuthoredObject>)[AUTHORED];
}
