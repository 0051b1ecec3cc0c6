// The keys of a source whose facts an audit needs: those of its sampled rows.

import { type DataType, encodeKey, INVALID, type Value } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { ReadPlan } from '../plan.ts';

/** Those of a view's sampled rows, in the order of the read's key columns. */
export interface SampledKeys {
  readonly read: ReadPlan;
  readonly keys: readonly (readonly Value[])[];
}

export interface WantedKeys {
  /** Of a row with its derived columns; of declared ones alone where no key is derived. */
  has(value: (column: string) => Value | typeof INVALID): boolean;
  readonly isDerived: boolean;
  /** The declared columns that keys are in. */
  readonly columns: readonly string[];
}

export function wantedKeys(source: SourceSpec, sampled: readonly SampledKeys[]): WantedKeys {
  const groups = sampled.map(({ read, keys }) => {
    const types = read.keys.map(({ type }) => type);
    return {
      columns: read.keys.map(({ sourceColumn }) => sourceColumn),
      types,
      known: new Set(keys.map((key) => textOf(types, key))),
    };
  });
  const all = groups.flatMap(({ columns }) => columns);
  const derived = new Set(source.derive.map(({ name }) => name));
  return {
    isDerived: all.some((column) => derived.has(column)),
    columns: all,
    has: (value) =>
      groups.some(({ columns, types, known }) => {
        const key = columns.map(value);
        return !key.includes(INVALID) && known.has(textOf(types, key as Value[]));
      }),
  };
}

// A key with a null is none.
function textOf(types: readonly DataType[], key: readonly Value[]): string | undefined {
  const encoded = encodeKey(types, key);
  return encoded && Buffer.from(encoded).toString('latin1');
}
