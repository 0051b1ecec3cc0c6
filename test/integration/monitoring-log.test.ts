// The prediction log on a real disk: what is lost when, what a reader sees while segments become Parquet, killed writers.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Logger, MICROS_PER_HOUR, silentLogger, systemClock } from '../../src/core/index.ts';
import { collectPredictions, parseKeep, queryPredictionLog } from '../../src/monitoring/index.ts';
import { NOW, useLogFolder, outcomeOf } from '../support/log-folder.ts';
import { appendRecord, armSchema, predictionRecord } from '../support/prediction-records.ts';
import { refused } from '../support/refused.ts';

const { path: folder, duckdb, clock, open, compact, query, ids, files, ageLeases } = useLogFolder();

describe('the prediction log', () => {
  it('gives back every column exactly, from segments and from Parquet alike', async () => {
    const log = open();
    appendRecord(log, 'a', { traceId: '4bf92f35', unit: ['é"\n', 'x'] });
    await log.close();
    const read = async (): Promise<unknown[][]> =>
      query(`
      SELECT request_id, trace_id, predicted_at::VARCHAR, latency_micros, endpoint, model, version, variant, unit[1],
        request->>'origin', features->>'flights', features->>'mean_delay', features->>'last_seen', statuses->>'last_seen',
        (outputs->>'probability')::DOUBLE
      FROM predictions`);
    const names = ['request-1', '4bf92f35', '2026-09-21 14:13:20+00', '850', 'delay', 'delay_classifier'];
    const values = ['JFK', '1152921504606846977', 'NaN', '2026-09-21T14:13:20.000001Z', 'NOT_FOUND', 0.25];
    const expected = [...names, 3, 'stable', 'é"\n', ...values];
    expect(await read()).toEqual([expected]);
    expect(await compact()).toMatchObject({ segments: 1, rows: 1, files: 1 });
    expect(files('.records')).toEqual([]);
    expect(await read()).toEqual([expected]);
  });

  it('lays Parquet out by the hour of the prediction, for any reader', async () => {
    const log = open();
    appendRecord(log, 'a');
    appendRecord(log, 'b', { atMicros: NOW + MICROS_PER_HOUR });
    await log.close();
    await compact();
    const place = (hour: number) => `^predictions/endpoint=delay/schema=[0-9a-f]{16}/date=2026-09-21/hour=${hour}$`;
    const places = [14, 15].map((hour) => expect.stringMatching(new RegExp(place(hour))));
    expect(files('.parquet').map((file) => dirname(file))).toEqual(places);
    const rows = await query(`SELECT prediction_id, "date"::VARCHAR, "hour"::INTEGER, version
      FROM read_parquet('${folder()}/predictions/*/*/*/*/*.parquet', hive_partitioning = true) ORDER BY ALL`);
    expect(rows.map(String)).toEqual(['a,2026-09-21,14,3', 'b,2026-09-21,15,3']);
    expect(await ids({ from: NOW + 1 })).toEqual(['b']);
    expect(await ids({ to: NOW + 1 })).toEqual(['a']);
  });

  it('joins the outcome that was recorded last; repeats change nothing', async () => {
    const log = open();
    const outcome = { predictionId: 'a', endpoint: 'delay', observedMicros: NOW };
    appendRecord(log, 'a');
    appendRecord(log, 'b');
    await log.recordOutcomes([{ ...outcome, value: 1 }]);
    clock.micros += 5;
    await log.recordOutcomes([{ ...outcome, value: 'late' }]);
    await log.recordOutcomes([{ ...outcome, value: 'late' }]);
    await log.flush();
    const outcomes = async (): Promise<unknown[][]> =>
      query(`SELECT prediction_id, outcome->>'$', observed_at::VARCHAR FROM predictions ORDER BY ALL`);
    const expected = [
      ['a', 'late', '2026-09-21 14:13:20+00'],
      ['b', null, null],
    ];
    expect(await outcomes()).toEqual(expected);
    await log.close();
    await compact();
    expect(await outcomes()).toEqual(expected);
    clock.micros += 5;
    const later = open();
    await later.recordOutcomes([{ ...outcome, value: 2.5 }]);
    await later.flush();
    expect((await outcomes())[0]).toEqual(['a', '2.5', '2026-09-21 14:13:20+00']);
  });

  it('joins an outcome to predictions of the endpoint that it was told of, and to no other’s', async () => {
    const log = open();
    const outcome = outcomeOf('a', 1);
    appendRecord(log, 'a');
    await log.recordOutcomes([outcome]);
    clock.micros += 5;
    await log.recordOutcomes([{ ...outcome, endpoint: 'other', value: 2 }]);
    await log.flush();
    const outcomes = (): Promise<unknown[][]> => query(`SELECT prediction_id, outcome->>'$' FROM predictions`);
    expect(await outcomes()).toEqual([['a', '1']]);
    await log.close();
    // Each is kept in Parquet, too.
    await compact();
    expect(await outcomes()).toEqual([['a', '1']]);
  });

  it.each([
    [true, 'BOOLEAN', 'true', 1],
    [false, 'BOOLEAN', 'false', 0],
    [2, 'UBIGINT', '2', 2],
    [-0.5, 'DOUBLE', '-0.5', -0.5],
    ['late', 'VARCHAR', 'late', null],
    ['true', 'VARCHAR', 'true', null],
    ['', 'VARCHAR', '', null],
    [null, null, null, null],
  ])('keeps the kind of the outcome %j, from segments and from Parquet alike', async (value, kind, text, number) => {
    const log = open();
    appendRecord(log, 'a');
    await log.recordOutcomes([outcomeOf('a', value)]);
    await log.close();
    const read = async (): Promise<unknown[][]> =>
      query(`SELECT json_type(outcome), outcome->>'$', TRY_CAST(outcome AS DOUBLE), recorded_at IS NOT NULL
        FROM predictions`);
    expect(await read()).toEqual([[kind, text, number, true]]);
    await compact();
    expect(files('.records')).toEqual([]);
    expect(await read()).toEqual([[kind, text, number, true]]);
  });

  it('gives what the guide’s own queries ask for, whatever kinds of outcomes came', async () => {
    const log = open();
    const outcomes = { a: true, b: false, c: 1, d: 'late', e: null };
    for (const id of [...Object.keys(outcomes), 'open']) appendRecord(log, id);
    for (const [id, value] of Object.entries(outcomes)) await log.recordOutcomes([outcomeOf(id, value)]);
    await log.flush();
    const guide = readFileSync(new URL('../../docs/guides/monitoring.md', import.meta.url), 'utf8');
    const queries = [...guide.matchAll(/```sql\n(.*?)```/gs)].map(([, sql = '']) => sql);
    const ask = async (sql = '') =>
      (await queryPredictionLog(duckdb(), { directory: folder(), sql, limit: 100, startsAt: folder() })).rows;
    expect(await ask(queries[0])).toEqual([['delay', 'stable', 3, 6, 0.85, 0]]);
    expect(await ask(queries[1])).toEqual([['stable', 4, 0.25, 2 / 3]]);
    log.arm({ ...armSchema, variant: 'shadow', version: 4 }).append(predictionRecord('a~4'));
    await log.close();
    await compact();
    for (const sql of queries) expect(await ask(sql), sql).not.toEqual([]);
  });

  it('drops what does not fit its memory, counts it by reason, and tells it once', async () => {
    const warnings: object[] = [];
    const logger: Logger = { ...silentLogger, warn: (fields) => warnings.push(fields) };
    const log = open({ memory: 1024 ** 2, logger });
    const unit = ['x'.repeat(100_000)];
    let kept = 0;
    while (appendRecord(log, `${kept}`, { unit })) kept++;
    expect(kept).toBeGreaterThan(5);
    expect(kept).toBeLessThan(12);
    const dropped = { full: 1, disk: 0, closed: 0, too_large: 0, invalid: 0 };
    const counters = { written: 0, skipped: 0, queued: kept, queuedBytes: 1024 ** 2, dropped };
    expect(log.counters()).toEqual(counters);
    // Outcomes have memory of their own.
    await log.recordOutcomes([outcomeOf('0', 1)]);
    expect(log.counters()).toMatchObject({ written: kept + 1, queued: 0, queuedBytes: 0 });
    expect(appendRecord(log, 'again')).toBe(true);
    await log.close();
    expect(appendRecord(log, 'late')).toBe(false);
    expect(log.counters()).toMatchObject({ written: kept + 2, queued: 0, dropped: { full: 1, closed: 1 } });
    expect(warnings).toEqual([{ dropped: 1, byReason: expect.objectContaining({ full: 1 }) }]);
    await refused(log.recordOutcomes([outcomeOf('a', 9)]), 'HR_STOPPING');
    expect(await ids()).toHaveLength(kept + 1);
  });

  it('goes on when the disk refuses, counting what was lost', async () => {
    appendFileSync(join(folder(), 'segments'), 'a file where the folder should be');
    const log = open();
    appendRecord(log, 'a');
    await refused(log.flush(), 'ENOTDIR');
    expect(log.counters()).toMatchObject({ written: 0, queued: 0, dropped: { disk: 1 } });
    const outcome = outcomeOf('a', 1);
    await refused(log.recordOutcomes([outcome]), 'ENOTDIR');
    rmSync(join(folder(), 'segments'));
    appendRecord(log, 'b');
    await log.recordOutcomes([outcome]);
    expect(log.counters()).toMatchObject({ written: 2, queued: 0, dropped: { disk: 1 } });
    expect(await ids()).toEqual(['b']);
  });

  it('begins another segment when one is large and when its hour is over, and compacts only the ended ones', async () => {
    const log = open({ segmentBytes: 100 });
    for (const id of ['a', 'b', 'c']) {
      appendRecord(log, id);
      await log.flush();
    }
    const segments = () => [files('.records').length, files('.open').length];
    expect(segments()).toEqual([3, 0]);
    expect(await compact()).toMatchObject({ segments: 3, rows: 3 });
    await log.close();
    const later = open();
    appendRecord(later, 'd');
    await later.flush();
    expect(segments()).toEqual([0, 1]);
    expect(await compact()).toMatchObject({ segments: 0 });
    clock.micros += MICROS_PER_HOUR;
    await later.flush();
    expect(segments()).toEqual([1, 0]);
    expect(await compact()).toMatchObject({ segments: 1, rows: 1 });
    expect(await ids()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('reads each record once after a compaction that was cut off before its segment went', async () => {
    const log = open();
    appendRecord(log, 'a');
    await log.close();
    const [segment = ''] = files('.records');
    copyFileSync(join(folder(), segment), join(folder(), 'kept'));
    await compact();
    copyFileSync(join(folder(), 'kept'), join(folder(), segment));
    expect(await ids()).toEqual(['a']);
    await compact();
    expect(await ids()).toEqual(['a']);
    expect(files('.parquet')).toHaveLength(1);
  });

  it('survives two compactions at once', async () => {
    for (let i = 0; i < 4; i++) {
      const log = open();
      for (let j = 0; j < 20; j++) appendRecord(log, `p${i}-${j}`);
      await log.close();
    }
    await Promise.all([compact(), compact()]);
    expect(files('.records')).toEqual([]);
    expect(new Set(await ids()).size).toBe(80);
    expect((await ids()).length).toBe(80);
  });

  it('leaves out a torn last line, also one of zeros', async () => {
    for (const tail of ['\x40\0\0\0torn', '\0'.repeat(100)]) {
      const log = open();
      appendRecord(log, `before ${tail.length}`);
      await log.close();
      appendFileSync(join(folder(), files('.records').at(-1) ?? ''), tail);
    }
    const expected = ['before 100', 'before 8'];
    expect(await ids()).toEqual(expected);
    expect(await compact()).toMatchObject({ segments: 2, rows: 2 });
    expect(await ids()).toEqual(expected);
  });

  it('keeps some endpoints longer, and outcomes as long as there are predictions that they may be of', async () => {
    const log = open();
    const other = log.arm({ ...armSchema, endpoint: 'other' });
    for (const hours of [0, 3, 6]) {
      clock.micros = NOW - hours * MICROS_PER_HOUR;
      appendRecord(log, `delay ${hours}`, { atMicros: clock.micros });
      other.append(predictionRecord(`other ${hours}`, { atMicros: clock.micros }));
      const observedMicros = clock.micros;
      const unit = { unit: ['JFK'], fromMicros: observedMicros };
      await log.recordOutcomes([
        { predictionId: `delay ${hours}`, endpoint: 'delay', value: 1, observedMicros },
        { predictionId: unit, endpoint: 'other', value: 2, observedMicros },
      ]);
    }
    clock.micros = NOW;
    await log.close();
    const left = async () => [
      await ids(),
      (await query('SELECT outcome::INTEGER FROM predictions WHERE outcome IS NOT NULL ORDER BY ALL')).flat(),
    ];
    expect(await compact({ keep: parseKeep('2h, other=5h') })).toMatchObject({ files: 12, deleted: 5 });
    expect(await left()).toEqual([
      ['delay 0', 'other 0', 'other 3'],
      [1, 2, 2],
    ]);
    expect(await compact({ keep: parseKeep('2h, other=5h') })).toMatchObject({ deleted: 0 });
    const collector = collectPredictions({ directory: folder(), nowMicros: () => NOW, keep: parseKeep('2h') });
    const { items } = await collector.plan();
    expect(items.map(({ what, why }) => `${what.split('/')[0]} ${why}`)).toEqual([
      'predictions of the hour from 2026-09-21T11, past predictionLog.keep',
      'outcomes of the hour from 2026-09-21T11, whose outcomes are of predictions that are gone',
      'unit_outcomes of the hour from 2026-09-21T11, whose outcomes are of predictions that are gone',
    ]);
    for (const item of items) await collector.erase(item);
    expect(await left()).toEqual([
      ['delay 0', 'other 0'],
      [1, 2],
    ]);
  });

  it('deletes the oldest hours when all together are too large', async () => {
    const log = open();
    for (let hour = 0; hour < 3; hour++) appendRecord(log, `hour ${hour}`, { atMicros: NOW + hour * MICROS_PER_HOUR });
    await log.close();
    await compact();
    const [size = 0] = files('.parquet').map((file) => statSync(join(folder(), file)).size);
    expect(await compact({ maxBytes: 2.5 * size })).toMatchObject({ deleted: 1 });
    expect(await ids()).toEqual(['hour 1', 'hour 2']);
  });

  it('loses nothing that was flushed when its process is killed, and picks up its segments', async () => {
    const script = fileURLToPath(new URL('../support/log-forever.ts', import.meta.url));
    const child = spawn(process.execPath, [script, folder()], { stdio: ['ignore', 'pipe', 'inherit'] });
    let flushed = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      flushed = Number(line);
      if (flushed >= 2000) break;
    }
    child.kill('SIGKILL');
    await once(child, 'exit');
    clock.micros = systemClock.nowMicros();
    const check = async (): Promise<void> => {
      const [row] = await query(`SELECT count(*)::INTEGER, count(DISTINCT prediction_id)::INTEGER,
        count(*) FILTER (WHERE substr(prediction_id, 2)::INTEGER < ${flushed})::INTEGER, count(outcome)::INTEGER
        FROM predictions`);
      const [all, distinct, promised, outcomes] = row as [number, number, number, number];
      expect(all).toBe(distinct);
      expect(promised).toBe(flushed);
      expect(outcomes).toBeGreaterThanOrEqual(flushed / 100);
    };
    await check();
    // It may live for all that can be told.
    expect(await compact()).toMatchObject({ segments: 0 });
    ageLeases();
    expect((await compact()).rows).toBeGreaterThanOrEqual(flushed);
    expect(readdirSync(join(folder(), 'segments'))).toEqual([]);
    await check();
  });
});
