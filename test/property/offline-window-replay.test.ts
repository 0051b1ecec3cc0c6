// The window replay gives what the oracle says for every spine row, in any order of the source's rows.

import fc from 'fast-check';
import type { DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareValues, type Field, HeadraceError, type Row, type Value } from '../../src/core/index.ts';
import type { FeatureSpec, ViewSpec } from '../../src/definitions/index.ts';
import { quoteName } from '../../src/storage/index.ts';
import { replayWindows } from '../../src/offline/duckdb/window-replay.ts';
import { fromDuck, toDuck } from '../../src/offline/duckdb/vector-values.ts';
import { duckType } from '../../src/offline/sources/sql-text.ts';
import { manifestOf, type OfflineWorld, openOfflineWorld, sourceOf, TYPES, viewOf } from '../support/offline-world.ts';
import { oracleView, sameValue } from '../support/oracle.ts';
import { runs } from '../support/tier.ts';

const columns: Field[] = [
  { name: 'k', type: TYPES.string },
  { name: 'n', type: TYPES.int64 },
  { name: 'at', type: TYPES.timestamp },
  { name: 'known', type: TYPES.timestamp },
  { name: 'seq', type: TYPES.int64 },
  { name: 'gone', type: TYPES.bool },
  { name: 'big', type: TYPES.int64 },
  { name: 'x', type: TYPES.float64 },
  { name: 's', type: TYPES.string },
  { name: 'flag', type: TYPES.bool },
  { name: 'moment', type: TYPES.timestamp },
];
const source = sourceOf('events', '', columns, {
  knownTime: { kind: 'column', column: 'known' },
  createdOrder: 'seq',
  tombstone: 'gone',
});

const over = (windowMicros: number, hopMicros: number) => ({ windowMicros, hopMicros });
const feature = (
  name: string,
  type: Field['type'],
  op: string,
  column: string | null,
  size = over(100, 10),
): FeatureSpec => ({
  // Every op has the same shape; lastN alone reads n.
  name,
  type,
  aggregation: { op: op as 'count', column, n: 2, ...size },
});
const features: FeatureSpec[] = [
  feature('rows', TYPES.int64, 'count', null),
  feature('rows_long', TYPES.int64, 'count', null, over(1000, 100)),
  feature('xs', TYPES.int64, 'count', 'x'),
  feature('sum_x', TYPES.float64, 'sum', 'x'),
  feature('mean_x', TYPES.float64, 'mean', 'x'),
  feature('min_big', TYPES.int64, 'min', 'big'),
  feature('max_big', TYPES.int64, 'max', 'big'),
  feature('last_big', TYPES.int64, 'last', 'big'),
  feature('first_s', TYPES.string, 'first', 's'),
  feature('final_s', TYPES.string, 'last', 's', over(1000, 100)),
  feature('recent', { kind: 'list', of: TYPES.string }, 'lastN', 's'),
  feature('kinds', TYPES.int64, 'countDistinct', 's'),
  feature('any', TYPES.bool, 'max', 'flag'),
  feature('when', TYPES.timestamp, 'min', 'moment'),
  feature('spread', TYPES.float64, 'stddev', 'x'),
];
const views: readonly ViewSpec[] = [
  viewOf('live', 'e', 'events', ['k', 'n'], features),
  viewOf('scheduled', 'e', 'events', ['k', 'n'], features, {
    freshness: { kind: 'scheduled', everyMicros: 50, lagMicros: 7 },
  }),
];
const manifest = manifestOf({
  sources: { events: source },
  views: Object.fromEntries(views.map((view) => [view.name, view])),
});

const key = { k: fc.constantFrom('a', 'b', null), n: fc.constantFrom(1n, 2n ** 53n + 1n, null) };
const time = fc.integer({ min: -300, max: 300 });
const nullable = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null, freq: 5 });
const event = fc
  .record({
    ...key,
    at: nullable(time),
    late: nullable(fc.constantFrom(0, 0, 3, 60)),
    seq: nullable(fc.bigInt(0n, 1n)),
    gone: fc.constantFrom(null, false, false, true),
    big: nullable(fc.oneof(fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, -1n, 0n), fc.bigInt(-9n, 9n))),
    x: nullable(fc.integer({ min: -50, max: 50 }).map((value) => value / 4)),
    s: nullable(fc.constantFrom('', 'é', 'zz')),
    flag: nullable(fc.boolean()),
    moment: nullable(time),
  })
  .map(({ late, ...row }): Row => ({ ...row, known: row.at === null || late === null ? null : row.at + late }));
const point = fc.record({ ...key, at: nullable(fc.integer({ min: -300, max: 700 })) });

