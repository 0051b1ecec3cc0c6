// Which row of keys `dev` shows of a service: the one that was asked for, or one that is found in the store.

import type { App } from '../../app/index.ts';
import { decodeKey, toJson } from '../../core/index.ts';
import {
  type Definitions,
  mayLack,
  resolveService,
  type ServiceRead,
  storedName,
  viewVersion,
} from '../../definitions/index.ts';
import { readSamples, type SampleRow } from './sample-values.ts';

export interface SampleRequest {
  /** The only service to show; when left out those that a change touches. */
  readonly service: string | undefined;
  /** What was asked for. */
  readonly key: SampleRow | undefined;
  /** By service, what was found for it: the same row each round. */
  readonly found: Map<string, SampleRow>;
}

/** So many keys are looked at for one of which much is known. */
const CANDIDATES = 50;

/**
 * The row to read a service by; undefined where the store holds no key of it. Of a key that was asked for, `all` is given to
 * the service, which says what is wrong with it, or only the columns that are `known` to it.
 */
export async function sampleRow(
  app: App,
  definitions: Definitions,
  service: string,
  { key, found, service: only }: SampleRequest,
  columns: 'all' | 'known',
): Promise<SampleRow | undefined> {
  const { requestColumns } = resolveService(definitions.manifest, service);
  const isKnown = (column: string): boolean => requestColumns.some(({ name }) => name === column);
  if (key !== undefined) {
    const known = Object.fromEntries(Object.entries(key).filter(([column]) => isKnown(column)));
    const isForAll = only === undefined && Object.keys(definitions.manifest.services).length > 1;
    // One key for several services: each takes what it knows of it.
    const isEnough = columns === 'known' || (isForAll && Object.keys(known).length > 0);
    return isEnough ? known : key;
  }
  const before = found.get(service);
  if (before !== undefined && Object.keys(before).every(isKnown)) return before;
  const row = await findSample(app, definitions, service);
  if (row !== undefined) found.set(service, row);
  return row;
}

/** Columns of the service's request that a row leaves out, and must not. */
export function missingColumns({ manifest }: Definitions, service: string, row: SampleRow): readonly string[] {
  const { requestColumns } = resolveService(manifest, service);
  return requestColumns
    .filter((column) => !mayLack(column) && !Object.hasOwn(row, column.name))
    .map(({ name }) => name);
}

/** The first key of the store, of the first some that which most is known of; undefined where the store has none. */
async function findSample(app: App, definitions: Definitions, service: string): Promise<SampleRow | undefined> {
  const resolved = resolveService(definitions.manifest, service);
  // The longest keys first: they fill the columns that shorter ones share with them.
  const [first, ...others] = resolved.reads.toSorted((a, b) => b.keyColumns.length - a.keyColumns.length);
  if (first === undefined) return {};
  const rest: Record<string, unknown> = {};
  for (const read of others) {
    const isFilled = read.keyColumns.every(
      (column) => first.keyColumns.includes(column) || Object.hasOwn(rest, column),
    );
    const [row] = isFilled ? [] : await firstKeys(app, definitions, read, 1);
    for (const [column, value] of Object.entries(row ?? {})) rest[column] ??= value;
  }
  const rows = (await firstKeys(app, definitions, first, CANDIDATES)).map((row) => ({ ...rest, ...row }));
  if (rows.length === 0) return undefined;
  const known = (await readSamples(app, definitions, resolved, rows)).map(
    (values) => Object.values(values).filter(({ status }) => status === 'PRESENT').length,
  );
  return rows[known.indexOf(Math.max(...known))];
}

async function firstKeys(
  app: App,
  { manifest }: Definitions,
  { view, entity, keyColumns }: ServiceRead,
  most: number,
): Promise<Record<string, unknown>[]> {
  const store = await app.online();
  const rows: Record<string, unknown>[] = [];
  const types = entity.keys.map(({ type }) => type);
  for await (const { key } of store.scan(storedName(entity), viewVersion(manifest, view.name))) {
    const values = decodeKey(types, key);
    rows.push(Object.fromEntries(types.map((type, at) => [keyColumns[at], toJson(type, values[at] ?? null)])));
    if (rows.length === most) break;
  }
  return rows;
}
