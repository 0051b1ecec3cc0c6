// What a reader of the prediction log sees is Headrace's JSON of what was logged, from segments and from Parquet alike.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type DataType,
  type Field,
  parseJson,
  silentLogger,
  systemClock,
  toJson,
  type Value,
} from '../../src/core/index.ts';
import { compactPredictionLog, openPredictionLog } from '../../src/monitoring/index.ts';
import { type DuckDb, openDuckDb } from '../../src/storage/index.ts';
import { armSchema, predictionRecord } from '../support/prediction-records.ts';
import { predictionLogSql } from '../support/log-relations.ts';
import { runs } from '../support/tier.ts';

let folder: string;
let duckdb: DuckDb;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-log-json-'));
  duckdb = await openDuckDb({ tempDirectory: join(folder, 'spill'), memory: '256MB', threads: 1 });
});
afterAll(async () => {
  await duckdb.close();
  rmSync(folder, { recursive: true, force: true });
});

// Such as would deceive whoever looks for members in a text.
const slyTexts = String.raw`"f0":NaN, | ":-Infinity | f1":1.0, | \ | {"f0":2.0} | ," | :NaN | \"f0":NaN}`.split(' | ');
const sly = fc.constantFrom(...slyTexts, '', '\0\n');
const joined = fc.array(sly).map((parts) => parts.join(''));
const text = fc.oneof(sly, joined, fc.string({ unit: 'grapheme', maxLength: 12 }));
const odd = [0, -0, 1, -2, 1e14, 1e15, 1e16, 0.1, NaN, Infinity, -Infinity, 5e-324];
const float = fc.oneof(fc.double(), fc.constantFrom(...odd));

const typed: fc.Arbitrary<{ readonly type: DataType; readonly value: Value }> = fc.oneof(
  ...(
    [
      [{ kind: 'bool' }, fc.boolean()],
      [{ kind: 'int32' }, fc.integer()],
      [{ kind: 'int64' }, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
      [{ kind: 'float32' }, float.map(Math.fround)],
      [{ kind: 'float64' }, float],
      [{ kind: 'string' }, text],
      [{ kind: 'bytes' }, fc.uint8Array({ maxLength: 9 })],
      [{ kind: 'timestamp' }, fc.integer({ min: -2e15, max: 4e15 })],
      [{ kind: 'list', of: { kind: 'float64' } }, fc.array(fc.option(float), { maxLength: 3 })],
      [{ kind: 'list', of: { kind: 'string' } }, fc.array(fc.option(text), { maxLength: 3 })],
      [{ kind: 'list', of: { kind: 'timestamp' } }, fc.array(fc.option(fc.integer()), { maxLength: 3 })],
      [{ kind: 'vector', size: 2 }, fc.tuple(float, float).map((pair) => Float32Array.from(pair))],
    ] as [DataType, fc.Arbitrary<Value>][]
  ).map(([type, value]) => fc.record({ type: fc.constant(type), value: fc.option(value) })),
);
// Whole numbers that a number holds are numbers.
function asRead(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(asRead);
  return typeof json === 'bigint' && Number.isSafeInteger(Number(json)) ? Number(json) : json;
}

/** A double's digits may be those of a whole number beyond 2^53, which parsing keeps: what is expected to be a number is one. */
function asExpected(read: unknown, expected: unknown): unknown {
  if (typeof read === 'bigint' && typeof expected === 'number') return Number(read);
  if (Array.isArray(read) && Array.isArray(expected)) return read.map((item, at) => asExpected(item, expected[at]));
  if (read === null || typeof read !== 'object' || Array.isArray(read)) return read;
  const members = Object.entries(read).map(([name, value]) => [
    name,
    asExpected(value, (expected as Record<string, unknown>)[name]),
  ]);
  return Object.fromEntries(members);
}

const plainNames = (at: number): string => `f${at}`;
const oddNames = (at: number): string => ['Same', 'same', 'a "b"', "it's", 'x.y:', '\\'][at % 6] + '_'.repeat(at / 6);

it('whatever the types, the values and the names are', { timeout: 120_000 }, async () => {
  const section = fc.array(typed, { maxLength: 7 });
  await fc.assert(
    fc.asyncProperty(section, section, fc.constantFrom(plainNames, oddNames), async (request, features, nameOf) => {
      const directory = mkdtempSync(join(folder, 'log-'));
      const fieldsOf = (all: typeof request): Field[] => all.map(({ type }, at) => ({ name: nameOf(at), type }));
      const schema = { ...armSchema, requestFields: fieldsOf(request), featureFields: fieldsOf(features) };
      const log = openPredictionLog({ directory, clock: systemClock, logger: silentLogger, flushEveryMs: 3_600_000 });
      const valuesOf = (all: typeof request): Value[] => all.map(({ value }) => value);
      log
        .arm(schema)
        .append(predictionRecord('p', { request: valuesOf(request), features: valuesOf(features), statuses: [] }));
      await log.close();
      const jsonOf = (all: typeof request): unknown =>
        Object.fromEntries(all.map(({ type, value }, at) => [nameOf(at), asRead(toJson(type, value))]));
      const check = async (): Promise<void> => {
        const connection = await duckdb.connect();
        try {
          const sql = `SELECT request::VARCHAR, features::VARCHAR FROM (${await predictionLogSql(connection, directory)})`;
          const [row] = (await connection.runAndReadAll(sql)).getRows() as [string, string][];
          const expected = [jsonOf(request), jsonOf(features)];
          expect(row?.map((json, at) => asExpected(parseJson(json), expected[at]))).toEqual(expected);
        } finally {
          connection.closeSync();
        }
      };
      await check();
      await compactPredictionLog({ directory, duckdb: async () => duckdb, clock: systemClock });
      await check();
      rmSync(directory, { recursive: true });
    }),
    { numRuns: runs(40) },
  );
});
