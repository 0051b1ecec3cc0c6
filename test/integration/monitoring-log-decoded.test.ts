// Segments that are not compacted yet are decoded once: what was decoded is kept, told from what the segment is by now, and gone
// once it is compacted.

import { readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MICROS_PER_HOUR } from '../../src/core/index.ts';
import type { DecodedLimits } from '../../src/monitoring/prediction-log/decoded-segments.ts';
import type { LogRange } from '../../src/monitoring/prediction-log/log-parts.ts';
import { openLogRelation } from '../../src/monitoring/prediction-log/log-relation.ts';
import { NOW, useLogFolder, outcomeOf } from '../support/log-folder.ts';
import { appendRecord, armSchema, experimentRoute, predictionRecord } from '../support/prediction-records.ts';

const { path: folder, duckdb, open, compact, files } = useLogFolder();

const KEEPS: DecodedLimits = { leastBytes: 1, mostBytes: 1e9, leastFreeBytes: 0 };
const KEEPS_NONE: DecodedLimits = { ...KEEPS, leastBytes: Infinity };

async function ask(limits = KEEPS, range: LogRange = {}) {
  const connection = await duckdb().connect();
  try {
    const log = await openLogRelation(connection, folder(), range, limits);
    const rowsOf = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
    const typed = [];
    for (const { named, sql } of log.typed)
      typed.push([named.id, await rowsOf(`SELECT prediction_id FROM ${sql} ORDER BY ALL`)]);
    return { rows: await rowsOf(`SELECT * FROM (${log.sql}) ORDER BY prediction_id`), typed, damaged: log.damaged };
  } finally {
    connection.closeSync();
  }
}
const ids = async (limits?: DecodedLimits, range?: LogRange) => (await ask(limits, range)).rows.map(([id]) => id);
const decoded = (ending: string) => files(ending).filter((name) => name.startsWith('decoded'));
const segmentPath = () => join(folder(), [...files('.open'), ...files('.records')][0] ?? '');

/** Nothing of the segment can be decoded any more but its last bytes: what is still told was kept. */
function blank(): void {
  const bytes = readFileSync(segmentPath());
  bytes.fill(0x55, 0, bytes.length - 16);
  writeFileSync(segmentPath(), bytes);
}

async function logged(id: string) {
  const log = open();
  appendRecord(log, id);
  await log.flush();
  return log;
}

