// The prediction log where things go wrong: what nobody can read, writers that can't be told by their process, full disks,
// texts that are none, and very many outcomes at once.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, type Logger, silentLogger } from '../../src/core/index.ts';
import {
  compactPredictionLog,
  openPredictionLog,
  type PredictionLog,
  type PredictionLogOptions,
  predictionLogSql,
} from '../../src/monitoring/index.ts';
import { type DuckDb, openDuckDb } from '../../src/storage/index.ts';
import { appendRecord, armSchema, predictionRecord } from '../support/prediction-records.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const NOW = 1_790_000_000_000_000;
const clock: Clock = { nowMicros: () => NOW };
const supportFile = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url));

let folder: string;
let duckdb: DuckDb;
const logs: PredictionLog[] = [];

const open = (options: Partial<PredictionLogOptions> = {}): PredictionLog => {
  const log = openPredictionLog({
    directory: folder,
    clock,
    logger: silentLogger,
    flushEveryMs: 3_600_000,
    ...options,
  });
  logs.push(log);
  return log;
};
const compact = () => compactPredictionLog({ directory: folder, duckdb: async () => duckdb, clock });
const query = async (sql: string, directory = folder): Promise<unknown[][]> => {
  const connection = await duckdb.connect();
  try {
    await connection.run(`CREATE TEMP VIEW predictions AS ${await predictionLogSql(connection, directory)}`);
    return (await connection.runAndReadAll(sql)).getRowsJson() as unknown[][];
  } finally {
    connection.closeSync();
  }
};
const ids = async (directory = folder): Promise<unknown[]> =>
  (await query('SELECT prediction_id FROM predictions ORDER BY ALL', directory)).map(([id]) => id);
