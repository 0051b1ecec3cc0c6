// How rows came to their arms, by the log: beside what earlier builds wrote, through compactions, and as exposures.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MICROS_PER_HOUR, MICROS_PER_SECOND } from '../../src/core/index.ts';
import { parseSampling, type PredictionLog, type RecordRoute } from '../../src/monitoring/index.ts';
import { NOW, useLogFolder } from '../support/log-folder.ts';
import { appendRecord, armSchema, experimentRoute, predictionRecord } from '../support/prediction-records.ts';
import { loggedExposuresSql } from '../support/log-relations.ts';
import { fullIt } from '../support/tier.ts';

const { path: folder, duckdb, open, compact, query, files, ageLeases } = useLogFolder();

const EARLIER = new URL('../support/earlier-prediction-log/', import.meta.url).pathname;

/** Of a build that told routes, and not yet for which rows the model ran. */
const ROUTED = new URL('../support/routed-prediction-log/', import.meta.url).pathname;

const stable: RecordRoute = {
  ...experimentRoute,
  via: 'base',
  assigned: 'stable',
  experiment: null,
  phase: null,
  revision: 300,
  fallbackFrom: 'candidate',
  unitFields: [],
  keepsUnitsWhole: false,
};

function expose(log: PredictionLog, id: string, unit: string, route: Partial<RecordRoute>, seconds = 0): void {
  const changes = { request: [unit], unit: [unit], experimentUnit: unit, atMicros: NOW + seconds * MICROS_PER_SECOND };
  appendRecord(log, id, { ...changes, route: { ...experimentRoute, ...route } });
}

async function exposures(where = 'true'): Promise<unknown[][]> {
  const connection = await duckdb().connect();
  try {
    const sql = await loggedExposuresSql(connection, folder());
    const asked = `SELECT experiment, phase, unit, arm, epoch_us(exposed_at)::DOUBLE - ${NOW}, predictions::INTEGER FROM (${sql}) WHERE ${where} ORDER BY ALL`;
    return (await connection.runAndReadAll(asked)).getRowsJson() as unknown[][];
  } finally {
    connection.closeSync();
  }
}

const ROUTES = 'via, assigned, experiment, experiment_unit, phase, revision::INTEGER, fallback_from, sample_rate';

describe('the route of a row', () => {
  it('and whether the model ran for it are told beside earlier builds, compacted or not, with or without schemas', async () => {
    for (const build of [EARLIER, ROUTED]) cpSync(build, folder(), { recursive: true });
    const log = open();
    appendRecord(log, 'a', { route: experimentRoute, experimentUnit: 'é"\n', isCached: true });
    appendRecord(log, 'b', { route: stable, isCached: false });
    appendRecord(log, 'c', { isCached: true });
    await log.close();
    const ofBefore = (id: string) => [id, ...new Array<null>(8).fill(null), null];
    const expected = [
      ['a', true, 'experiment', 'treatment', 'exp', 'é"\n', 1, 7, null, 1],
      ['b', false, 'base', 'stable', null, null, null, 300, 'candidate', 1],
      ['c', true, ...new Array<null>(7).fill(null), 1],
      ...['packed-a', 'packed-b', 'waiting-a', 'waiting-b'].map(ofBefore),
    ];
    const read = () =>
      query(`SELECT prediction_id, cached, ${ROUTES} FROM predictions
      WHERE prediction_id NOT LIKE 'routed-%' ORDER BY prediction_id`);
    const routed = () =>
      query("SELECT assigned, cached FROM predictions WHERE prediction_id LIKE 'routed-%' ORDER BY prediction_id");
    const all = () => query('SELECT * FROM predictions ORDER BY prediction_id');
    const before = await all();
    const check = async (): Promise<void> => {
      expect(await read()).toEqual(expected);
      expect(await routed()).toEqual(['packed', 'waiting'].map(() => ['treatment', null]));
    };
    await check();
    expect(await compact()).toMatchObject({ segments: 3, damaged: 0 });
    await check();
    expect(await all()).toEqual(before);
    const told =
      "SELECT prediction_id, outcome, altered FROM predictions WHERE prediction_id LIKE '%ing-a' OR prediction_id = 'packed-a' ORDER BY 1";
    const altered = '{"request_id":"cut","features.flights":"redacted"}';
    expect(await query(told)).toEqual(['packed-a', 'waiting-a'].map((id) => [id, 'true', altered]));
    for (const file of files('schema.json')) rmSync(join(folder(), file));
    await check();
  });

  it('takes few bytes of a record, and none are made for a row', async () => {
    const sizeOf = async (changes: Parameters<typeof appendRecord>[2]): Promise<number> => {
      const log = open();
      for (let i = 0; i < 1000; i++) appendRecord(log, `p${i}`, changes);
      await log.close();
      const [segment = ''] = files('.records');
      const { length } = readFileSync(join(folder(), segment));
      await compact();
      return length;
    };
    const without = await sizeOf({});
    expect(((await sizeOf({ route: stable })) - without) / 1000).toBeLessThan(24);
    expect(((await sizeOf({ route: experimentRoute, experimentUnit: 'JFK' })) - without) / 1000).toBeLessThan(30);
  });

  // twin: test/integration/monitoring-log-routes.test.ts > takes few bytes of a record, and none are made for a row
  fullIt('leaves nothing of a row for the garbage collector', () => {
    const script = fileURLToPath(new URL('../support/log-sink-heap.ts', import.meta.url));
    const flags = ['--expose-gc', '--max-semi-space-size=128', '--conditions=headrace-source'];
    const run = spawnSync(process.execPath, [...flags, script, folder()], { encoding: 'utf8' });
    expect(run.stderr).toBe('');
    const { bytes, dropped } = JSON.parse(run.stdout) as { bytes: number; dropped: number };
    expect(dropped).toBe(0);
    // A record of its own, without any value of it, would be 100 and more.
    expect(bytes).toBeLessThan(60);
  });

  it('comes out of the segment of a process that was killed', async () => {
    const log = open();
    appendRecord(log, 'a', { route: experimentRoute, experimentUnit: 'JFK' });
    await log.flush();
    ageLeases();
    expect(await query(`SELECT assigned, experiment_unit FROM predictions`)).toEqual([['treatment', 'JFK']]);
  });
});

