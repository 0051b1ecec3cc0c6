// Sources: where rows come from, their columns and times. One function a kind; all share SourceOptions.

import {
  ABOUT_OPTIONS,
  type AboutOptions,
  type AnySourceOptions,
  authored,
  type AuthoredObject,
  type AuthoredSource,
  type SqlText,
} from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { ColumnOf, Columns, Flat, RowOf, ValueOf } from './column-type.ts';
import type { SourceExpect } from './expect.ts';
import type { PartitionUnit, SourceKind } from '../manifest.ts';
import { type PushedOptions, pushedTo, type Trigger } from './trigger.ts';

declare const sourceShape: unique symbol;

/** The rows that a source takes, by its name. Types only. */
export interface SourceShape<N extends string = string, C = Columns> {
  readonly name: N;
  readonly columns: C;
}

/** A source of rows; `C` are its columns, the derived ones included, `S` is its SourceShape, without those. */
export interface Source<C extends Columns = Columns, S = unknown> extends AuthoredObject<AuthoredSource> {
  readonly name: string;
  readonly columns: C;
  readonly [sourceShape]?: S;
}

/** What every kind of source takes. `C` are the columns as they lie there, `D` those derived from them. */
export interface SourceOptions<C extends Columns, D extends Columns> extends AboutOptions {
  readonly columns: C;
  /** Columns computed from the row: by a pure function, or by SQL where the source's engine must run it. */
  readonly derive?: {
    readonly [Name in keyof D]: readonly [D[Name], ((row: RowOf<C>) => ValueOf<NoInfer<D[Name]>> | null) | SqlText];
  };
  /** The timestamp column that says when it happened. */
  readonly eventTime: NoInfer<ColumnOf<C & D, 'timestamp'> & string>;
  /** When it could be known: a timestamp column, or a fixed time after the event. Default: the event time. */
  readonly knownTime?: NoInfer<ColumnOf<C & D, 'timestamp'> & string> | KnownTimeOptions;
  /** A column that orders arrivals: the last tie-break between rows of the same event and known time. */
  readonly createdOrder?: NoInfer<keyof C & string>;
  /** A bool column: true deletes the key from the event time on. */
  readonly tombstone?: NoInfer<ColumnOf<C & D, 'bool'> & string>;
  /**
   * `keep`: pushed events are part of the source for ever. `until-materialized`: the files get the same events later, and
   * up to their newest event time only the files count.
   */
  readonly pushes?: 'keep' | 'until-materialized';
  /**
   * For files whose rows come out of order: how long after an event all rows up to its time have come, such as '2h'. So far
   * behind the files' newest event time pushed events still count. Default: no time at all.
   */
  readonly completeAfter?: string;
  /** What its rows have to be like, and what is done about those that are not. */
  readonly expect?: NoInfer<SourceExpect<Flat<C & D>>>;
}

interface KnownTimeOptions {
  readonly after: string;
}

export const KNOWN_TIME_OPTIONS: OptionNames<KnownTimeOptions> = { after: true };

const SOURCE_OPTIONS: OptionNames<SourceOptions<Columns, Columns>> = {
  ...ABOUT_OPTIONS,
  columns: true,
  derive: true,
  eventTime: true,
  knownTime: true,
  createdOrder: true,
  tombstone: true,
  pushes: true,
  completeAfter: true,
  expect: true,
};

interface FileLocation {
  /** A glob: relative to the feature repository, absolute, or s3://bucket/… */
  readonly path: string;
  /**
   * What the path's `NAME=VALUE` folders say of the event times of the rows in them, in UTC: `{ dt: 'date' }`, or
   * `{ year: 'year', month: 'month', day: 'day' }`. Files whose folder says that they hold nothing that is needed are not
   * opened; a file with a row of another time is an error.
   */
  readonly partitions?: Readonly<Record<string, PartitionUnit>>;
}

interface QueryOptions {
  /** A SELECT over the declared sources, by their names, with their declared and derived columns. */
  readonly sql: string | SqlText;
  /** Sources of facts: a row of theirs counts from when it was known. Join what changes over time as of the event. */
  readonly over: readonly AnySource[];
  /** Sources whose rows hold at all times: a table of countries, say. */
  readonly static?: readonly AnySource[];
}

type AnySource = Pick<Source, typeof AUTHORED | 'name'>;

