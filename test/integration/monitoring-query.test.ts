// SQL over the prediction log as an operator asks it: on an empty log, while predictions are written, while segments become
// Parquet under the query; and nothing but questions.

import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type CompactOptions,
  compactPredictionLog,
  type LogQuestion,
  type PredictionLog,
  queryPredictionLog,
} from '../../src/monitoring/index.ts';
import type { DuckDb } from '../../src/storage/index.ts';
import { NOW, useLogFolder, outcomeOf } from '../support/log-folder.ts';
import { appendRecord } from '../support/prediction-records.ts';
import { refused } from '../support/refused.ts';
import { runs } from '../support/tier.ts';

const { path: folder, duckdb, clock, open: openIn } = useLogFolder();
const directory = (): string => join(folder(), "the log's");
const openLog = (): PredictionLog => openIn({ directory: directory() });

async function write(...ids: readonly string[]): Promise<PredictionLog> {
  const log = openLog();
  for (const [at, id] of ids.entries()) appendRecord(log, id, { atMicros: NOW + at });
  await log.flush();
  return log;
}

const compact = (bounds: Pick<CompactOptions, 'maxBytes'> = {}) =>
  compactPredictionLog({ directory: directory(), duckdb: async () => duckdb(), clock, ...bounds });
const ask = (sql: string, more: Partial<LogQuestion> = {}, using: DuckDb = duckdb()) =>
  queryPredictionLog(using, { directory: directory(), sql, limit: 1000, startsAt: folder(), ...more });

