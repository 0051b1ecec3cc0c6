// The manifest: what a feature repository compiles to. Plain JSON, deterministic, hashed; everything downstream
// (registry, offline, online, serving) works from it and never from the user's objects.

import type { Condition, DataType, Field, HeadraceError, Micros } from '../core/index.ts';
import type { OnFail } from './authoring/expect.ts';
import type { ExperimentSpec } from './experiment-spec.ts';
import type { GraphSpec } from './graph-spec.ts';
import type { PipelineSpec } from './pipeline-spec.ts';
import type { RolloutSpec } from './rollout-spec.ts';

export interface Manifest {
  readonly format: 1;
  readonly project: string;
  readonly entities: Readonly<Record<string, EntitySpec>>;
  readonly sources: Readonly<Record<string, SourceSpec>>;
  readonly views: Readonly<Record<string, ViewSpec>>;
  readonly onDemandViews: Readonly<Record<string, OnDemandViewSpec>>;
  readonly services: Readonly<Record<string, ServiceSpec>>;
  readonly models: Readonly<Record<string, ModelSpec>>;
  readonly endpoints: Readonly<Record<string, EndpointSpec>>;
  readonly pipelines: Readonly<Record<string, PipelineSpec>>;
  /** Left out where there is none, as are those below: manifests of before have the hash that they had. */
  readonly experiments?: Readonly<Record<string, ExperimentSpec>>;
  readonly rollouts?: Readonly<Record<string, RolloutSpec>>;
}

