// Sources: where rows come from, their columns and times. One function a kind; all share SourceOptions.

import {
  ABOUT_OPTIONS,
  type AboutOptions,
  type AnySourceOptions,
  type AuthoredObject,
  type AuthoredSource,
  type SqlText,
} from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { ColumnOf, Columns, Flat, RowOf, ValueOf } from './column-type.ts';
import type { SourceKind } from '../manifest.ts';

/** A source of rows; `C` are its columns, the derived ones included. */
export interface Source<C extends Columns = Columns> extends AuthoredObject<AuthoredSource> {
  readonly name: string;
  readonly columns: C;
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
};

interface FileLocation {
  /** A glob: relative to the feature repository, absolute, or s3://bucket/… */
  readonly path: string;
}

type DatabaseLocation = {
  /** `env:NAME`: the environment variable that holds the URL. A URL itself is refused: it would be kept for ever. */
  readonly connection: string;
} & ({ readonly table: string; readonly query?: never } | { readonly query: string; readonly table?: never });

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

const FILE_LOCATION: OptionNames<FileLocation> = { path: true };
const ICEBERG_LOCATION: OptionNames<IcebergLocation> = { path: true, catalog: true, table: true };
const DATABASE_LOCATION: OptionNames<DatabaseLocation> = { connection: true, table: true, query: true };

function source<C extends Columns, D extends Columns>(
  sourceKind: SourceKind,
  name: string,
  options: SourceOptions<C, D>,
  whereItLies: Readonly<Record<string, true>>,
): Source<Flat<C & D>> {
  const call = noteCall(options, { ...SOURCE_OPTIONS, ...whereItLies });
  // The compile step checks what the types promise, for users of plain JavaScript; so it reads the widened shape.
  const written = optionsOf(options) as unknown as AnySourceOptions & Readonly<Record<string, string | undefined>>;
  const derived = Object.entries(written.derive ?? {}).map(([column, entry]) => [column, entry?.[0]]);
  // The two sets of columns, merged: exactly what Flat<C & D> says.
  const columns = { ...written.columns, ...Object.fromEntries(derived) } as Flat<C & D>;
  const location = Object.fromEntries(Object.keys(whereItLies).map((member) => [member, written[member]]));
  return { name, columns, [AUTHORED]: { kind: 'source', name, call, sourceKind, location, options: written } };
}

/** Parquet files: `path` is a glob. */
export function parquet<C extends Columns, D extends Columns = {}>(
  name: string,
  options: FileLocation & SourceOptions<C, D>,
): Source<Flat<C & D>> {
  return source('parquet', name, options, FILE_LOCATION);
}

/** CSV files with a header line: `path` is a glob. */
export function csv<C extends Columns, D extends Columns = {}>(
  name: string,
  options: FileLocation & SourceOptions<C, D>,
): Source<Flat<C & D>> {
  return source('csv', name, options, FILE_LOCATION);
}

/** An Iceberg table, read at the snapshot that is its current one when a run begins. */
export function iceberg<C extends Columns, D extends Columns = {}>(
  name: string,
  options: IcebergLocation & SourceOptions<C, D>,
): Source<Flat<C & D>> {
  return source('iceberg', name, options, ICEBERG_LOCATION);
}

/** A Delta table, read at the version that is its newest when a run begins. */
export function delta<C extends Columns, D extends Columns = {}>(
  name: string,
  options: DeltaLocation & SourceOptions<C, D>,
): Source<Flat<C & D>> {
  return source('delta', name, options, FILE_LOCATION);
}

/** A table or query of PostgreSQL, or of what speaks its protocol: Redshift, RDS, Aurora. */
export function postgres<C extends Columns, D extends Columns = {}>(
  name: string,
  options: DatabaseLocation & SourceOptions<C, D>,
): Source<Flat<C & D>> {
  return source('postgres', name, options, DATABASE_LOCATION);
}

/** A table or query of MySQL. */
export function mysql<C extends Columns, D extends Columns = {}>(
  name: string,
  options: DatabaseLocation & SourceOptions<C, D>,
): Source<Flat<C & D>> {
  return source('mysql', name, options, DATABASE_LOCATION);
}

/** A table or query of Snowflake. */
export function snowflake<C extends Columns, D extends Columns = {}>(
  name: string,
  options: DatabaseLocation & SourceOptions<C, D>,
): Source<Flat<C & D>> {
  return source('snowflake', name, options, DATABASE_LOCATION);
}

/** Events that only arrive by push; the push log is the source. */
export function pushed<C extends Columns, D extends Columns = {}>(
  name: string,
  options: SourceOptions<C, D>,
): Source<Flat<C & D>> {
  return source('pushed', name, options, {});
}
