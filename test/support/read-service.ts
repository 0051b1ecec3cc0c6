// Reads a service of stored views from a store, one row of keys at a time, by its features' full names.

import { type EncodedKey, encodeKey, type Micros, type Row, type Value } from '../../src/core/index.ts';
import { type Manifest, resolveService } from '../../src/definitions/index.ts';
import { createFeatureReader, type OnlineStore, type RecordDirectory } from '../../src/online/index.ts';

export async function readService(
  manifest: Manifest,
  store: Pick<OnlineStore, 'read'>,
  directory: RecordDirectory,
  name: string,
  rows: readonly Row[],
  at: Micros,
): Promise<Record<string, Value>[]> {
  const service = resolveService(manifest, name);
  const reader = createFeatureReader(manifest, service, store, directory);
  const keys = rows.map((row) =>
    service.reads.map(({ entity, keyColumns }) => {
      const values = keyColumns.map((column) => row[column] ?? null);
      const types = entity.keys.map(({ type }) => type);
      return encodeKey(types, values) as EncodedKey;
    }),
  );
  const read = await reader.read(keys, at);
  return read.map((views) =>
    Object.fromEntries(
      service.features.flatMap(({ name: feature, from }): [string, Value][] =>
        from.kind === 'read' ? [[feature, views[from.read]?.values[from.feature] ?? null]] : [],
      ),
    ),
  );
}