describe('a segment that is not compacted', () => {
  it('is told the same from what was decoded before, of all kinds of records, and from it alone', async () => {
    const log = open();
    appendRecord(log, 'a');
    const route = { route: experimentRoute, experimentUnit: 'ATL' };
    appendRecord(log, 'b', { atMicros: NOW + 1, unit: ['ATL'], ...route, statuses: ['a new status'] });
    const noFields = { requestFields: [], featureFields: [], unitFields: [] };
    const other = log.arm({ ...armSchema, endpoint: 'price', arm: 'arm-2', ...noFields });
    other.append(predictionRecord('c', { request: [], features: [], statuses: [], unit: [] }));
    await log.recordOutcomes([
      outcomeOf('a', 'late'),
      { predictionId: { unit: ['ATL'], fromMicros: NOW }, endpoint: 'delay', value: 7, observedMicros: NOW + 1 },
    ]);
    await log.flush();
    const fresh = await ask(KEEPS_NONE);
    expect(decoded('')).toEqual([]);
    expect(fresh.rows.map(([id]) => id)).toEqual(['a', 'b', 'c']);
    expect(await ask()).toEqual(fresh);
    expect(decoded('.json')).toHaveLength(1);
    const kept = decoded('.parquet');
    expect(kept).toHaveLength(4);
    blank();
    expect(await ask()).toEqual(fresh);
    expect(decoded('.parquet')).toEqual(kept);
    // By whoever keeps nothing, too.
    expect(await ask(KEEPS_NONE)).toEqual(fresh);
    expect(await ids(KEEPS, { endpoint: 'price' })).toEqual(['c']);
    expect((await ask(KEEPS, { endpoint: 'price' })).typed).toHaveLength(1);
    expect(await ids(KEEPS, { from: NOW + 1 })).toEqual(['b']);
    expect(await ids(KEEPS, { from: NOW + 2 })).toEqual([]);
    expect(await ids(KEEPS, { to: NOW })).toEqual([]);
  });

  it('that grows is decoded from where it was decoded to, by the schemas of before', async () => {
    const log = await logged('a');
    expect(await ids()).toEqual(['a']);
    blank();
    appendRecord(log, 'b');
    await log.flush();
    expect(await ids(KEEPS_NONE)).toEqual(['a', 'b']);
    expect(await ids()).toEqual(['a', 'b']);
    blank();
    await log.recordOutcomes([outcomeOf('b', 1)]);
    appendRecord(log, 'c', { atMicros: NOW + MICROS_PER_HOUR });
    await log.close();
    expect(await ids()).toEqual(['a', 'b', 'c']);
    expect(decoded('.json')).toHaveLength(3);
    expect(await ids(KEEPS, { from: NOW + MICROS_PER_HOUR })).toEqual(['c']);
    // Of another endpoint nothing is opened, though its schema is known from before.
    expect((await ask(KEEPS_NONE, { endpoint: 'price' })).typed).toEqual([]);
  });

  it('leaves nothing behind once it is compacted, and nothing that came too late', async () => {
    const log = open();
    appendRecord(log, 'a');
    await log.close();
    expect(await ids()).toEqual(['a']);
    expect(decoded('.json')).toHaveLength(1);
    const late = join(folder(), 'decoded', '00000000000000001-0123456789ab-000000.0-9.json');
    for (const path of [late, `${late}.young`]) writeFileSync(path, '{}');
    const old = NOW / 1e6 - 3601;
    utimesSync(late, old, old);
    utimesSync(`${late}.young`, NOW / 1e6, NOW / 1e6);
    expect(await compact()).toMatchObject({ segments: 1, rows: 1 });
    expect(decoded('.json')).toEqual([]);
    expect(decoded('.parquet')).toEqual([]);
    expect(decoded('.young')).toHaveLength(1);
    expect(await ids()).toEqual(['a']);
  });

  it.each([0, 40])('is decoded again where %i bytes are left of what was kept of it', async (length) => {
    const log = open();
    appendRecord(log, 'a');
    await log.recordOutcomes([outcomeOf('a', 1)]);
    await log.flush();
    const fresh = await ask(KEEPS_NONE);
    expect(await ask()).toEqual(fresh);
    for (const name of decoded('.parquet')) truncateSync(join(folder(), name), length);
    expect(await ask(KEEPS_NONE)).toEqual(fresh);
    expect(await ask()).toEqual(fresh);
    expect(await ask()).toEqual(fresh);
  });

  it('that was cut to what is durable tells nothing of what is lost, nor does one with other bytes', async () => {
    const log = await logged('a');
    const { length } = readFileSync(segmentPath());
    appendRecord(log, 'b');
    await log.flush();
    expect(await ids()).toEqual(['a', 'b']);
    const whole = readFileSync(segmentPath());
    truncateSync(segmentPath(), length);
    expect(await ids()).toEqual(['a']);
    // As a machine that crashed may leave it.
    writeFileSync(segmentPath(), Buffer.concat([whole.subarray(0, length), Buffer.alloc(whole.length - length)]));
    expect(await ids()).toEqual(['a']);
    expect((await ask()).damaged).toBe(0);
  });

  it('counts what can’t be read of it each time', async () => {
    const log = open();
    for (const id of ['a', 'b', 'c']) appendRecord(log, id);
    await log.close();
    const bytes = readFileSync(segmentPath());
    const at = bytes.indexOf('b', bytes.indexOf('request-1'));
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(segmentPath(), bytes);
    const first = await ask(KEEPS_NONE);
    expect(first.damaged).toBe(1);
    expect(await ask()).toEqual(first);
    expect(decoded('.json')).toHaveLength(1);
    expect(await ask()).toEqual(first);
  });

  it('is decoded by each who asks where there is no room, it is short, or the folder can’t be written to', async () => {
    await logged('a');
    const { length } = readFileSync(segmentPath());
    for (const limits of [{ mostBytes: 0 }, { leastFreeBytes: Infinity }, { leastBytes: length + 1 }]) {
      expect(await ids({ ...KEEPS, ...limits })).toEqual(['a']);
      expect(decoded('')).toEqual([]);
    }
    writeFileSync(join(folder(), 'decoded'), 'no folder');
    expect(await ids()).toEqual(['a']);
    expect(files('.parquet')).toEqual([]);
  });

  it('is kept while there is room, by what the same question has kept, too', async () => {
    for (const id of ['a', 'b', 'c']) {
      const log = open();
      appendRecord(log, id);
      await log.close();
    }
    for (let asked = 0; asked < 2; asked++) {
      expect(await ids({ ...KEEPS, mostBytes: 1 })).toEqual(['a', 'b', 'c']);
      expect(decoded('.json')).toHaveLength(1);
    }
  });

  it('is decoded where what was kept is torn or half gone', async () => {
    await logged('a');
    expect(await ids()).toEqual(['a']);
    rmSync(join(folder(), decoded('.parquet')[0] ?? ''));
    expect(await ids()).toEqual(['a']);
    writeFileSync(join(folder(), decoded('.json')[0] ?? ''), '{"from":0,');
    expect(await ids()).toEqual(['a']);
  });
});
