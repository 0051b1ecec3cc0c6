// What the prediction log keeps of what it is given: texts that are none, what is too much, what is not to be logged, typed
// columns, and very many outcomes at once.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseSampling, type PredictionLog } from '../../src/monitoring/index.ts';
import { useLogFolder, outcomeOf } from '../support/log-folder.ts';
import { appendRecord, armSchema, predictionRecord } from '../support/prediction-records.ts';
import { refused } from '../support/refused.ts';
import { isFull } from '../support/tier.ts';

const { path: folder, open, compact, query, files } = useLogFolder();

describe('what is logged', () => {
  it('is kept whatever its texts are, and says where they were none', async () => {
    const log = open();
    appendRecord(log, 'a', { request: ['x\ud800y'], unit: ['\udc00'] });
    appendRecord(log, 'b', { request: ['whole 😀 \0'] });
    await log.recordOutcomes([outcomeOf('a', 'o\udfff')]);
    await log.close();
    expect(log.counters().written).toBe(3);
    const sql = `SELECT prediction_id, request->>'origin', unit[1], altered->>'$."request.origin"', altered->>'unit', outcome->>'$'
      FROM predictions ORDER BY 1`;
    const expected = [
      ['a', 'x\ufffdy', '\ufffd', 'replaced', 'replaced', 'o\ufffd'],
      ['b', 'whole 😀 \0', 'JFK', null, null, null],
    ];
    expect(await query(sql)).toEqual(expected);
    await compact();
    expect(files('.parquet')).toHaveLength(2);
    expect(await query(sql)).toEqual(expected);
  });

  it('takes so much memory and disk and no more, however long the texts are', async () => {
    const memory = 8 * 1024 ** 2;
    const log = open({ memory });
    for (let i = 0; i < 10_000; i++) appendRecord(log, `p${i}`, { requestId: 'r'.repeat(15_000) });
    expect(log.counters()).toMatchObject({ queued: 10_000, dropped: { full: 0 } });
    let kept = 0;
    for (let i = 0; i < 10_000; i++) if (appendRecord(log, `q${i}`, { request: ['x'.repeat(15_000)] })) kept++;
    const { queued, queuedBytes, dropped } = log.counters();
    expect([queued, dropped.full]).toEqual([10_000 + kept, 10_000 - kept]);
    expect(queuedBytes).toBeLessThanOrEqual(memory);
    await log.close();
    expect(log.counters()).toMatchObject({ written: 10_000 + kept, queued: 0, queuedBytes: 0 });
    const bytes = files('.records').reduce((sum, file) => sum + statSync(join(folder(), file)).size, 0);
    expect(bytes).toBeLessThanOrEqual(memory + 1024);
    const cut = "SELECT count(*)::INTEGER FROM predictions WHERE altered->>'request_id' = 'cut'";
    expect(await query(cut)).toEqual([[10_000]]);
  });

  it('is a share of the predictions where that is asked, the same on every server', async () => {
    const keptBy = (log: PredictionLog): number[] =>
      Array.from({ length: 2000 }, (_, i) => i).filter((i) => appendRecord(log, `p${i}`));
    const log = open({ sample: parseSampling('0.25') });
    const [first, second] = [log, open({ sample: parseSampling('0.25') })].map(keptBy);
    expect(second).toEqual(first);
    expect(first?.length).toBeGreaterThan(400);
    expect(first?.length).toBeLessThan(600);
    expect(log.counters()).toMatchObject({ queued: first?.length, skipped: 2000 - (first?.length ?? 0) });
    expect(keptBy(open({ sample: parseSampling('0') }))).toEqual([]);
  });

  it('has a mark in place of the status of a feature that is redacted, and no outcome where those are', async () => {
    const log = open({ redact: ['last_seen', 'delay.outcome'] });
    appendRecord(log, 'a');
    appendRecord(log, 'b', { statuses: ['NULL_VALUE', 'a status of later', 'another'] });
    await log.recordOutcomes([outcomeOf('a', 'secret')]);
    await log.close();
    const [segment = ''] = files('.records');
    expect(/secret|another/.test(readFileSync(join(folder(), segment), 'latin1'))).toBe(false);
    const read = () => query('SELECT statuses, outcome, recorded_at IS NULL FROM predictions ORDER BY prediction_id');
    const expected = [
      ['{"flights":"PRESENT","mean_delay":"PRESENT","last_seen":"REDACTED"}', null, false],
      ['{"flights":"NULL_VALUE","mean_delay":"a status of later","last_seen":"REDACTED"}', null, true],
    ];
    expect(await read()).toEqual(expected);
    await compact();
    expect(await read()).toEqual(expected);
  });

  it('has no value of a column that is redacted, wherever it would stand', async () => {
    const secret = 'ada-lovelace';
    const log = open({ redact: ['delay.origin', 'flights', 'price.mean_delay'] });
    const arm = log.arm({ ...armSchema, unitFields: ['origin', 'destination'] });
    arm.append(predictionRecord('a', { request: [secret], unit: [secret, 'other'] }));
    // Too large, so that it takes another way.
    arm.append(predictionRecord('b', { request: [secret], unit: [secret, 'x'.repeat(300_000)] }));
    await log.close();
    const [segment = ''] = files('.records');
    expect(readFileSync(join(folder(), segment)).includes(secret)).toBe(false);
    const sql = 'SELECT prediction_id, request, features, [unit[1], unit[2][:5]], altered FROM predictions ORDER BY 1';
    const features = '{"flights":null,"mean_delay":"NaN","last_seen":"2026-09-21T14:13:20.000001Z"}';
    const row = (id: string, unit: string, told: string) => {
      const altered = `{"unit":"${told}","request.origin":"redacted","features.flights":"redacted"}`;
      return [id, '{"origin":null}', features, ['', unit], altered];
    };
    expect(await query(sql)).toEqual([row('a', 'other', 'redacted'), row('b', 'xxxxx', 'cut')]);
  });

  it('is typed by its schema in Parquet, and one relation over several schemas', async () => {
    const log = open();
    appendRecord(log, 'a');
    const other = log.arm({
      ...armSchema,
      endpoint: 'price',
      arm: 'arm-2',
      requestFields: [],
      featureFields: [
        { name: 'Case', type: { kind: 'bool' } },
        { name: 'case', type: { kind: 'list', of: { kind: 'timestamp' } } },
        { name: 'a "quoted" \'name\'', type: { kind: 'bytes' } },
        { name: 'embedding', type: { kind: 'vector', size: 3 } },
      ],
      outputFields: [{ name: 'label', type: { kind: 'int64' } }],
    });
    const features = [true, [1, null, 1_000_001], new Uint8Array([1, 2]), Float32Array.of(0.5, NaN, 2)];
    other.append(predictionRecord('b', { request: [], features, statuses: [], outputs: [2n ** 53n + 1n] }));
    other.append(
      predictionRecord('c', { request: [], features: [null, null, null, null], statuses: [], outputs: [null] }),
    );
    await log.close();
    const sql = `SELECT prediction_id, endpoint, arm, request::VARCHAR, features::VARCHAR, outputs::VARCHAR, statuses->>'flights'
      FROM predictions ORDER BY 1`;
    const json = `{"Case":true,"case":["1970-01-01T00:00:00.000001Z",null,"1970-01-01T00:00:01.000001Z"],\
"a \\"quoted\\" 'name'":"AQI=","embedding":[0.5,"NaN",2]}`;
    const empty = `{"Case":null,"case":null,"a \\"quoted\\" 'name'":null,"embedding":null}`;
    const first = '{"flights":1152921504606846977,"mean_delay":"NaN","last_seen":"2026-09-21T14:13:20.000001Z"}';
    const expected = [
      ['a', 'delay', 'arm-1', '{"origin":"JFK"}', first, '{"probability":0.25}', 'PRESENT'],
      ['b', 'price', 'arm-2', '{}', json, '{"label":9007199254740993}', null],
      ['c', 'price', 'arm-2', '{}', empty, '{"label":null}', null],
    ];
    expect(await query(sql)).toEqual(expected);
    expect(await compact()).toMatchObject({ segments: 1, rows: 3, files: 2 });
    expect(await query(sql)).toEqual(expected);
    const [file = ''] = files('.parquet').filter((path) => path.includes('endpoint=price'));
    const typed = await query(`SELECT column_name, column_type FROM (DESCRIBE SELECT features, statuses, outputs, unit
      FROM read_parquet('${join(folder(), file)}', hive_partitioning = false))`);
    expect(Object.fromEntries(typed)).toMatchObject({
      outputs: 'STRUCT("label" BIGINT)',
      features:
        'STRUCT("Case" BOOLEAN, case_2 TIMESTAMP WITH TIME ZONE[], "a ""quoted"" \'name\'" BLOB, embedding FLOAT[])',
    });
  });
});

