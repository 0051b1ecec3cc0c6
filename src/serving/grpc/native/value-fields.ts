// Numbers of the fields of headrace.v1.Value and what it holds, as proto/headrace/v1/serving.proto has them.

export const KIND = {
  null: 1,
  bool: 2,
  int64: 3,
  double: 4,
  string: 5,
  bytes: 6,
  timestamp: 7,
  list: 8,
  vector: 9,
} as const;

/** Of ListValue, and of VectorValue. */
export const ITEMS = 1;
/** Of google.protobuf.Timestamp. */
export const SECONDS = 1;
export const NANOS = 2;
/** Of an entry of a map. */
export const KEY = 1;
export const VALUE = 2;
