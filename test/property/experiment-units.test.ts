// A unit as the analysis reads it from a logged request is the unit as serving assigned it: what a unit did before it was exposed
// is found by that text.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type DataType, type Field, stringifyJson, toJson, type Value } from '../../src/core/index.ts';
import { requestUnitSql } from '../../src/rollouts/experiments/analysis/unit-text.ts';
import { compileUnitText } from '../../src/rollouts/unit-text.ts';
import { openDuckDb, quoteText } from '../../src/storage/index.ts';
import { runs } from '../support/tier.ts';

const VALUES: Readonly<Record<string, fc.Arbitrary<Value>>> = {
  string: fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => !text.includes('\0')),
  int32: fc.integer(),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float64: fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.constantFrom(0.5, -1.25, 1234.5)),
  bool: fc.boolean(),
};

const column = fc
  .constantFrom('string', 'int32', 'int64', 'float64', 'bool')
  .chain((kind) => fc.record({ type: fc.constant({ kind } as DataType), value: VALUES[kind] as fc.Arbitrary<Value> }));
const row = fc.array(column, { minLength: 1, maxLength: 3 });

it('is read from a request as it was assigned', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-units-'));
  const duckdb = await openDuckDb({ tempDirectory: folder, threads: 1 });
  try {
    const connection = await duckdb.connect();
    await fc.assert(
      fc.asyncProperty(row, async (cells) => {
        const fields = cells.map(({ type }, i): Field => ({ name: `column ${i}`, type }));
        const names = fields.map(({ name }) => name);
        const values = cells.map(({ value }) => value);
        const assigned = compileUnitText(names, fields)(values, '');
        // No unit is in no experiment.
        fc.pre(assigned !== '');
        const request = Object.fromEntries(cells.map(({ type, value }, i) => [`column ${i}`, toJson(type, value)]));
        const from = `(SELECT ${quoteText(stringifyJson(request))}::JSON AS request)`;
        const read = await connection.runAndReadAll(`SELECT ${requestUnitSql(names)} FROM ${from}`);
        expect(read.getRows()[0]?.[0]).toBe(assigned);
      }),
      { numRuns: runs(200) },
    );
    connection.closeSync();
  } finally {
    await duckdb.close();
    await rm(folder, { recursive: true, force: true });
  }
});
