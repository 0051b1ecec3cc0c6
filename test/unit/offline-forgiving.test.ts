// Derived values that can't be had: null and told where whoever reads forgives them, an error where not.

import { beforeEach, describe, expect, it } from 'vitest';
import type { SourceSpec } from '../../src/definitions/index.ts';
import type { Forgiving } from '../../src/offline/facts/facts.ts';
import { fields, manifestOf, sourceOf, TYPES, worldOfEach } from '../support/offline-world.ts';

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

const world = worldOfEach();
beforeEach(() =>
  world
    .put('f.parquet', COLUMNS, [
      { at: 1, n: 1 },
      { at: 2, n: 2 },
    ])
    .then(() => {}),
);

const valuesOf = (source: SourceSpec, forgiving?: Forgiving): Promise<unknown[]> =>
  world.facts(
    source,
    async ({ fileRelation }) => (await world.select(`SELECT d FROM ${fileRelation} ORDER BY n`)).map(([d]) => d),
    { deps: { ...world.depsOf(manifestOf({}), functions), ...(forgiving && { forgiving }) } },
  );

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