describe('outcomes', () => {
  /** More than fit into one write. */
  const MANY = isFull ? 100_000 : 20_000;

  it('of any number are kept in one call', async () => {
    const log = open();
    const outcomes = Array.from({ length: MANY }, (_, i) => outcomeOf(`p${i}`, i));
    const last = 'SELECT prediction_id, outcome::INTEGER FROM predictions';
    appendRecord(log, `p${MANY - 1}`);
    await log.recordOutcomes(outcomes);
    expect(log.counters()).toMatchObject({ written: MANY + 1, queued: 0 });
    expect(await query(last)).toEqual([[`p${MANY - 1}`, MANY - 1]]);
    await log.close();
    expect(await compact()).toMatchObject({ segments: 1, rows: MANY + 1 });
    expect(await query(last)).toEqual([[`p${MANY - 1}`, MANY - 1]]);
  });

  it('that wait take bounded memory: one batch is always taken, the next is refused until there is room', async () => {
    const log = open({ memory: 1024 ** 2 });
    const batch = (id: string) => Array.from({ length: 20_001 }, () => outcomeOf(id, 1));
    const first = log.recordOutcomes(batch('a'));
    await refused(log.recordOutcomes(batch('b')), 'HR_OVERLOADED');
    await first;
    await log.recordOutcomes(batch('b'));
  });

  it('that come together are each kept before they are answered', async () => {
    const log = open();
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        appendRecord(log, `p${i}`);
        await log.recordOutcomes([outcomeOf(`p${i}`, i)]);
      }),
    );
    expect(log.counters().written).toBe(400);
    expect(await query('SELECT count(outcome)::INTEGER FROM predictions')).toEqual([[200]]);
  });
});