type DatabaseLocation = {
  /** `env:NAME`: the environment variable that holds the URL. A URL itself is refused: it would be kept for ever. */
  readonly connection: string;
} & (
  | {
      /** `orders` or `sales.orders`; a part that holds a dot or a blank stands in double quotes: `'"my.schema".orders'`. */
      readonly table: string;
      readonly query?: never;
    }
  | {
      /** A SELECT in the database's own SQL, which gives the declared columns. It is run in a read-only transaction. */
      readonly query: string;
      readonly table?: never;
    }
);

const FILE_OPTIONS: OptionNames<FileLocation> = { path: true, partitions: true };
const QUERY_OPTIONS: OptionNames<QueryOptions> = { sql: true, over: true, static: true };
/** Where a Kafka source's messages come from and how they are written. */
export interface KafkaLocation {
  /**
   * `env:NAME`: the environment variable that holds `host:port,host:port`, or a URL with user and password, such as
   * `kafka://user:password@host:port?mechanism=SCRAM-SHA-256`; `kafkas:` is with TLS, by the authorities of `sslrootcert=FILE`.
   */
  readonly brokers: string;
  readonly topic: string;
  readonly format: 'json' | 'avro' | 'protobuf';
  /** The consumer group. Default: `headrace.PROJECT.SOURCE`. */
  readonly group?: string;
  /** Where messages go that are no rows: a topic, or `file:PATH` for JSON lines. Default: topic `TOPIC.dead`. */
  readonly deadLetter?: string;
  /** The file of the messages' schema (.avsc, .proto), relative to the feature repository. */
  readonly schema?: string;
  /** The Protobuf message's full name, where the file has several. */
  readonly message?: string;
  /** `env:NAME`: the URL of a schema registry (Confluent's protocol), by whose ids the messages are written. */
  readonly registry?: string;
  /** What numbers in timestamp columns count since 1970. Left out: timestamps are text or say their own unit. */
  readonly timeUnit?: 's' | 'ms' | 'us';
}

const KAFKA_LOCATION: OptionNames<KafkaLocation> = {
  brokers: true,
  topic: true,
  format: true,
  group: true,
  deadLetter: true,
  schema: true,
  message: true,
  registry: true,
  timeUnit: true,
};

/** An Iceberg table: by where it lies, or by its name in a REST catalog. */
type IcebergLocation =
  | {
      /** Its folder or one of its metadata files: relative to the feature repository, absolute, or s3://bucket/… */
      readonly path: string;
      readonly catalog?: never;
      readonly table?: never;
    }
  | {
      /** `env:NAME`: the environment variable that holds the catalog's URL, with what it asks for. */
      readonly catalog: string;
      /** `namespace.table`. */
      readonly table: string;
      readonly path?: never;
    };

interface DeltaLocation {
  /** The table's folder: relative to the feature repository, absolute, or s3://bucket/… */
  readonly path: string;
}

const DELTA_LOCATION: OptionNames<DeltaLocation> = { path: true };
const ICEBERG_LOCATION: OptionNames<IcebergLocation> = { path: true, catalog: true, table: true };
const DATABASE_LOCATION: OptionNames<DatabaseLocation> = { connection: true, table: true, query: true };

/** Options that say where the rows lie, each a text. */
const LOCATION: ReadonlySet<string> = new Set([
  'path',
  'connection',
  'table',
  'query',
  'catalog',
  ...Object.keys(KAFKA_LOCATION),
]);

function source<C extends Columns, D extends Columns, N extends string>(
  sourceKind: SourceKind,
  name: N,
  options: SourceOptions<C, D>,
  ownOptions: Readonly<Record<string, true>>,
): Source<Flat<C & D>, SourceShape<N, C>> {
  const call = noteCall(options, { ...SOURCE_OPTIONS, ...ownOptions });
  // The compile step checks what the types promise, for users of plain JavaScript; so it reads the widened shape.
  const written = optionsOf(options) as unknown as AnySourceOptions & Readonly<Record<string, string | undefined>>;
  const derived = Object.entries(written.derive ?? {}).map(([column, entry]) => [column, entry?.[0]]);
  // The two sets of columns, merged: exactly what Flat<C & D> says.
  const columns = { ...written.columns, ...Object.fromEntries(derived) } as Flat<C & D>;
  const members = Object.keys(ownOptions).filter((member) => LOCATION.has(member));
  const location = Object.fromEntries(members.map((member) => [member, written[member]]));
  return { name, columns, [AUTHORED]: { kind: 'source', name, call, sourceKind, location, options: written } };
}

/** Parquet files: `path` is a glob. */
export function parquet<C extends Columns, D extends Columns = {}, N extends string = string>(
  name: N,
  options: FileLocation & SourceOptions<C, D>,
): Source<Flat<C & D>, SourceShape<N, C>> {
  return source('parquet', name, options, FILE_OPTIONS);
}