const files = (ending: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .sort();
const ageLeases = (): void => {
  const at = Date.now() / 1000 - 61;
  for (const lease of files('lease')) utimesSync(join(folder, lease), at, at);
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-log-faults-'));
  duckdb = await openDuckDb({ tempDirectory: join(folder, 'spill'), memory: '256MB', threads: 1 });
});
afterEach(async () => {
  await Promise.all(logs.splice(0).map((log) => log.close()));
  await duckdb.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('what is logged', () => {
  it('is kept whatever its texts are, and says where they were none', async () => {
    const log = open();
    appendRecord(log, 'a', { request: ['x\ud800y'], unit: ['\udc00'] });
    appendRecord(log, 'b', { request: ['whole 😀 \0'] });
    await log.recordOutcomes([{ predictionId: 'a', endpoint: 'delay', value: 'o\udfff', observedMicros: NOW }]);
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
    const bytes = files('.records').reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
    expect(bytes).toBeLessThanOrEqual(memory + 1024);
    expect(await query("SELECT count(*)::INTEGER FROM predictions WHERE altered->>'request_id' = 'cut'")).toEqual([
      [10_000],
    ]);
  });

  it('is a share of the predictions where that is asked, the same on every server', async () => {
    const keptBy = (log: PredictionLog): number[] =>
      Array.from({ length: 2000 }, (_, i) => i).filter((i) => appendRecord(log, `p${i}`));
    const [first, second] = [open({ sample: 0.25 }), open({ sample: 0.25 })].map(keptBy);
    expect(second).toEqual(first);
    expect(first?.length).toBeGreaterThan(400);
    expect(first?.length).toBeLessThan(600);
    expect(logs[0]?.counters()).toMatchObject({ queued: first?.length, skipped: 2000 - (first?.length ?? 0) });
    expect(keptBy(open({ sample: 0 }))).toEqual([]);
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
    expect(readFileSync(join(folder, segment)).includes(secret)).toBe(false);
    expect(
      await query(
        'SELECT prediction_id, request, features, [unit[1], unit[2][:5]], altered FROM predictions ORDER BY 1',
      ),
    ).toEqual(
      ['a', 'b'].map((id) => [
        id,
        '{"origin":null}',
        '{"flights":null,"mean_delay":"NaN","last_seen":"2026-09-21T14:13:20.000001Z"}',
        ['', id === 'a' ? 'other' : 'xxxxx'],
        `{"unit":"${id === 'a' ? 'redacted' : 'cut'}","request.origin":"redacted","features.flights":"redacted"}`,
      ]),
    );
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
    const expected = [
      [
        'a',
        'delay',
        'arm-1',
        '{"origin":"JFK"}',
        '{"flights":1152921504606846977,"mean_delay":"NaN","last_seen":"2026-09-21T14:13:20.000001Z"}',
        '{"probability":0.25}',
        'PRESENT',
      ],
      ['b', 'price', 'arm-2', '{}', json, '{"label":9007199254740993}', null],
      ['c', 'price', 'arm-2', '{}', empty, '{"label":null}', null],
    ];
    expect(await query(sql)).toEqual(expected);
    expect(await compact()).toMatchObject({ segments: 1, rows: 3, files: 2 });
    expect(await query(sql)).toEqual(expected);
    const [file = ''] = files('.parquet').filter((path) => path.includes('endpoint=price'));
    const typed = await query(`SELECT column_name, column_type FROM (DESCRIBE SELECT features, statuses, outputs, unit
      FROM read_parquet('${join(folder, file)}', hive_partitioning = false))`);
    expect(Object.fromEntries(typed)).toMatchObject({
      outputs: 'STRUCT("label" BIGINT)',
      features:
        'STRUCT("Case" BOOLEAN, case_2 TIMESTAMP WITH TIME ZONE[], "a ""quoted"" \'name\'" BLOB, embedding FLOAT[])',
    });
  });
});

describe('outcomes', () => {
  it('of any number are kept in one call', async () => {
    const log = open();
    const outcomes = Array.from({ length: 100_000 }, (_, i) => ({
      predictionId: `p${i}`,
      endpoint: 'delay',
      value: i,
      observedMicros: NOW,
    }));
    appendRecord(log, 'p99999');
    await log.recordOutcomes(outcomes);
    expect(log.counters()).toMatchObject({ written: 100_001, queued: 0 });
    expect(await query('SELECT prediction_id, outcome::INTEGER FROM predictions')).toEqual([['p99999', 99_999]]);
    await log.close();
    expect(await compact()).toMatchObject({ segments: 1, rows: 100_001 });
    expect(await query('SELECT prediction_id, outcome::INTEGER FROM predictions')).toEqual([['p99999', 99_999]]);
  });

  it('that wait take bounded memory: one batch is always taken, the next is refused until there is room', async () => {
    const log = open({ memory: 1024 ** 2 });
    const batch = (id: string) =>
      Array.from({ length: 20_001 }, () => ({ predictionId: id, endpoint: 'delay', value: 1, observedMicros: NOW }));
    const first = log.recordOutcomes(batch('a'));
    await expect(log.recordOutcomes(batch('b'))).rejects.toMatchObject({ code: 'HR_OVERLOADED' });
    await first;
    await log.recordOutcomes(batch('b'));
  });

  it('that come together are each kept before they are answered', async () => {
    const log = open();
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        appendRecord(log, `p${i}`);
        await log.recordOutcomes([{ predictionId: `p${i}`, endpoint: 'delay', value: i, observedMicros: NOW }]);
      }),
    );
    expect(log.counters().written).toBe(400);
    expect(await query('SELECT count(outcome)::INTEGER FROM predictions')).toEqual([[200]]);
  });
});

