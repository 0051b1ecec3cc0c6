// The types a column, key or feature can have, as plain JSON values; every type is nullable.
// How each maps to DuckDB, Arrow, ONNX and JSON is in docs/reference/types.md.

/** A column's type. `size` of a vector is its number of float32 elements. */
export type DataType =
  | { readonly kind: 'bool' }
  | { readonly kind: 'int32' }
  | { readonly kind: 'int64' }
  | { readonly kind: 'float32' }
  | { readonly kind: 'float64' }
  | { readonly kind: 'string' }
  | { readonly kind: 'bytes' }
  | { readonly kind: 'timestamp' }
  | { readonly kind: 'list'; readonly of: DataType }
  | { readonly kind: 'vector'; readonly size: number };

/**
 * A value as Headrace holds it inside: int64 is a bigint, a timestamp is its microseconds since 1970 UTC as a whole
 * number (never a Date; before 1684 and after 2255 the number that `timeOfMicros` gives), a vector is a Float32Array.
 */
export type Value = boolean | number | bigint | string | Uint8Array | Float32Array | readonly Value[] | null;

/** A row by column name. */
export type Row = Readonly<Record<string, Value>>;

/** A named, typed column: of a source, a key, a request, a feature, a model's output. */
export interface Field {
  readonly name: string;
  readonly type: DataType;
  /**
   * JSON form of a value of `type`. Of a request column: what an absent one, or null, stands for. Of a feature: what stands in
   * for null where a model cannot take one.
   */
  readonly default?: unknown;
  /** Of a request column or an entity's key: a row may leave it out. Never set beside a default, which says as much. */
  readonly isOptional?: true;
}

/** The type as users write it: `int64`, `list(string)`, `vector(8)`. */
export function typeName(type: DataType): string {
  switch (type.kind) {
    case 'list':
      return `list(${typeName(type.of)})`;
    case 'vector':
      return `vector(${type.size})`;
    default:
      return type.kind;
  }
}

export function sameType(a: DataType, b: DataType): boolean {
  return typeName(a) === typeName(b);
}

/** Whether arithmetic (sum, mean, variance) is defined on the type. */
export function isNumeric(type: DataType): boolean {
  return type.kind === 'int32' || type.kind === 'int64' || type.kind === 'float32' || type.kind === 'float64';
}

/** Whether a value of the type is one JavaScript number inside (int64 is not: it is a bigint). */
export function isPlainNumber(type: DataType): boolean {
  return type.kind === 'int32' || type.kind === 'float32' || type.kind === 'float64' || type.kind === 'timestamp';
}

/** Bytes that a value of the type always takes where it is stored; 0 when that varies. */
export function fixedWidth({ kind }: DataType): number {
  switch (kind) {
    case 'bool':
      return 1;
    case 'int32':
    case 'float32':
      return 4;
    case 'int64':
    case 'float64':
    case 'timestamp':
      return 8;
    default:
      return 0;
  }
}
