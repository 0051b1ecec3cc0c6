// `t`: the types of columns, keys and features as users write them. Each carries the TypeScript type of its values, so
// that rows, transforms and defaults are checked by the compiler.

import type { DataType } from '../../core/index.ts';

declare const valueOf: unique symbol;
declare const lacking: unique symbol;

export type Kind = DataType['kind'];

/** A column's type: `t.float64()`. `V` is what its values are in TypeScript (besides null), `K` the kind's name. */
export interface ColumnType<V, K extends Kind = Kind> {
  readonly kind: K;
  readonly type: DataType;
  readonly defaultValue?: unknown;
  readonly isOptional?: boolean;
  /**
   * Of a request column or an entity's key: what a row that lacks it, or has null there, stands for, in training sets and at
   * serving time alike. Of an on-demand view's feature: stands in for null where a model cannot take one.
   */
  default(value: V): ColumnType<V, K> & MayLack;
  /** Of a request column or an entity's key: a row may leave it out, which is null. Without it a row must carry a value. */
  optional(): ColumnType<V, K> & MayLack;
  readonly [valueOf]?: V;
}

/** Marks the type of a column that rows may leave out. Types only. */
export interface MayLack {
  readonly [lacking]: true;
}

// The value's type does not matter here, only that it is a column type. `any` makes every ColumnType assignable.
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyColumnType = ColumnType<any>;

/** Columns by name, in declared order. */
export type Columns = Readonly<Record<string, AnyColumnType>>;

/** What a value of the type is in TypeScript, null aside. */
export type ValueOf<T> = T extends ColumnType<infer V> ? V : never;

/** A row as a user's function sees it: every column may be null. */
export type RowOf<C> = { readonly [Name in keyof C]: ValueOf<C[Name]> | null };

/** Names of the columns of `C` whose kind is one of `K`. As `keyof`, so that a message lists the names themselves. */
export type ColumnOf<C, K extends Kind> = keyof {
  [Name in keyof C & string as C[Name] extends ColumnType<infer _, infer Own>
    ? Own extends K
      ? Name
      : never
    : never]: never;
};

/** Merges an intersection into one object type, so that messages and hovers stay readable. */
export type Flat<T> = { [Name in keyof T]: T[Name] };

function columnType<V, K extends Kind>(type: DataType & { readonly kind: K }): ColumnType<V, K> {
  return {
    kind: type.kind,
    type,
    // The mark is the compiler's alone.
    default(value) {
      return { ...this, defaultValue: value } as ColumnType<V, K> & MayLack;
    },
    optional() {
      return { ...this, isOptional: true } as ColumnType<V, K> & MayLack;
    },
  };
}

/** The types that columns, keys and features can have. Every type is nullable. */
export const t = {
  /** `boolean` */
  bool: (): ColumnType<boolean, 'bool'> => columnType({ kind: 'bool' }),
  /** `number`, whole, 32 bits */
  int32: (): ColumnType<number, 'int32'> => columnType({ kind: 'int32' }),
  /** `bigint`, 64 bits, exact beyond 2^53 */
  int64: (): ColumnType<bigint, 'int64'> => columnType({ kind: 'int64' }),
  /** `number`, rounded to 32 bits */
  float32: (): ColumnType<number, 'float32'> => columnType({ kind: 'float32' }),
  /** `number` */
  float64: (): ColumnType<number, 'float64'> => columnType({ kind: 'float64' }),
  /** `string` */
  string: (): ColumnType<string, 'string'> => columnType({ kind: 'string' }),
  /** `Uint8Array` */
  bytes: (): ColumnType<Uint8Array, 'bytes'> => columnType({ kind: 'bytes' }),
  /** `Date` in user functions (milliseconds); whole microseconds everywhere else */
  timestamp: (): ColumnType<Date, 'timestamp'> => columnType({ kind: 'timestamp' }),
  // In plain JavaScript anything may come as the type of items; the compile step tells what is none.
  /** `V[]` of another type: `t.list(t.string())`; items may be null in the data */
  list: <V>(of: ColumnType<V>): ColumnType<V[], 'list'> => columnType({ kind: 'list', of: of?.type }),
  /** `Float32Array` of exactly `size` elements, an embedding for example */
  vector: (size: number): ColumnType<Float32Array, 'vector'> => columnType({ kind: 'vector', size }),
} as const;