describe('a part that can’t be read', () => {
  it('is set apart and counted, and what is around it is kept', async () => {
    const log = open();
    for (let i = 0; i < 10; i++) {
      appendRecord(log, `p${i}`);
      await log.flush();
    }
    await log.close();
    const [segment = ''] = files('.records');
    const bytes = readFileSync(join(folder, segment));
    const at = bytes.indexOf('p4');
    bytes[at] = 0;
    writeFileSync(join(folder, segment), bytes);
    const expected = ['p0', 'p1', 'p2', 'p3', 'p5', 'p6', 'p7', 'p8', 'p9'];
    expect(await ids()).toEqual(expected);
    expect(await compact()).toMatchObject({ segments: 1, rows: 9, damaged: 1 });
    expect(await ids()).toEqual(expected);
    const [part = ''] = files('.bytes');
    expect(basename(part)).toMatch(new RegExp(`^${basename(segment, '.records')}-\\d+\\.bytes$`));
    const kept = readFileSync(join(folder, part));
    expect(bytes.includes(kept) && kept.includes('JFK')).toBe(true);
  });

  it('costs the records of a damaged schema only where none is kept of it', async () => {
    const damageSchema = (): void => {
      const [segment = ''] = files('.records');
      const bytes = readFileSync(join(folder, segment));
      bytes[bytes.indexOf('"endpoint"')] = 0;
      writeFileSync(join(folder, segment), bytes);
    };
    const write = async (id: string): Promise<void> => {
      const log = open();
      appendRecord(log, id);
      await log.close();
    };
    await write('a');
    damageSchema();
    expect(await compact()).toMatchObject({ rows: 0, damaged: 2 });
    await write('b');
    await compact();
    await write('c');
    damageSchema();
    expect(await compact()).toMatchObject({ rows: 1, damaged: 1 });
    expect(await ids()).toEqual(['b', 'c']);
  });

  it('is no segment at all', async () => {
    mkdirSync(join(folder, 'segments', '0123456789ab'), { recursive: true });
    writeFileSync(join(folder, 'segments', '0123456789ab', 'x.records'), 'something else entirely');
    writeFileSync(join(folder, 'segments', '0123456789ab', 'y.records'), '');
    expect(await ids()).toEqual([]);
    expect(await compact()).toMatchObject({ segments: 2, rows: 0, damaged: 1 });
    expect(readFileSync(join(folder, files('.bytes')[0] ?? ''), 'utf8')).toBe('something else entirely');
  });
});

