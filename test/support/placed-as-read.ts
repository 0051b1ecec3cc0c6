// Holds a read whose records are written straight into an answer against the read that gives values: of all features of
// a service, and of those alone that are read from a view's newest row.

import { expect } from 'vitest';
import {
  type DataType,
  type EncodedKey,
  type Micros,
  stringifyJson,
  toJson,
  type Value,
} from '../../src/core/index.ts';
import { type Manifest, resolveService } from '../../src/definitions/index.ts';
import {
  createFeatureReader,
  type OnlineStore,
  type PlacedReads,
  type RecordDirectory,
  STATUSES,
} from '../../src/online/index.ts';
import { JsonBytes } from '../../src/serving/json-bytes.ts';

type Keys = readonly (readonly (EncodedKey | undefined)[])[];

interface Given {
  readonly manifest: Manifest;
  readonly service: string;
  readonly store: Pick<OnlineStore, 'read'>;
  readonly directory: RecordDirectory;
  readonly keys: Keys;
  readonly at: Micros;
}

/** Fails where the two differ in a value, a status or a time; gives how many values there were. */
export async function expectPlacedAsRead({ manifest, service, store, directory, keys, at }: Given): Promise<number> {
  const all = resolveService(manifest, service);
  const latest = {
    ...all,
    features: all.features.filter(({ from }) => {
      const features = from.kind === 'read' ? all.reads[from.read]?.view.features : undefined;
      return features?.[from.feature]?.aggregation.op === 'latest';
    }),
  };
  let compared = 0;
  for (const one of [all, latest]) {
    const reader = createFeatureReader(manifest, one, store, directory);
    const values = await reader.read(keys, at);
    const placed = await reader.place(keys, at);
    const out = new JsonBytes();
    for (const { name, type, from } of one.features) {
      if (from.kind !== 'read') continue;
      const found = values.map((views) => views[from.read]?.values[from.feature] ?? null);
      expect({ name, copied: copied(placed, from.read, from.feature, type, found) }).toEqual({ name, copied: found });
    }
    for (const [row, views] of values.entries()) {
      for (const { name, type, from } of one.features) {
        if (from.kind !== 'read') continue;
        const view = views[from.read];
        const status = STATUSES[placed.give(row, from.read, from.feature, out)];
        const given = { name, value: out.take().toString(), status };
        const value = stringifyJson(toJson(type, view?.values[from.feature] ?? null));
        expect(given).toEqual({ name, value, status: view?.statuses[from.feature] });
        expect(placed.eventMicros(row, from.read)).toBe(view?.eventMicros);
        compared++;
      }
    }
  }
  return compared;
}

/** The feature by row as it is copied where it lies; what is not copied is as `given`. */
function copied(placed: PlacedReads, read: number, feature: number, type: DataType, given: readonly Value[]): Value[] {
  const words = new Int32Array(placed.rows * 2 + 2);
  const rest = new Set<number>();
  if (!placed.copy(read, feature, words, 0, (row) => rest.add(row))) return [...given];
  const memory = new DataView(words.buffer);
  const numberAt = (row: number): Value => {
    if (type.kind === 'int32') return memory.getInt32(row * 4, true);
    if (type.kind === 'float32') return memory.getFloat32(row * 4, true);
    return type.kind === 'int64' ? memory.getBigInt64(row * 8, true) : memory.getFloat64(row * 8, true);
  };
  return given.map((value, row) => (rest.has(row) ? value : numberAt(row)));
}