/** CSV files with a header line: `path` is a glob. */
export function csv<C extends Columns, D extends Columns = {}, N extends string = string>(
  name: N,
  options: FileLocation & SourceOptions<C, D>,
): Source<Flat<C & D>, SourceShape<N, C>> {
  return source('csv', name, options, FILE_OPTIONS);
}

/** An Iceberg table, read at the snapshot that is its current one when a run begins. */
export function iceberg<C extends Columns, D extends Columns = {}, N extends string = string>(
  name: N,
  options: IcebergLocation & SourceOptions<C, D>,
): Source<Flat<C & D>, SourceShape<N, C>> {
  return source('iceberg', name, options, ICEBERG_LOCATION);
}

/** A Delta table, read at the version that is its newest when a run begins. */
export function delta<C extends Columns, D extends Columns = {}, N extends string = string>(
  name: N,
  options: DeltaLocation & SourceOptions<C, D>,
): Source<Flat<C & D>, SourceShape<N, C>> {
  return source('delta', name, options, DELTA_LOCATION);
}

/**
 * A table or query of PostgreSQL, or of what speaks its protocol: Redshift, RDS, Aurora. The variable holds
 * `postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full`, or `redshift://…`.
 */
export function postgres<C extends Columns, D extends Columns = {}, N extends string = string>(
  name: N,
  options: DatabaseLocation & SourceOptions<C, D>,
): Source<Flat<C & D>, SourceShape<N, C>> {
  return source('postgres', name, options, DATABASE_LOCATION);
}

/** A table or query of MySQL or MariaDB. The variable holds `mysql://USER:PASSWORD@HOST:3306/DATABASE?sslmode=verify-full`. */
export function mysql<C extends Columns, D extends Columns = {}, N extends string = string>(
  name: N,
  options: DatabaseLocation & SourceOptions<C, D>,
): Source<Flat<C & D>, SourceShape<N, C>> {
  return source('mysql', name, options, DATABASE_LOCATION);
}

/**
 * A table or query of Snowflake, by its SDK: `npm install snowflake-sdk`. The variable holds
 * `snowflake://USER:PASSWORD@ACCOUNT/DATABASE/SCHEMA?warehouse=WAREHOUSE&role=ROLE`.
 */
export function snowflake<C extends Columns, D extends Columns = {}, N extends string = string>(
  name: N,
  options: DatabaseLocation & SourceOptions<C, D>,
): Source<Flat<C & D>, SourceShape<N, C>> {
  return source('snowflake', name, options, DATABASE_LOCATION);
}

/**
 * Rows of a query over other sources: orders with their items, say. What it tells of a time must be made of what was known
 * by then; that is checked, and a query that leaks is an error.
 */
export function query<C extends Columns, D extends Columns = {}, N extends string = string>(
  name: N,
  options: QueryOptions & SourceOptions<C, D>,
): Source<Flat<C & D>, SourceShape<N, C>> {
  return source('query', name, options, QUERY_OPTIONS);
}

/** Messages of a Kafka topic: `headrace consume` pushes them, and the push log is the source. */
export function kafka<C extends Columns, D extends Columns = {}, N extends string = string>(
  name: N,
  options: KafkaLocation & SourceOptions<C, D>,
): Source<Flat<C & D>, SourceShape<N, C>> {
  return source('kafka', name, options, KAFKA_LOCATION);
}

/** Events that only arrive by push; the push log is the source. */
export function pushed<C extends Columns, D extends Columns = {}, N extends string = string>(
  name: N,
  options: SourceOptions<C, D>,
): Source<Flat<C & D>, SourceShape<N, C>>;
/**
 * What starts a pipeline where the source was pushed to: `on: [pushed(flights)]`. However many pushes come, a run begins a minute
 * after the one before at the soonest, or as `every` says: `pushed(flights, { every: '10m' })`.
 */
export function pushed(source: AuthoredObject<AuthoredSource>, options?: PushedOptions): Trigger;
export function pushed<C extends Columns, D extends Columns = {}, N extends string = string>(
  given: N | AuthoredObject<AuthoredSource>,
  // Where plain JavaScript leaves it out for a source, that is told as of every other.
  options?: SourceOptions<C, D> | PushedOptions,
): Source<Flat<C & D>, SourceShape<N, C>> | Trigger {
  if (authored(given) !== undefined) {
    // The signatures pair each first argument with its options.
    return pushedTo(given as AuthoredObject<AuthoredSource>, options as PushedOptions | undefined);
  }
  return source('pushed', given as N, options as SourceOptions<C, D>, {});
}
