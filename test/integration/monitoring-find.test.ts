// One prediction found again by its id, wherever it lies, and a stretch of the log as a spine.

import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createPredictionIds, MICROS_PER_HOUR, predictionMark } from '../../src/core/index.ts';
import { findPrediction, type SpineOrder, writeSpine } from '../../src/monitoring/index.ts';
import { NOW, useLogFolder, outcomeOf } from '../support/log-folder.ts';
import { appendRecord, armSchema, experimentRoute, predictionRecord } from '../support/prediction-records.ts';

const { path: folder, duckdb, open, compact, query } = useLogFolder();
const EARLIER = new URL('../support/earlier-prediction-log/', import.meta.url).pathname;

describe('a prediction', () => {
  const find = (id: string) => findPrediction(duckdb(), folder(), id);

  it('is found by its id in segments, in Parquet of any hour, and in what earlier builds wrote', async () => {
    cpSync(EARLIER, folder(), { recursive: true });
    const nextId = createPredictionIds('of-a-process');
    const log = open();
    const ids = Array.from({ length: 30 }, () => nextId(predictionMark(7, 3), 0xffffffff));
    for (const [hour, id] of ids.entries()) {
      appendRecord(log, id, { atMicros: NOW - hour * MICROS_PER_HOUR, route: experimentRoute, experimentUnit: 'JFK' });
    }
    log.arm({ ...armSchema, endpoint: 'other', version: 9 }).append(predictionRecord('other-1'));
    await log.recordOutcomes([outcomeOf(ids[20] ?? '', 'late')]);
    await log.flush();
    const look = async (): Promise<void> => {
      const own = { prediction_id: ids[20], endpoint: 'delay', assigned: 'treatment', outcome: 'late' };
      const columns = { request: { origin: 'JFK' }, statuses: { last_seen: 'NOT_FOUND' } };
      expect(await find(ids[20] ?? '')).toMatchObject({ ...own, ...columns });
      expect(await find(ids[0] ?? '')).toMatchObject({ outcome: null, recorded_at: null });
      expect(await find('other-1')).toMatchObject({ endpoint: 'other', version: 9 });
      expect(await find('packed-a')).toMatchObject({ endpoint: 'delay', outcome: true, via: null });
      expect(await find('waiting-b')).toMatchObject({ endpoint: 'delay', unit: ['unit-waiting-b'] });
      expect(await find('of-a-process-0')).toBeUndefined();
      // Part of another text, and an outcome of none.
      expect(await find('JFK')).toBeUndefined();
    };
    await look();
    await log.close();
    await compact();
    await look();
  });

  it('is none where nothing was ever logged', async () => {
    expect(await findPrediction(duckdb(), join(folder(), 'nowhere'), 'p')).toBeUndefined();
  });
});

describe('a spine', () => {
  const spine = async (changes: Partial<SpineOrder> = {}) => {
    const out = join(folder(), 'spine.parquet');
    const order = { directory: folder(), endpoint: 'delay', out, label: 'outcome', isLabelled: false };
    const written = await writeSpine(duckdb(), { ...order, ...changes });
    expect(readdirSync(folder()).filter((name) => name.endsWith('.part'))).toEqual([]);
    const rows = existsSync(out) ? await query(`SELECT * FROM read_parquet('${out}')`) : [];
    return { ...written, read: rows };
  };

  it('has what was answered, and not what shadows made of it', async () => {
    const log = open();
    appendRecord(log, 'a');
    log.arm({ ...armSchema, variant: 'shadow', version: 4 }).append(predictionRecord('a~4'));
    await log.flush();
    expect(await spine()).toMatchObject({ rows: 1 });
    await log.close();
    await compact();
    expect(await spine()).toMatchObject({ rows: 1 });
  });

  it('has what was asked in its types, when, its outcome and its id, of all schemas of the endpoint', async () => {
    const log = open();
    const distance = { name: 'distance', type: { kind: 'int32' } } as const;
    const wider = log.arm({ ...armSchema, version: 4, requestFields: [...armSchema.requestFields, distance] });
    appendRecord(log, 'a');
    wider.append(predictionRecord('b', { request: ['ATL', 606], atMicros: NOW + 1 }));
    appendRecord(log, 'c', { request: ['x\ud800'], atMicros: NOW + 2 });
    appendRecord(log, 'late', { atMicros: NOW + MICROS_PER_HOUR });
    const outcome = (predictionId: string, value: number | boolean | string) =>
      log.recordOutcomes([{ predictionId, endpoint: 'delay', value, observedMicros: NOW }]);
    await outcome('b', true);
    await log.close();
    const range = { from: NOW, to: NOW + MICROS_PER_HOUR };
    const expected = [
      ['JFK', null, '2026-09-21 14:13:20+00', null, 'a'],
      ['ATL', 606, '2026-09-21 14:13:20.000001+00', true, 'b'],
    ];
    for (let time = 0; time < 2; time++) {
      const { rows, labelled, altered, columns, read } = await spine(range);
      expect({ rows, labelled, altered, read }).toEqual({ rows: 2, labelled: 1, altered: 1, read: expected });
      const types = { origin: 'VARCHAR', distance: 'INTEGER', predicted_at: 'TIMESTAMP WITH TIME ZONE' };
      const told = Object.entries({ ...types, outcome: 'BOOLEAN', prediction_id: 'VARCHAR' });
      expect(columns.map(({ name, type }) => [name, type])).toEqual(told);
      await compact();
    }
    expect((await spine({ ...range, isLabelled: true })).read).toEqual(expected.slice(1));
    expect((await spine({ ...range, label: 'was_late' })).columns.map(({ name }) => name)).toContain('was_late');
  });

  it.each([
    [[true, 0.5], 'DOUBLE', [1, 0.5]],
    [[1, -7], 'BIGINT', ['1', '-7']],
    [[1, 'x"y'], 'VARCHAR', ['1', 'x"y']],
    [[true, 'late'], 'VARCHAR', ['true', 'late']],
  ] as const)('has %j as labels of %s', async (values, type, expected) => {
    const log = open();
    for (const [i, value] of values.entries()) {
      appendRecord(log, `p${i}`);
      await log.recordOutcomes([{ predictionId: `p${i}`, endpoint: 'delay', value, observedMicros: NOW }]);
    }
    const { columns, read } = await spine();
    expect(columns.find(({ name }) => name === 'outcome')?.type).toBe(type);
    expect(read.map((row) => row[2])).toEqual(expected);
  });

  it('is refused where it would have nothing, or two columns of one name', async () => {
    await expect(spine()).rejects.toThrow('the log has no prediction of "delay" in that time');
    const log = open();
    appendRecord(log, 'a');
    await log.flush();
    await expect(spine({ from: NOW + 1 })).rejects.toThrow('no prediction of "delay"');
    await expect(spine({ label: 'Origin' })).rejects.toThrow('the spine has a column "origin" already');
    await expect(spine({ label: 'prediction_id' })).rejects.toThrow('a column "prediction_id" already');
  });
});
