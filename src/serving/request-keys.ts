// A service's entity keys of a request row, compiled once: what has the same key columns has one key, so that a store asks
// for it once.

import {
  absentValueOf,
  canonicalJson,
  type DataType,
  type EncodedKey,
  encodeKey,
  encodeSingleKey,
  type Value,
} from '../core/index.ts';
import type { ResolvedService } from '../definitions/index.ts';
import type { RequestRow } from './row-parser.ts';

interface KeyColumns {
  readonly types: readonly DataType[];
  readonly columns: readonly number[];
  /**
   * What an absent key stands for, where it has a default: the row may be one of an endpoint whose versions take it for
   * different ones.
   */
  readonly absent: readonly ((() => Value) | undefined)[] | undefined;
  /** The first read with these columns, types and defaults. */
  readonly first: number;
}

/** Gives each read's key, in the service's order of `reads`; undefined for one with a null. */
export function compileKeys(
  service: Pick<ResolvedService, 'reads' | 'requestColumns'>,
): (row: RequestRow) => (EncodedKey | undefined)[] {
  const positions = new Map(service.requestColumns.map((column, at) => [column.name, at]));
  const firsts = new Map<string, number>();
  const reads = service.reads.map(({ entity, keyColumns }, at): KeyColumns => {
    const types = entity.keys.map((key) => key.type);
    const columns = keyColumns.map((column) => positions.get(column) as number);
    const id = canonicalJson([types, columns, entity.keys.map((key) => key.default ?? null)]);
    if (!firsts.has(id)) firsts.set(id, at);
    const absent = entity.keys.some((key) => key.default !== undefined) ? entity.keys.map(absentValueOf) : undefined;
    return { types, columns, absent, first: firsts.get(id) as number };
  });
  const size = reads.length;
  return (row) => {
    const keys = new Array<EncodedKey | undefined>(size);
    for (let at = 0; at < size; at++) {
      const { first } = reads[at] as KeyColumns;
      keys[at] = first < at ? keys[first] : keyOf(row, reads[at] as KeyColumns);
    }
    return keys;
  };
}

function keyOf(row: RequestRow, { types, columns, absent }: KeyColumns): EncodedKey | undefined {
  if (types.length === 1) {
    const value = row[columns[0] as number] as Value;
    return encodeSingleKey(types[0] as DataType, value ?? absent?.[0]?.() ?? null);
  }
  return encodeKey(types, valuesOf(row, columns, absent));
}

function valuesOf(row: RequestRow, columns: readonly number[], absent: KeyColumns['absent']): Value[] {
  if (absent !== undefined) return columns.map((column, at) => row[column] ?? absent[at]?.() ?? null);
  return columns.map((column) => row[column] as Value);
}