describe('routes and outcomes', () => {
  // twin: test/integration/monitoring-log.test.ts > reads each record once after a compaction that was cut off before its segment went
  fullIt(
    'are each read once after compactions that were killed anywhere, beside segments of an earlier build',
    async () => {
      cpSync(EARLIER, folder(), { recursive: true });
      const log = open({ segmentBytes: 1 });
      const units = Array.from({ length: 60 }, (_, i) => `unit-${i}`);
      for (const [i, unit] of units.entries()) {
        expose(log, `p${i}`, unit, { revision: i, assigned: i % 2 === 0 ? 'control' : 'treatment' }, i * 600);
        const at = NOW + i * 600 * MICROS_PER_SECOND;
        await log.recordOutcomes([
          { predictionId: { unit: [unit], fromMicros: at }, endpoint: 'delay', value: i, observedMicros: at },
        ]);
      }
      await log.close();
      const all = 'SELECT * EXCLUDE (recorded_at) FROM predictions ORDER BY prediction_id';
      const expected = await query(all);
      expect(expected).toHaveLength(64);
      const script = fileURLToPath(new URL('../support/compact-once.ts', import.meta.url));
      for (const share of [0.2, 0.5, 0.8]) {
        const args = ['--conditions=headrace-source', script, folder(), join(folder(), 'other')];
        const child = spawn(process.execPath, args, { stdio: 'ignore' });
        const exited = once(child, 'exit');
        const until = units.length * (1 - share);
        while (files('.records').length > until && child.exitCode === null) await delay(1);
        child.kill('SIGKILL');
        await exited;
        expect(await query(all)).toEqual(expected);
      }
      await compact();
      expect(files('.records')).toEqual([]);
      expect(files('.bytes')).toEqual([]);
      expect(await query(all)).toEqual(expected);
    },
  );

  it('stay where a clock jumps back and forth: rows by the hour that they were made in, the first exposure first', async () => {
    let now = NOW;
    const log = open({ clock: { nowMicros: () => now } });
    for (const [i, hours] of [0, -3, 5, 1].entries()) {
      now = NOW + hours * MICROS_PER_HOUR;
      expose(log, `p${i}`, 'ATL', {}, hours * 3600);
      await log.recordOutcomes([{ predictionId: `p${i}`, endpoint: 'delay', value: i, observedMicros: now }]);
    }
    await log.close();
    const read = () => query('SELECT prediction_id, outcome FROM predictions ORDER BY predicted_at');
    const expected = ['p1', 'p0', 'p3', 'p2'].map((id) => [id, id.slice(1)]);
    expect(await read()).toEqual(expected);
    await compact();
    expect(await read()).toEqual(expected);
    expect(await exposures()).toEqual([['exp', 1, 'ATL', 'treatment', -3 * MICROS_PER_HOUR, 4]]);
    const hours = files('.parquet').filter((file) => file.startsWith('predictions'));
    expect(hours.map((file) => /hour=\d+/.exec(file)?.[0])).toEqual(['hour=11', 'hour=14', 'hour=15', 'hour=19']);
  });
});