/** What people write about any object; changes nothing that is computed. */
export interface About {
  readonly description?: string;
  readonly owner?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** What an object was called before, as its author says, and the name under which its data lies, as the registry found. */
export interface Renamed {
  readonly renamedFrom?: string;
  /** Left out: its own name. Set when a rename is applied, and kept from then on. */
  readonly storedAs?: string;
}

export interface EntitySpec extends About, Renamed {
  readonly name: string;
  /** In declared order, which is the order of the encoded key. */
  readonly keys: readonly Field[];
}

export type SourceKind =
  | 'parquet'
  | 'csv'
  | 'iceberg'
  | 'delta'
  | 'postgres'
  | 'mysql'
  | 'snowflake'
  | 'query'
  | 'kafka'
  | 'pushed';

export interface SourceSpec extends About {
  readonly name: string;
  readonly kind: SourceKind;
  /**
   * Where it lies, by kind: `{ path }` for files and tables of a lake, `{ catalog, table }` for Iceberg;
   * `{ connection, table | query }` for databases; `{ query }` for queries; `{ brokers, topic, format, … }` for Kafka; `{}` for
   * pushed.
   */
  readonly location: Readonly<Record<string, string>>;
  readonly columns: readonly Field[];
  readonly derive: readonly DeriveSpec[];
  readonly eventTime: string;
  readonly knownTime:
    | { readonly kind: 'column'; readonly column: string }
    | { readonly kind: 'after'; readonly micros: Micros };
  /** A column that orders arrivals, the last tie-break before the row's content. */
  readonly createdOrder?: string;
  /** A bool column: true deletes the key from the event time on. */
  readonly tombstone?: string;
  readonly pushes: 'keep' | 'until-materialized';
  /**
   * Of files: what the path's `NAME=VALUE` folders say of the event times in it, in UTC. A file is not opened whose path
   * says that it holds nothing that is needed.
   */
  readonly partitions?: Readonly<Record<string, PartitionUnit>>;
  /** Of a query: the sources that its SQL knows by their names. */
  readonly over?: readonly QueriedSource[];
  /** So far behind the newest event time of the files they may still lack rows; left out: they lack none. */
  readonly completeAfterMicros?: Micros;
  /** What its rows have to be like; left out for nothing. */
  readonly expect?: readonly Expectation[];
  /** Of a topic: the schema's file and those that it imports; left out where it has none, or one that lies in no repository. */
  readonly files?: readonly AppliedFile[];
}

/** A source that a query reads. */
export interface QueriedSource {
  readonly source: string;
  /** Its rows hold at all times, past ones too; of others a row counts from when it was known. */
  readonly isStatic: boolean;
}

/** What a folder's value is: a date (`2026-01-05`, `20260105`), or a part of one. */
export type PartitionUnit = 'date' | 'year' | 'month' | 'day' | 'hour';
/** A rule, and what is done about what breaks it. */
export type Expectation = Rule & { readonly onFail: OnFail };

/** Values are in JSON form, by the column's type. Null breaks no rule of a column but `notNull`. */
export type Rule = ValueRule | TableRule;

/** Of one value by itself. */
export type ValueRule =
  | { readonly rule: 'notNull'; readonly column: string }
  /** Both ends are included; null is no end. */
  | { readonly rule: 'between'; readonly column: string; readonly min: unknown; readonly max: unknown }
  | { readonly rule: 'oneOf'; readonly column: string; readonly values: readonly unknown[] };

/** Of all rows together. */
export type TableRule =
  | { readonly rule: 'unique'; readonly columns: readonly string[] }
  | { readonly rule: 'fresh'; readonly withinMicros: Micros }
  | { readonly rule: 'rowCount'; readonly min?: number; readonly max?: number };

/** A column computed from the others: by a user's function of the row, or by the source's own SQL. */
export interface DeriveSpec {
  readonly name: string;
  readonly type: DataType;
  readonly by:
    | { readonly kind: 'function'; readonly function: FunctionRef }
    | { readonly kind: 'sql'; readonly sql: string };
}

/** Names a user's function in `Definitions.functions`; the hash is of its text, so a change of code is a new version. */
export interface FunctionRef {
  readonly id: string;
  readonly hash: string;
  /** SHA-256 of the bundle that it is loaded from; left out where the function lies in no file. */
  readonly bundle?: string;
  /**
   * What it reads, sorted; left out where that can't be told. Of a derive function: columns of the row. Of a transform:
   * members of its inputs, `origin.mean_7d`, or an input's name where it may read all of it.
   */
  readonly reads?: readonly string[];
}

export interface ViewSpec extends About, Renamed {
  readonly name: string;
  readonly entity: string;
  readonly source: string;
  /** Source column for each of the entity's keys, in the entity's order. */
  readonly keyColumns: readonly string[];
  /** Bounds `latest` only; null is for ever. */
  readonly ttlMicros: Micros | null;
  readonly features: readonly FeatureSpec[];
  readonly freshness:
    | { readonly kind: 'live' }
    | { readonly kind: 'scheduled'; readonly everyMicros: Micros; readonly lagMicros: Micros };
  /** When it is materialized: a cron expression, with its IANA time zone (default UTC). */
  readonly schedule?: string;
  readonly timezone?: string;
  /** Left out: where nobody was there at its last tick, it is materialized late. */
  readonly catchUp?: 'none';
  /** What its features' values have to be like; left out for nothing. */
  readonly expect?: readonly Expectation[];
}

/** A stored feature. `type` is the result's type. */
export interface FeatureSpec extends Field, Pick<Renamed, 'renamedFrom'> {
  readonly aggregation: Aggregation;
  readonly description?: string;
}

export type WindowOp =
  | 'count'
  | 'sum'
  | 'mean'
  | 'min'
  | 'max'
  | 'stddev'
  | 'variance'
  | 'first'
  | 'last'
  | 'lastN'
  | 'countDistinct';

export type Aggregation =
  | { readonly op: 'latest'; readonly column: string }
  | {
      readonly op: WindowOp;
      /** null only for `count()`, which counts rows. */
      readonly column: string | null;
      readonly windowMicros: Micros;
      /** Already defaulted: 5 min for windows up to 12 h, 1 h up to 12 d, else 1 d. */
      readonly hopMicros: Micros;
      /** For lastN: how many. */
      readonly n?: number;
    };

export interface OnDemandViewSpec extends About, Pick<Renamed, 'renamedFrom'> {
  readonly name: string;
  readonly inputs: readonly OnDemandInput[];
  readonly features: readonly Field[];
  readonly transform: FunctionRef;
}

/** One member of the object that `transform` gets, under `name`. */
export type OnDemandInput =
  | { readonly kind: 'request'; readonly name: string; readonly columns: readonly Field[] }
  | {
      readonly kind: 'view';
      readonly name: string;
      readonly view: string;
      /** Request column for each of the entity's keys, in the entity's order. */
      readonly keyColumns: readonly string[];
    }
  | { readonly kind: 'onDemand'; readonly name: string; readonly view: string };

export interface ServiceSpec extends About {
  readonly name: string;
  readonly members: readonly ServiceMember[];
}

export type ServiceMember =
  | {
      readonly kind: 'view';
      /** Prefix of the full feature names: the role, or the view's name. */
      readonly role: string;
      readonly view: string;
      /** Request (spine) column for each of the entity's keys, in the entity's order. */
      readonly keyColumns: readonly string[];
      /** The picked features, in order. */
      readonly features: readonly string[];
    }
  | { readonly kind: 'onDemand'; readonly role: string; readonly view: string; readonly features: readonly string[] };

export interface ModelSpec extends About {
  readonly name: string;
  readonly service: string;
  readonly outputs: readonly Field[];
  /** Execution providers in order of preference; default ['cpu']. */
  readonly providers: readonly string[];
  /** Whether rows of different callers may share a run; left out where runs are to show it. */
  readonly batch?: boolean;
  /** Of a model that is made of others. */
  readonly graph?: GraphSpec;
}

export interface EndpointSpec extends About {
  readonly name: string;
  readonly model: string;
  /** Request columns whose values together are the unit that sticks to a variant; none: each request is one of its own. */
  readonly unit: readonly string[];
  /** Asked in order, before all else; left out where there are none. */
  readonly rules?: readonly EndpointRule[];
  /** Units that are kept from every experiment and rollout. */
  readonly holdout?: Holdout;
  /** What a prediction does when the online store is down. */
  readonly whenStoreDown: 'fail' | 'defaults';
  /** What is kept of the models' answers; left out where nothing is. */
  readonly cache?: CacheSpec;
}

/** Bounds of what a worker keeps for one endpoint. */
export interface CacheSpec {
  readonly ttlMicros: Micros;
  readonly maxBytes: number;
  readonly maxEntries: number;
}

/** Rows of which a condition holds get one variant, whatever their unit. */
export interface EndpointRule {
  /** On request columns. */
  readonly when: Condition;
  /** A variant's name, or an experiment's arm as `experiment/arm`; one that is not there is the base. */
  readonly variant: string;
}

export interface Holdout {
  /** Also the seed: endpoints that name one holdout keep the same units from what they try. */
  readonly name: string;
  /** In steps of 0.01. */
  readonly percent: number;
}

/** A file that travels: its path in the feature repository, and the SHA-256 that it is stored under. */
export interface AppliedFile {
  readonly path: string;
  readonly hash: string;
}

/** A user's function as the process holds it; its hash is in the manifest. */
// The arguments and results are checked where each kind of function is called.
export type UserFunction = (...args: never[]) => unknown;

/** A loaded feature repository: the manifest, and the functions that its hashes name. */
export interface Definitions {
  readonly manifest: Manifest;
  /** SHA-256 of the manifest's canonical JSON. */
  readonly hash: string;
  readonly functions: ReadonlyMap<string, UserFunction>;
  /** Functions that are left out, with why: their code can't be had. */
  readonly lost?: ReadonlyMap<string, HeadraceError>;
  /** Code of the functions' bundles by hash. Empty where definitions are made in memory. */
  readonly bundles: ReadonlyMap<string, string>;
  /** Absolute folder of the repository: relative paths in sources and pipelines start here. */
  readonly directory: string;
}
