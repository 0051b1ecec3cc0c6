// Derived values that can't be had: null and told where whoever reads forgives them, an error where not.

import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SourceSpec } from '../../src/definitions/index.ts';
import type { Forgiving } from '../../src/offline/facts/facts.ts';
import { openFacts } from '../../src/offline/facts/open-facts.ts';
import { ALL_EVENTS } from '../../src/offline/sources/event-range.ts';
import { pinSource } from '../../src/offline/sources/pin-source.ts';
import { NOTHING_COVERED } from '../../src/online/index.ts';
import {
  definitionsOf,
  fields,
  manifestOf,
  openOfflineWorld,
  type OfflineWorld,
  sourceOf,
  TYPES,
  writeParquet,
} from '../support/offline-world.ts';

const COLUMNS = fields({ at: TYPES.timestamp, n: TYPES.int32 });
const derived = (by: SourceSpec['derive'][number]['by']): SourceSpec =>
  sourceOf('s', 'f.parquet', COLUMNS, { derive: [{ name: 'd', type: TYPES.int32, by }] });
const byFunction = derived({ kind: 'function', function: { id: 'd', hash: '' } });
const bySql = derived({ kind: 'sql', sql: `CAST(CASE WHEN n = 2 THEN 'two' ELSE '7' END AS INTEGER)` });
const functions = {
  d: ({ n }: { n: number }) => {
    if (n === 2) throw new Error('not of two');
    return 7;
  },
};

let world: OfflineWorld;
beforeEach(async () => {
  world = await openOfflineWorld();
  await writeParquet(world.connection, join(world.directory, 'f.parquet'), COLUMNS, [
    { at: 1, n: 1 },
    { at: 2, n: 2 },
  ]);
});
afterEach(() => world.close());

async function valuesOf(source: SourceSpec, forgiving?: Forgiving): Promise<unknown[]> {
  const deps = { ...world.deps, definitions: definitionsOf(manifestOf({}), world.directory, functions) };
  const snapshot = await pinSource(source, ALL_EVENTS, deps);
  try {
    const request = { snapshot, boundary: Infinity, coverage: NOTHING_COVERED };
    const { fileRelation } = await openFacts(
      world.connection,
      source,
      { ...deps, ...(forgiving && { forgiving }) },
      request,
    );
    const read = await world.connection.runAndReadAll(`SELECT d FROM ${fileRelation} ORDER BY n`);
    return read.getRows().map(([d]) => d);
  } finally {
    await snapshot.close();
  }
}

describe.each([
  ['a function', byFunction, ['d']],
  ['SQL', bySql, []],
] as const)('a value that %s can’t give', (_, source, columns) => {
  it('is null where all rows are forgiven, and who reads is told of a function’s', async () => {
    const failed: string[] = [];
    const onFailedValue = (column: string): void => void failed.push(column);
    expect(await valuesOf(source, { rows: 'all', onFailedValue })).toEqual([7, null]);
    expect(failed).toEqual(columns);
  });

  it('is an error where none are, or those of the log alone', async () => {
    await expect(valuesOf(source)).rejects.toThrow(/not of two|two/);
    await expect(valuesOf(source, { rows: 'log', onFailedValue: () => {} })).rejects.toThrow(/two/);
  });
});
