// Rows that a query landed lie in a file that is named by what they hold: rows that differ in anything are another file.

import { expect, it } from 'vitest';
import { landQuery } from '../../src/offline/sources/landed/land-query.ts';
import { fields, sourceOf, TYPES, worldOfAll } from '../support/offline-world.ts';

const world = worldOfAll();
const { string, float64 } = TYPES;
const source = sourceOf('landed', '', fields({ key: string, v: float64 }));

/** The names of the files that each of the queries lands. */
async function landed(...queries: readonly string[]): Promise<readonly (string | undefined)[]> {
  const names: (string | undefined)[] = [];
  for (const sql of queries) {
    const pinned = await landQuery(world.connection, source, sql, world.deps);
    names.push(pinned.files[0]?.etag);
    await pinned.close();
  }
  return names;
}

const rowsOf = (type: string, ...values: readonly string[]): string =>
  `SELECT * FROM (VALUES ${values.map((value, i) => `('k${i}', CAST(${value} AS ${type}))`).join(', ')}) t(key, v)`;

it.each([
  ['DOUBLE', "'0.0'", "'-0.0'"],
  ['FLOAT', "'0.0'", "'-0.0'"],
  ['DOUBLE[]', "['0.0', '1.0']", "['-0.0', '1.0']"],
  ['FLOAT[2]', "['0.0', '1.0']", "['-0.0', '1.0']"],
] as const)('%s: a zero whose sign changed is another row', async (type, zero, minusZero) => {
  const orders = [
    [zero, zero],
    [zero, minusZero],
    [minusZero, zero],
    [minusZero, minusZero],
  ].map((values) => rowsOf(type, ...values));
  expect(new Set(await landed(...orders)).size).toBe(orders.length);
});

it('the same rows in another order are the same file', async () => {
  const values = "('a', CAST('-0.0' AS DOUBLE)), ('b', 0.5), ('c', NULL)";
  const [one, other] = await landed(
    `SELECT * FROM (VALUES ${values}) t(key, v) ORDER BY key`,
    `SELECT * FROM (VALUES ${values}) t(key, v) ORDER BY key DESC`,
  );
  expect(one).toBe(other);
});