describe('exposures', () => {
  it('are the first of each unit and arm in a phase, forced rows left out', async () => {
    const log = open();
    expose(log, 'p1', 'ATL', {}, 5);
    expose(log, 'p2', 'ATL', {}, 3);
    expose(log, 'p3', 'ATL', { assigned: 'control' }, 9);
    expose(log, 'p4', 'ATL', { phase: 2 }, 20);
    expose(log, 'p5', 'JFK', { via: 'forced' }, 1);
    expose(log, 'p6', 'BOS', { experiment: 'other' }, 1);
    expose(log, 'p7', 'SFO', { fallbackFrom: 'treatment' }, 2);
    appendRecord(log, 'p8', { route: stable });
    const expected = [
      ['exp', 1, 'ATL', 'control', 9e6, 1],
      ['exp', 1, 'ATL', 'treatment', 3e6, 2],
      ['exp', 1, 'SFO', 'treatment', 2e6, 1],
      ['exp', 2, 'ATL', 'treatment', 20e6, 1],
    ];
    await log.close();
    expect(await exposures(`experiment = 'exp'`)).toEqual(expected);
    await compact();
    expect(await exposures(`experiment = 'exp'`)).toEqual(expected);
    expect(await exposures(`experiment = 'exp' AND phase = 2`)).toEqual(expected.slice(3));
    expect(await exposures()).toHaveLength(5);
  });

  it('are what a walk over the rows by hand finds', async () => {
    const row = fc.record({
      unit: fc.constantFrom('a', 'b', 'c', '["a",1]'),
      arm: fc.constantFrom('control', 'treatment'),
      experiment: fc.constantFrom('exp', 'other'),
      phase: fc.integer({ min: 1, max: 2 }),
      via: fc.constantFrom('experiment', 'experiment', 'forced'),
      second: fc.integer({ min: 0, max: 50 }),
    });
    const rows = fc.sample(row, { numRuns: 120, seed: 11 });
    const first = new Map<string, { at: number; rows: number }>();
    const log = open();
    for (const [i, { unit, arm, experiment, phase, via, second }] of rows.entries()) {
      expose(log, `p${i}`, unit, { assigned: arm, experiment, phase, via }, second);
      if (via === 'forced' || experiment !== 'exp') continue;
      const key = JSON.stringify([experiment, phase, unit, arm]);
      const known = first.get(key);
      first.set(key, { at: Math.min(known?.at ?? Infinity, second * 1e6), rows: (known?.rows ?? 0) + 1 });
      if (i === 60) await log.flush();
    }
    await log.close();
    const expected = Array.from(first, ([key, { at, rows: count }]) => [...(JSON.parse(key) as unknown[]), at, count]);
    const found = await exposures(`experiment = 'exp'`);
    const sorted = (list: readonly unknown[]) => list.map((one) => JSON.stringify(one)).toSorted();
    expect(sorted(found)).toEqual(sorted(expected));
    expect(found.length).toBeGreaterThan(10);
  });

  it('have hashes in place of units that are redacted or very long, and stay apart', async () => {
    const log = open({ redact: ['origin'] });
    const long = 'x'.repeat(300);
    expose(log, 'p1', 'ada', {});
    expose(log, 'p2', 'bob', {});
    expose(log, 'p3', 'ada', { assigned: 'control' });
    const plain = open();
    expose(plain, 'p4', `${long}1`, {});
    expose(plain, 'p5', `${long}2`, {});
    await Promise.all([log.close(), plain.close()]);
    const units = (await exposures()).map(([, , unit, arm]) => [unit, arm]);
    expect(units).toHaveLength(5);
    const [[ada], [bob]] = (await query(
      "SELECT unnest(['sha256:' || left(sha256('ada'), 32), 'sha256:' || left(sha256('bob'), 32)])",
    )) as [[string], [string]];
    expect(units).toEqual(
      expect.arrayContaining([
        [ada, 'treatment'],
        [ada, 'control'],
        [bob, 'treatment'],
      ]),
    );
    const redacted = files('.records').map((file) => readFileSync(join(folder(), file)));
    expect(redacted.some((bytes) => bytes.includes('ada') || bytes.includes('bob'))).toBe(false);
  });

  it('of a sample are of whole units: a row has no lot of its own', async () => {
    const log = open({ sample: parseSampling('delay status:missing=1, delay.control=0.5, *=0.25') });
    const units = Array.from({ length: 400 }, (_, i) => `unit-${i}`);
    for (const [i, unit] of units.entries()) {
      for (let row = 0; row < 5; row++) {
        expose(log, `${unit}-${row}`, unit, i % 2 === 0 ? { assigned: 'control' } : {}, row);
      }
    }
    await log.close();
    const found =
      await query(`SELECT assigned, sample_rate, count(DISTINCT experiment_unit)::INTEGER, min(rows)::INTEGER, max(rows)::INTEGER
      FROM (SELECT assigned, sample_rate, experiment_unit, count(*) AS rows FROM predictions GROUP BY ALL) GROUP BY ALL ORDER BY 1`);
    expect(found.map(([arm, rate, , least, most]) => [arm, rate, least, most])).toEqual([
      ['control', 0.5, 5, 5],
      ['treatment', 0.25, 5, 5],
    ]);
    expect(Number(found[0]?.[2])).toBeGreaterThan(70);
    expect(Number(found[0]?.[2])).toBeLessThan(130);
    expect(Number(found[1]?.[2])).toBeGreaterThan(28);
    expect(Number(found[1]?.[2])).toBeLessThan(75);
    // What is like no unit's rows is of the sample row by row, and by what it is like.
    const rows = open({ sample: parseSampling('status:missing=1, *=0') });
    const arm = rows.arm(armSchema);
    expect(arm.append(predictionRecord('missing', { route: stable }))).toBe(true);
    expect(arm.append(predictionRecord('whole', { route: stable, statuses: [] }))).toBe(false);
  });
});
