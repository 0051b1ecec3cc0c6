// Values as headrace.v1.Value: of any type, or straight from the record that a feature lies in.

import { type DataType, type Micros, secondsOfTime, type Value } from '../../../core/index.ts';
import type { ValueSink } from '../../../online/index.ts';
import type { WireWriter } from '../wire/wire-writer.ts';
import { ITEMS, KIND, NANOS, SECONDS } from './value-fields.ts';

/** `field` is a Value of the message that is written. */
export function writeValue(out: WireWriter, field: number, type: DataType, value: Value): void {
  const place = out.begin(field);
  writeKind(out, type, value);
  out.end(place);
}

function writeKind(out: WireWriter, type: DataType, value: Value): void {
  if (value === null) {
    out.int(KIND.null, 0);
    return;
  }
  // A value is of its type.
  switch (type.kind) {
    case 'bool':
      return out.bool(KIND.bool, value as boolean);
    case 'int32':
      return out.int(KIND.int64, value as number);
    case 'int64':
      return out.int64(KIND.int64, value as bigint);
    case 'float32':
    case 'float64':
      return out.double(KIND.double, value as number);
    case 'string':
      return out.text(KIND.string, value as string);
    case 'bytes':
      return out.bytes(KIND.bytes, value as Uint8Array);
    case 'timestamp':
      return writeTimestamp(out, KIND.timestamp, value as Micros);
    case 'list': {
      const list = out.begin(KIND.list);
      for (const item of value as readonly Value[]) writeValue(out, ITEMS, type.of, item);
      return out.end(list);
    }
    case 'vector': {
      const vector = out.begin(KIND.vector);
      const items = out.begin(ITEMS);
      for (const item of value as Float32Array) out.packedFloat(item);
      out.end(items);
      return out.end(vector);
    }
  }
}

export function writeTimestamp(out: WireWriter, field: number, micros: Micros): void {
  const { seconds, fraction: rest } = secondsOfTime(micros);
  const place = out.begin(field);
  if (seconds !== 0) out.int(SECONDS, seconds);
  if (rest !== 0) out.int(NANOS, rest * 1000);
  out.end(place);
}

/** Writes one value a call into field `field` of the message that is written. `isWhole`: of an int32, which comes as a number. */
export class ValueFields implements ValueSink {
  readonly #out: WireWriter;
  field = 0;
  isWhole = false;

  constructor(out: WireWriter) {
    this.#out = out;
  }

  none(): void {
    const place = this.#out.begin(this.field);
    this.#out.int(KIND.null, 0);
    this.#out.end(place);
  }

  bool(value: boolean): void {
    const place = this.#out.begin(this.field);
    this.#out.bool(KIND.bool, value);
    this.#out.end(place);
  }

  number(value: number): void {
    const place = this.#out.begin(this.field);
    if (this.isWhole) this.#out.int(KIND.int64, value);
    else this.#out.double(KIND.double, value);
    this.#out.end(place);
  }

  int64(high: number, low: number): void {
    const place = this.#out.begin(this.field);
    this.#out.parts(KIND.int64, high, low);
    this.#out.end(place);
  }

  timestamp(value: Micros): void {
    const place = this.#out.begin(this.field);
    writeTimestamp(this.#out, KIND.timestamp, value);
    this.#out.end(place);
  }

  text(bytes: Uint8Array, from: number, to: number): void {
    const place = this.#out.begin(this.field);
    this.#out.bytes(KIND.string, bytes.subarray(from, to));
    this.#out.end(place);
  }

  value(type: DataType, value: Value): void {
    writeValue(this.#out, this.field, type, value);
  }
}