describe('a question to the prediction log', () => {
  it('is answered where nothing was ever logged, and makes no folder', async () => {
    const { columns, rows, isCut } = await ask('SELECT endpoint, count(*) AS n FROM predictions GROUP BY ALL');
    expect(columns).toEqual([
      { name: 'endpoint', type: 'VARCHAR' },
      { name: 'n', type: 'BIGINT' },
    ]);
    expect({ rows, isCut }).toEqual({ rows: [], isCut: false });
    expect((await ask('SELECT * FROM predictions')).columns.map(({ name }) => name).join(' ')).toBe(
      'prediction_id request_id trace_id predicted_at latency_micros endpoint model version variant arm unit request features statuses outputs altered via assigned experiment experiment_unit phase revision fallback_from sample_rate cached outcome observed_at recorded_at',
    );
    expect((await ask('SELECT * FROM exposures')).rows).toEqual([]);
    expect((await ask('SELECT * FROM outcomes')).rows).toEqual([]);
    expect(existsSync(directory())).toBe(false);
  });

  it('sees what was written a moment ago, and what became Parquet, each with its newest outcome', async () => {
    const log = await write('a', 'b');
    await log.recordOutcomes([outcomeOf('a', true)]);
    await log.close();
    await compact();
    await write('c');
    const { rows } = await ask('SELECT prediction_id, outcome FROM predictions ORDER BY 1');
    expect(Object.fromEntries(rows as [string, unknown][])).toEqual({ a: true, b: null, c: null });
    const counts = [{ from: NOW + 1 }, { to: NOW + 1 }, { endpoint: "delay's" }, { endpoint: 'delay' }].map(
      async (range) => (await ask('FROM predictions SELECT count(*)', range)).rows[0],
    );
    expect((await Promise.all(counts)).flat()).toEqual([1, 2, 0, 3]);
  });

  it('is answered in JSON’s own values: all digits, times as RFC 3339, what is JSON as it is', async () => {
    await write('a');
    const { rows } = await ask(`SELECT predicted_at, latency_micros, 9007199254740993::BIGINT, features, unit,
      1.25::DECIMAL(9, 2), 'nan'::DOUBLE, DATE '2026-01-02', {'x': [1, NULL], 'j': outputs}, MAP {'k': 2}, 'a'::BLOB,
      INTERVAL 3 DAY, NULL, TIMESTAMP '2026-01-02 03:04:05.000006', 'infinity'::TIMESTAMPTZ, 170141183460469231731687303715884105727,
      1234567890123456789.5::DECIMAL(38, 1)
      FROM predictions`);
    expect(rows).toEqual([
      [
        '2026-09-21T14:13:20Z',
        850,
        9007199254740993n,
        { flights: 2n ** 60n + 1n, mean_delay: 'NaN', last_seen: '2026-09-21T14:13:20.000001Z' },
        ['JFK'],
        1.25,
        'NaN',
        '2026-01-02',
        { x: [1, null], j: { probability: 0.25 } },
        [{ key: 'k', value: 2 }],
        'YQ==',
        '3 days',
        null,
        '2026-01-02T03:04:05.000006Z',
        'infinity',
        2n ** 127n - 1n,
        '1234567890123456789.5',
      ],
    ]);
  });

  it('keeps two columns of one name apart', async () => {
    const { columns, rows } = await ask('SELECT 1 AS a, 2 AS a, 3 AS "__proto__"');
    expect(columns.map(({ name }) => name)).toEqual(['a', 'a:1', '__proto__']);
    expect(rows).toEqual([[1, 2, 3]]);
  });

  it('gives so many rows and says that there are more', async () => {
    await write('a', 'b', 'c');
    const ids = (limit: number) => ask('SELECT prediction_id FROM predictions ORDER BY 1', { limit });
    expect(await ids(2)).toMatchObject({ rows: [['a'], ['b']], isCut: true });
    expect(await ids(3)).toMatchObject({ rows: [['a'], ['b'], ['c']], isCut: false });
    // All of its rows would take minutes.
    expect(await ask('SELECT * FROM range(100_000_000_000)', { limit: 3 })).toMatchObject({ isCut: true });
  });

  it('is asked again where a compaction took a file away under it', async () => {
    await (await write('a', 'b')).close();
    await compact();
    await write('c');
    let times = 0;
    const takenAway: DuckDb = {
      ...duckdb(),
      async connect() {
        times++;
        const connection = await duckdb().connect();
        const run = connection.run.bind(connection);
        connection.run = async (sql, ...more) => {
          // The files are listed by now.
          if (times === 1 && sql.startsWith('CREATE TEMP VIEW')) await compact({ maxBytes: 0 });
          return run(sql, ...more);
        };
        return connection;
      },
    };
    expect((await ask('SELECT prediction_id FROM predictions ORDER BY 1', {}, takenAway)).rows).toEqual([['c']]);
    expect(times).toBe(2);
  });

  it('counts every row once while segments come and go', async () => {
    let isOver = false;
    let written = 0;
    const writing = (async () => {
      while (!isOver) {
        const log = openLog();
        for (let i = 0; i < 20; i++) appendRecord(log, `${written + i}`);
        await log.close();
        written += 20;
        if (written % 60 === 0) await compact();
      }
    })();
    try {
      for (let asked = 0; asked < runs(40); asked++) {
        const before = written;
        const { rows } = await ask('SELECT count(*), count(DISTINCT prediction_id) FROM predictions');
        const [[all, distinct] = []] = rows as number[][];
        expect(all).toBe(distinct);
        expect(all).toBeGreaterThanOrEqual(before);
        expect(all).toBeLessThanOrEqual(written + 20);
      }
    } finally {
      isOver = true;
      await writing;
    }
  });

  it('reads files beside the log, by names that start where the user stands', async () => {
    await write('a', 'b');
    writeFileSync(join(folder(), 'names.csv'), 'id,name\na,first\n');
    const { rows } = await ask("SELECT name FROM predictions JOIN 'names.csv' ON id = prediction_id");
    expect(rows).toEqual([['first']]);
  });

  it.each([
    ["COPY (SELECT 1) TO 'out.csv'", 'one SELECT'],
    ['CREATE TABLE t AS SELECT 1', 'one SELECT'],
    ['SELECT 1; SELECT 2', 'one SELECT'],
    ["SELECT 1; COPY (SELECT 1) TO 'out.csv'", 'one SELECT'],
    ['', 'one SELECT'],
    ["ATTACH 'out.db'", 'one SELECT'],
    ["EXPLAIN ANALYZE COPY (SELECT 1) TO 'out.csv'", 'one SELECT'],
    ['SET threads = 1', 'one SELECT'],
    ['SELECT * FROM predictions WHERE variant = $1', 'no parameters'],
    ['SELECT varant FROM predictions', 'variant'],
    ['SELEC 1', 'syntax error'],
  ])('refuses %j with 2, and writes nothing', async (sql, says) => {
    await write('a');
    const before = readdirSync(folder(), { recursive: true });
    await refused(ask(sql), 'HR_USAGE', says);
    expect(readdirSync(folder(), { recursive: true })).toEqual(before);
    expect(existsSync('out.csv')).toBe(false);
  });
});