describe('a writer', () => {
  it('that lives in another process namespace keeps its segment', async ({ skip }) => {
    if (spawnSync('unshare', ['-pf', '--mount-proc', 'true']).status !== 0) {
      skipBecause('a prediction log over process namespaces: this user may not make one');
      skip();
    }
    const log = open();
    appendRecord(log, 'a');
    await log.flush();
    // To the other one no process of this one is there; and the lease may have run out for all that it knows.
    ageLeases();
    const other = spawnSync(
      'unshare',
      [
        '-pf',
        '--mount-proc',
        process.execPath,
        '--conditions=headrace-source',
        supportFile('compact-once.ts'),
        folder,
        join(folder, 'other'),
      ],
      { encoding: 'utf8' },
    );
    expect(other.stderr).toBe('');
    expect(JSON.parse(other.stdout)).toEqual({ pid: 1, segments: 0, rows: 0, files: 0, damaged: 0, deleted: 0 });
    appendRecord(log, 'b');
    await log.flush();
    expect(await ids()).toEqual(['a', 'b']);
  });

  it('whose lock can’t be seen is alive for as long as it renews its lease', async () => {
    const log = open();
    appendRecord(log, 'a');
    await log.flush();
    // As on a file system without locks.
    const [lock = ''] = files('lock');
    rmSync(join(folder, lock));
    expect(await compact()).toMatchObject({ segments: 0 });
    ageLeases();
    expect(await compact()).toMatchObject({ segments: 1, rows: 1 });
    // It finds out, and does not say that what it wrote there is kept.
    appendRecord(log, 'b');
    await expect(log.flush()).rejects.toThrow('taken');
    expect(log.counters()).toMatchObject({ written: 1, dropped: { disk: 1 } });
    appendRecord(log, 'c');
    await log.flush();
    expect(await ids()).toEqual(['a', 'c']);
  });

  it('that is stopped keeps its segment by its lock, however old its lease is', async () => {
    const child = spawn(process.execPath, ['--conditions=headrace-source', supportFile('log-forever.ts'), folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(createInterface({ input: child.stdout }), 'line');
    child.kill('SIGSTOP');
    ageLeases();
    try {
      expect(await compact()).toMatchObject({ segments: 0 });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    ageLeases();
    expect((await compact()).rows).toBeGreaterThan(0);
  });
});

describe('the thread that compacts', () => {
  it('makes Parquet of ended segments beside a log that goes on, and stops with it', async () => {
    const told: object[] = [];
    const logger: Logger = {
      ...silentLogger,
      info: (fields) => told.push(fields),
      error: (fields) => told.push(fields),
    };
    const ended = open();
    appendRecord(ended, 'a');
    await ended.close();
    const log = open({ logger, compaction: { everyMs: 50 } });
    while (files('.parquet').length === 0 || told.length === 0) await delay(50);
    expect(told[0]).toEqual({ segments: 1, rows: 1, files: 1, damaged: 0, deleted: 0 });
    appendRecord(log, 'b');
    await log.close();
    expect(await ids()).toEqual(['a', 'b']);
  });

  it('ends in the middle of its work when the log closes, and loses nothing', async () => {
    const told: object[] = [];
    const logger: Logger = { ...silentLogger, error: (fields) => told.push(fields) };
    const ended = open({ segmentBytes: 1 });
    for (let i = 0; i < 300; i++) {
      appendRecord(ended, `p${i}`);
      await ended.flush();
    }
    await ended.close();
    const log = open({ logger, compaction: { everyMs: 50 } });
    while (files('.parquet').length === 0) await delay(5);
    await log.close();
    expect(files('.records').length).toBeGreaterThan(0);
    expect(told).toEqual([]);
    expect(await ids()).toHaveLength(300);
  });
});

const disk = mountSmallDisk(8);
if (disk === undefined) skipBecause('a prediction log on a full disk: this user may not mount a small one');

describe.skipIf(disk === undefined)('on a full disk', () => {
  const root = disk?.path ?? '';
  afterAll(() => disk?.remove());

  it('counts what is not kept, refuses outcomes, and goes on when there is room', async () => {
    const directory = join(root, 'log');
    const log = open({ directory });
    appendRecord(log, 'first');
    await log.flush();
    let appended = 1;
    const fill = (count: number): void => {
      for (let i = 0; i < count; i++) if (appendRecord(log, `p${appended}`, { unit: ['x'.repeat(10_000)] })) appended++;
    };
    fill(200);
    await log.flush();
    fill(2000);
    await expect(log.flush()).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    const { written, dropped, queued } = log.counters();
    expect({ sum: written + dropped.disk, queued }).toEqual({ sum: appended, queued: 0 });
    expect(written).toBeGreaterThanOrEqual(201);
    expect(await ids(directory)).toHaveLength(written);
    writeFileSync(join(root, 'hog'), Buffer.alloc(1));
    for (let size = 4 * 1024 ** 2; size >= 4096; size >>= 1) {
      try {
        writeFileSync(join(root, 'hog'), Buffer.alloc(size), { flag: 'a' });
      } catch {
        // Smaller, then.
      }
    }
    const outcomes = Array.from({ length: 1000 }, (_, i) => ({
      predictionId: `p${i}`,
      endpoint: 'delay',
      value: 1,
      observedMicros: NOW,
    }));
    await expect(log.recordOutcomes(outcomes)).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    expect(log.counters()).toMatchObject({ written, queued: 0 });
    rmSync(join(root, 'hog'));
    appendRecord(log, 'again');
    await log.recordOutcomes(outcomes);
    expect(log.counters()).toMatchObject({ written: written + 1001, queued: 0 });
    expect(await ids(directory)).toHaveLength(written + 1);
    await log.close();
    expect(existsSync(join(directory, 'segments'))).toBe(true);
  });
});
