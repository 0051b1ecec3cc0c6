// A source with a column of every plain type, and the features that can be made of each.

import type { DataType, Field } from '../../src/core/index.ts';
import type { FeatureSpec, WindowOp } from '../../src/definitions/index.ts';
import { fields, latest, TYPES, windowed } from './offline-world.ts';

const MINUTE = 60_000_000;
const { int64, int32, float32, float64, string, timestamp, bool, bytes } = TYPES;

/** Keys `a` and `b`, times, what orders and deletes rows, and a column of every type. */
export const EVERY_TYPE = fields({
  a: int64,
  b: string,
  at: timestamp,
  known: timestamp,
  seq: int32,
  gone: bool,
  i32: int32,
  i64: int64,
  f32: float32,
  f64: float64,
  s: string,
  flag: bool,
  ts: timestamp,
  raw: bytes,
});
export const DATA = ['i32', 'i64', 'f32', 'f64', 's', 'flag', 'ts', 'raw'];

const typeOf = (column: string): DataType => (EVERY_TYPE.find(({ name }) => name === column) as Field).type;
export const newest = (column: string, type = typeOf(column)): FeatureSpec => latest(`last_${column}`, type, column);

/** Of `type`: a column's own, when left out. */
export function over(
  op: WindowOp,
  column: string | null,
  minutes: number,
  hopMinutes: number,
  type: DataType = typeOf(column ?? 'i64'),
): FeatureSpec {
  const name = `${op}_${column ?? 'rows'}_${minutes}_${hopMinutes}`;
  return windowed(name, resultOf(op, type), op, column, minutes * MINUTE, hopMinutes * MINUTE, 3);
}

function resultOf(op: WindowOp, type: DataType): DataType {
  if (op === 'count' || op === 'countDistinct') return int64;
  if (op === 'sum') return type.kind === 'int32' || type.kind === 'int64' ? int64 : float64;
  if (op === 'mean' || op === 'variance' || op === 'stddev') return float64;
  return op === 'lastN' ? { kind: 'list', of: type } : type;
}
