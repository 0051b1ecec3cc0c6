// Where a feature's value goes straight from the packed bytes that it lies in: a writer of answers is one.

import type { DataType, Micros, Value } from '../../core/index.ts';

/** Takes one value a call. */
export interface ValueSink {
  none(): void;
  bool(value: boolean): void;
  /** Of an int32 or a float; NaN and the infinities too. */
  number(value: number): void;
  /** high × 2³² + low; `high` is signed, `low` is not. */
  int64(high: number, low: number): void;
  timestamp(value: Micros): void;
  /** UTF-8 from `from` up to `to`. */
  text(bytes: Uint8Array, from: number, to: number): void;
  /** Any value, as it is held inside. */
  value(type: DataType, value: Value): void;
}
