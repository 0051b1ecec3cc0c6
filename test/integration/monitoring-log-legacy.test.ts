// A prediction log of before records were binary: its lines of JSON and its Parquet are still read, beside new records.

import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { NOW, useLogFolder, outcomeOf } from '../support/log-folder.ts';
import { appendRecord } from '../support/prediction-records.ts';

const NAME = '01790000000000000-0123abcd-4242-0123456789ab-000000';

const { path: folder, open, compact, query } = useLogFolder();

function predictionLine(id: string, origin: string): string {
  const ids = {
    prediction_id: id,
    request_id: 'request-1',
    trace_id: null,
    predicted_micros: NOW,
    latency_micros: 850,
  };
  const arm = { endpoint: 'delay', model: 'delay_classifier', version: 3, variant: 'stable', unit: ['JFK'] };
  const features = { flights: 7, mean_delay: 'NaN' };
  const statuses = { flights: 'PRESENT', mean_delay: 'NOT_FOUND' };
  return JSON.stringify({ ...ids, ...arm, request: { origin }, features, statuses, outputs: { probability: 0.25 } });
}

function write(kind: string, lines: readonly string[], tail = ''): string {
  const path = join(folder(), 'segments', kind, `${NAME}.ndjson`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, lines.map((line) => `${line}\n`).join('') + tail);
  return path;
}

const read = (): Promise<unknown[][]> =>
  query(`SELECT prediction_id, predicted_at::VARCHAR, request->>'origin', features->>'mean_delay', statuses->>'mean_delay',
    arm, outcome->>'$' FROM predictions ORDER BY 1`);

it('is read with new records, and becomes Parquet once no writer can be at it', async () => {
  const old = write('predictions', [predictionLine('a', 'ATL'), predictionLine('b', 'JFK')], '{"prediction_id":"torn');
  write('outcomes', [
    JSON.stringify({ prediction_id: 'a', endpoint: 'delay', outcome: 1, observed_micros: NOW, recorded_micros: NOW }),
  ]);
  const log = open();
  appendRecord(log, 'c');
  await log.recordOutcomes([outcomeOf('b', 'late')]);
  await log.close();
  const at = '2026-09-21 14:13:20+00';
  const expected = [
    ['a', at, 'ATL', 'NaN', 'NOT_FOUND', null, '1'],
    ['b', at, 'JFK', 'NaN', 'NOT_FOUND', null, 'late'],
    ['c', at, 'JFK', 'NaN', 'PRESENT', 'arm-1', null],
  ];
  expect(await read()).toEqual(expected);
  expect(await compact()).toMatchObject({ segments: 1, rows: 2 });
  expect(await read()).toEqual(expected);
  const hours = Date.now() / 1000 - 71 * 60;
  for (const kind of ['predictions', 'outcomes'])
    utimesSync(join(folder(), 'segments', kind, `${NAME}.ndjson`), hours, hours);
  expect(await compact()).toMatchObject({ segments: 2, rows: 3, damaged: 0 });
  expect(await read()).toEqual(expected);
  expect(readdirSync(dirname(old))).toEqual([]);
  expect(readdirSync(join(folder(), 'predictions', 'date=2026-09-21', 'hour=14'))).toEqual([`${NAME}.parquet`]);
});

it('had lines that nobody read: they are set apart and counted', async () => {
  const lone = predictionLine('a', 'x\ud800y');
  const path = write('predictions', [lone, predictionLine('b', 'JFK')]);
  const hours = Date.now() / 1000 - 71 * 60;
  utimesSync(path, hours, hours);
  const report = await compact();
  expect(report).toMatchObject({ segments: 1, rows: 1, damaged: 1 });
  expect(readFileSync(join(folder(), 'damaged', `${NAME}-0.bytes`), 'utf8')).toBe(lone);
});