async function load(
  connection: DuckDBConnection,
  table: string,
  fields: readonly Field[],
  rows: readonly Row[],
): Promise<void> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${table} (${fields.map(({ name, type }) => `${quoteName(name)} ${duckType(type)}`).join(', ')}, __hr_row BIGINT)`,
  );
  const appender = await connection.createAppender(table, null, 'temp');
  rows.forEach((row, i) => {
    fields.forEach(({ name, type }, c) => {
      const value = row[name] ?? null;
      if (value === null) appender.appendNull();
      else appender.appendValue(toDuck(type, value), appender.columnType(c));
    });
    appender.appendBigInt(BigInt(i));
    appender.endRow();
  });
  appender.closeSync();
}

describe('the window replay', () => {
  let world: OfflineWorld;
  let connection: DuckDBConnection;
  beforeAll(async () => {
    world = await openOfflineWorld();
    connection = world.connection;
  });
  afterAll(() => world.close());

  const relation = `(SELECT *, epoch_us("at") AS __hr_event, CASE WHEN known IS NOT NULL THEN greatest(epoch_us(known), epoch_us("at")) END AS __hr_known, NULL::INTEGER AS __hr_writer, NULL::BIGINT AS __hr_offset FROM events)`;
  const replayed = async (view: ViewSpec, boundary: 'at' | 'before') => {
    const windows = await replayWindows(world.deps.duckdb, connection, {
      view,
      source,
      boundary,
      sourceRelation: relation,
      spineKeys: ['k', 'n'],
      spineRelation: '(SELECT k, n, __hr_row, epoch_us("at") AS __hr_at FROM points)',
    });
    if (windows === null) throw new Error('no windows');
    const result = await connection.run(`SELECT * FROM ${windows.relation}`);
    const rows = new Map(
      (await result.getRows()).map(([row, ...values]) => [
        Number(row),
        values.map((value, i) => fromDuck(features[i]?.type ?? TYPES.int64, value ?? null)),
      ]),
    );
    await windows.close();
    return rows;
  };

  it.each([
    ['live', 'at'],
    ['live', 'before'],
    ['scheduled', 'at'],
    ['scheduled', 'before'],
  ] as const)('equals the oracle for a %s view, %s the spine time', async (name, boundary) => {
    const view = manifest.views[name] as ViewSpec;
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 40 }),
        fc.array(point, { minLength: 1, maxLength: 12 }),
        async (events, points) => {
          await load(connection, 'events', columns, events);
          await load(connection, 'points', [columns[0] as Field, columns[1] as Field, columns[2] as Field], points);
          const rows = await replayed(view, boundary);
          points.forEach(({ k, n, at }, i) => {
            const isWhole = k !== null && n !== null && at !== null;
            expect(rows.has(i)).toBe(isWhole);
            if (!isWhole) return;
            const expected = oracleView({ manifest, rows: { events } }, name, [k, n], at, boundary);
            features.forEach(({ name: featureName, type }, f) => {
              const [actual, wanted] = [rows.get(i)?.[f] ?? null, expected[f] ?? null] as [Value, Value];
              expect(
                sameValue(type, actual, wanted) || compareValues(actual, wanted) === 0,
                `${featureName}: ${String(actual)} is not ${String(wanted)}`,
              ).toBe(true);
            });
          });
        },
      ),
      { numRuns: runs(30) },
    );
  });

  it('keeps every row of a spine that is larger than any buffer on the way', async () => {
    await connection.run(
      `CREATE OR REPLACE TEMP TABLE events AS SELECT 'a' AS k, 1::BIGINT AS n, make_timestamp(i) AS at, make_timestamp(i) AS known, 0::BIGINT AS seq, false AS gone, i AS big, 0.5::DOUBLE AS x, 's' AS s, true AS flag, make_timestamp(i) AS moment, i AS __hr_row FROM range(10000) t(i)`,
    );
    await connection.run(
      `CREATE OR REPLACE TEMP TABLE points AS SELECT 'a' AS k, 1::BIGINT AS n, make_timestamp(i // 30) AS at, i AS __hr_row FROM range(300000) t(i)`,
    );
    const windows = await replayWindows(world.deps.duckdb, connection, {
      view: viewOf('v', 'e', 'events', ['k', 'n'], features.slice(0, 2)),
      source,
      boundary: 'at',
      sourceRelation: relation,
      spineKeys: ['k', 'n'],
      spineRelation: '(SELECT k, n, __hr_row, epoch_us("at") AS __hr_at FROM points)',
    });
    const result = await connection.run(
      `SELECT count(*)::INTEGER, count(DISTINCT __hr_row)::INTEGER, sum(rows)::DOUBLE FROM ${windows?.relation}`,
    );
    const wanted = Array.from(
      { length: 10_000 },
      (_, at) => 30 * Math.min(at + 1, at - Math.floor((at - 100) / 10) * 10 + 1),
    ).reduce((a, b) => a + b);
    expect((await result.getRows())[0]).toEqual([300_000, 300_000, wanted]);
    await windows?.close();
  });

  it('names the view and the key of a sum past int64', async () => {
    await load(
      connection,
      'events',
      columns,
      [1, 2].map((at) => ({ k: 'a', n: 1n, at, known: at, big: 2n ** 62n })),
    );
    await load(connection, 'points', columns.slice(0, 3), [{ k: 'a', n: 1n, at: 5 }]);
    const view = viewOf('totals', 'e', 'events', ['k', 'n'], [feature('total', TYPES.int64, 'sum', 'big')]);
    const error = await replayed(view, 'at').then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(HeadraceError);
    expect(String(error)).toMatch(/view "totals", key \(a, 1\)/);
  });
});
