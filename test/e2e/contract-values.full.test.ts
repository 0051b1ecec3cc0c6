// The definition of a feature value, held against the command line from outside: small files, values worked out by hand.
// twin: test/property/offline-training-set.test.ts > holds what the oracle computes, for every aggregation, type and edge

import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject, headrace, headraceJson, type Project } from '../support/serving-project.ts';

const DEFINITIONS = `import { count, countDistinct, csv, entity, featureService, featureView, first, last, lastN, latest, max, mean, min, onDemandView, stddev, sum, t, variance } from 'headrace';
export const shop = entity('shop', { keys: { k: t.string().optional() } });
export const pair = entity('pair', { keys: { a: t.int64(), b: t.int64() } });
export const texts = entity('texts', { keys: { s1: t.string(), s2: t.string() } });
const columns = { k: t.string(), a: t.int64(), b: t.int64(), s1: t.string(), s2: t.string(), n: t.int64(), x: t.float64(), s: t.string(), e: t.timestamp(), known: t.timestamp() };
export const events = csv('events', { path: 'data/*.csv', columns, eventTime: 'e', knownTime: 'known' });
export const lagging = csv('lagging', { path: 'data/*.csv', columns, eventTime: 'e', knownTime: { after: '5m' } });
export const at_once = csv('at_once', { path: 'data/*.csv', columns, eventTime: 'e' });
export const row = featureView('row', { entity: shop, source: events, ttl: '1h', features: { n: latest('n'), x: latest('x'), s: latest('s') } });
export const win = featureView('win', { entity: shop, source: events, features: {
  c: count().over('1h'), cn: count('n').over('1h'), sn: sum('n').over('1h'), sx: sum('x').over('1h'), mx: mean('x').over('1h'),
  lo: min('n').over('1h'), hi: max('s').over('1h'), sd: stddev('x').over('1h'), va: variance('x').over('1h'),
  fi: first('n').over('1h'), la: last('n').over('1h'), l2: lastN('n', 2).over('1h'), cd: countDistinct('s').over('1h'),
  wide: count().over('1h', { hop: '1h' }),
} });
export const after = featureView('after', { entity: shop, source: lagging, features: { n: latest('n'), c: count().over('1h') } });
export const hourly = featureView('hourly', { entity: shop, source: events, freshness: { every: '1h', lag: '5m' }, features: { n: latest('n'), c: count().over('1d') } });
export const pairs = featureView('pairs', { entity: pair, source: at_once, features: { n: latest('n'), c: count().over('1d') } });
export const words = featureView('words', { entity: texts, source: at_once, features: { n: latest('n'), c: count().over('1d') } });
export const sum_up = onDemandView('sum_up', { inputs: { request: { amount: t.float64() }, row }, features: { y: t.float64() },
  transform: ({ request, row }) => ({ y: request.amount == null || row.x == null ? null : request.amount + row.x }) });
export const doubled = onDemandView('doubled', { inputs: { sum_up }, features: { z: t.float32() }, transform: ({ sum_up }) => ({ z: sum_up.y == null ? null : sum_up.y * 2 }) });
export const all = featureService('all', [row, win, after]);
export const scheduled = featureService('scheduled', [hourly]);
export const composite = featureService('composite', [pairs, words]);
export const roles = featureService('roles', [row.as('here', { k: 'k' }).pick('n'), row.as('there', { k: 'other' }).pick('s', 'n'), doubled]);
`;

// Of A: the second is known ten minutes late, the third has only nulls. Of B: a full tie in time, the other way round
// in the file than its content orders. The last two lines have no key, and no time.
const EVENTS = `k,a,b,s1,s2,n,x,s,e,known
A,1,12,a|b,c,9007199254740993,1.5,p,2026-01-01T10:00:00.000001Z,2026-01-01T10:00:00.000001Z
A,11,2,a,b|c,2,2.5,q,2026-01-01T10:10:00Z,2026-01-01T10:20:00Z
A,1,12,a,b|c,,,,2026-01-01T10:30:00Z,2026-01-01T10:30:00Z
A,1,2,,x,7,4,p,2026-01-01T10:40:00Z,2026-01-01T10:40:00Z
B,1,2,x,y,6,Infinity,z,2026-01-01 12:00:00+02:00,2026-01-01T10:00:00Z
B,1,2,x,y,5,NaN,z,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z
,3,2,x,y,1,1,z,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z
C,3,3,x,y,1,1,z,,2026-01-01T10:00:00Z
`;

let project: Project;
beforeAll(() => {
  project = createProject({
    'headrace.config.ts':
      "import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'contract' });\n",
    'feature_repo/definitions.ts': DEFINITIONS,
    'feature_repo/data/events.csv': EVENTS,
  });
  headraceJson(project, ['apply']);
});
afterAll(() => project.remove());

/** Writes the spine, makes the training set, and gives its rows with int64 as text. */
async function trainingSet(service: string, spine: string, more: readonly string[] = []): Promise<unknown[][]> {
  project.write('spine.csv', spine);
  const out = `${service}${more.join('')}.parquet`;
  headraceJson(project, [
    'training-set',
    'create',
    '--service',
    service,
    '--spine',
    'spine.csv',
    '--timestamp',
    'ts',
    '--out',
    out,
    ...more,
  ]);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const read = await connection.runAndReadAll(`SELECT * FROM read_parquet('${project.file(out)}')`);
    return read.getRowsJson() as unknown[][];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const column = (rows: readonly unknown[][], ...at: number[]) => rows.map((row) => at.map((i) => row[i]));

describe('a view’s value at a time', () => {
  const spine = `id,k,ts
1,A,2026-01-01T11:00:00.000001Z
2,A,2026-01-01T10:19:59.999999Z
3,A,2026-01-01T10:20:00Z
4,A,2026-01-01T10:30:00Z
5,A,2026-01-01T11:40:00Z
6,A,2026-01-01T11:40:00.000001Z
7,A,2026-01-01T11:14:59.999999Z
8,A,2026-01-01T11:15:00Z
9,A,2026-01-01T10:00:00Z
9,A,2026-01-01T10:00:00Z
10,,2026-01-01T11:00:00Z
11,nobody,2026-01-01T11:00:00Z
12,B,2026-01-01T10:30:00Z
`;

  let rows: unknown[][];
  beforeAll(async () => {
    rows = await trainingSet('all', spine);
  });

  it('keeps the spine’s rows as they came, in order and with duplicates', () => {
    expect(rows.map(([id]) => id)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9', '9', '10', '11', '12']);
    expect(column(rows, 1)[10]).toEqual([null]);
  });

  it('takes the newest row that was known, nulls included, to the last microsecond of its TTL', () => {
    const expected = ['7', '9007199254740993', '2', null, '7', null, '7', '7', null, null, null, null, '6'];
    expect(column(rows, 3).flat()).toEqual(expected);
    // A tie in everything but content goes to the greater content, wherever it stands in the file.
    expect(rows[12]?.slice(3, 6)).toEqual(['6', 'Infinity', 'z']);
  });

  it('counts from the window’s tail, aligned down to the hop', () => {
    expect(column(rows, 6).flat()).toEqual(['4', '1', '2', '3', '1', '1', '3', '2', '0', '0', null, '0', '2']);
    expect(column(rows, 19).flat()).toEqual(['4', '1', '2', '3', '4', '4', '4', '4', '0', '0', null, '0', '2']);
  });

  it('gives every aggregation its type and its rule for nulls', () => {
    const windows = (row: number) => rows[row]?.slice(7, 19);
    expect(windows(0)).toEqual([
      '3',
      '9007199254741002',
      8,
      8 / 3,
      '2',
      'q',
      Math.sqrt(19 / 12),
      19 / 12,
      '9007199254740993',
      '7',
      ['2', '7'],
      '2',
    ]);
    // One value: no spread. None: counts are 0, all else is null.
    expect(windows(7)).toEqual(['1', '7', 4, 4, '7', 'p', null, null, '7', '7', ['7'], '1']);
    expect(windows(8)).toEqual(['0', null, null, null, null, null, null, null, null, null, null, '0']);
    expect(windows(10)).toEqual(Array<null>(12).fill(null));
    expect(windows(12)?.slice(0, 4)).toEqual(['2', '11', 'NaN', 'NaN']);
  });

  it('counts a fixed delay as the known time', () => {
    const expected = ['7', '2', '2', '2', '7', '7', '7', '7', null, null, null, null, '6'];
    expect(column(rows, 20).flat()).toEqual(expected);
  });

  it('leaves out what happened, or became known, at the very time with --boundary before', async () => {
    const strict = await trainingSet('all', spine, ['--boundary', 'before']);
    const expected = [
      '7',
      '9007199254740993',
      '9007199254740993',
      '2',
      '7',
      null,
      '7',
      '7',
      null,
      null,
      null,
      null,
      '6',
    ];
    expect(column(strict, 3).flat()).toEqual(expected);
    expect(column(strict, 6).flat()).toEqual(['4', '1', '1', '2', '1', '1', '3', '2', '0', '0', null, '0', '2']);
  });

  it('never takes one pair of keys for another', async () => {
    const made = await trainingSet(
      'composite',
      'a,b,s1,s2,ts\n1,12,a|b,c,2026-01-01T11:00:00Z\n11,2,a,b|c,2026-01-01T11:00:00Z\n112,,a|b|c,,2026-01-01T11:00:00Z\n',
    );
    expect(column(made, 5, 6, 7, 8)).toEqual([
      [null, '2', '9007199254740993', '1'],
      ['2', '1', null, '2'],
      [null, null, null, null],
    ]);
  });

  it('refuses a whole key with a fraction instead of rounding it', () => {
    project.write('halves.csv', 'a,b,s1,s2,ts\n1.5,2,x,y,2026-01-01T11:00:00Z\n');
    const args = ['--service', 'composite', '--spine', 'halves.csv', '--timestamp', 'ts', '--out', 'halves.parquet'];
    expect(headrace(project, ['training-set', 'create', ...args])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('1.5 is no int64'),
    });
  });

  it('is as stale as the schedule says', async () => {
    const made = await trainingSet(
      'scheduled',
      'k,ts\nA,2026-01-01T10:05:00Z\nA,2026-01-01T11:04:59.999999Z\nA,2026-01-01T11:05:00Z\n',
    );
    expect(column(made, 2, 3)).toEqual([
      [null, '0'],
      [null, '0'],
      ['7', '4'],
    ]);
  });

  it('reads a view in two roles, and on-demand views of on-demand views', async () => {
    const made = await trainingSet(
      'roles',
      'k,other,amount,ts\nA,B,2,2026-01-01T10:50:00Z\nB,A,,2026-01-01T10:20:00Z\nA,,1,2026-01-01T10:20:00Z\n',
    );
    expect(column(made, 4, 5, 6, 7)).toEqual([
      ['7', 'z', '6', 12],
      ['6', 'q', '2', null],
      ['2', null, null, 7],
    ]);
  });
});

describe('the same values online', () => {
  beforeAll(() => {
    headraceJson(project, ['materialize', '--from', '2026-01-01', '--to', '2026-01-01T11:00:00.000001Z']);
  });

  const get = (service: string, rows: unknown, at: string) =>
    headrace(project, ['features', 'get', '--service', service, '--rows', JSON.stringify(rows), '--at', at, '--json']);

  it('prints all digits, lists and what JSON has no number for', () => {
    const { stdout } = get('all', [{ k: 'A' }, { k: 'B' }], '2026-01-01T11:00:00Z');
    expect(stdout).toContain('"win__sn":9007199254741002,');
    expect(stdout).toContain('"win__fi":9007199254740993,"win__la":7,"win__l2":[2,7],"win__cd":2,');
    expect(stdout).toContain('"row__x":"Infinity"');
    expect(stdout).toContain('"win__sx":"NaN"');
  });

  it('prints lists of int64 as a table too', () => {
    const args = ['features', 'get', '--service', 'all', '--rows', '[{"k":"A"}]', '--at', '2026-01-01T10:40:00Z'];
    const { code, stdout } = headrace(project, args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/win__l2 +\[2,7\] +PRESENT/);
  });

  it('tells null, missing and old apart', () => {
    const keys = [{ k: 'A' }, { k: 'nobody' }, { k: null }];
    const { rows } = JSON.parse(get('all', keys, '2026-01-01T11:40:00.000001Z').stdout) as {
      rows: { features: Record<string, unknown>; statuses: Record<string, string> }[];
    };
    expect(rows.map(({ features, statuses }) => [features['row__n'], statuses['row__n'], features['win__c']])).toEqual([
      [null, 'OUTSIDE_MAX_AGE', 1],
      [null, 'NOT_FOUND', 0],
      [null, 'NOT_FOUND', null],
    ]);
    expect(rows[0]?.statuses).toMatchObject({ win__sd: 'NULL_VALUE' });
    expect(rows[0]?.statuses).not.toHaveProperty('win__c');
  });

  it('refuses a time to come, and an empty range', () => {
    for (const [from, to, why] of [
      ['2026-01-01', '2100-01-01', 'is in the future'],
      ['2026-01-02', '2026-01-01', 'is empty'],
    ] as const) {
      const { code, stderr } = headrace(project, ['materialize', '--from', from, '--to', to]);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(why) });
    }
  });
});

it('names the key whose sum leaves int64', async () => {
  const other = createProject({
    'headrace.config.ts':
      "import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'big' });\n",
    'feature_repo/d.ts': `import { csv, entity, featureService, featureView, sum, t } from 'headrace';
export const shop = entity('shop', { keys: { k: t.string(), j: t.int32() } });
export const s = csv('s', { path: 'f.csv', columns: { k: t.string(), j: t.int32(), n: t.int64(), e: t.timestamp() }, eventTime: 'e' });
export const v = featureView('v', { entity: shop, source: s, features: { total: sum('n').over('30d') } });
export const sv = featureService('sv', [v]);
`,
    'feature_repo/f.csv': 'k,j,n,e\nbig,7,9223372036854775807,2026-01-01\nbig,7,1,2026-01-01\n',
    'spine.csv': 'k,j,ts\nbig,7,2026-01-02\n',
  });
  try {
    headraceJson(other, ['apply']);
    const made = headrace(other, [
      'training-set',
      'create',
      '--service',
      'sv',
      '--spine',
      'spine.csv',
      '--timestamp',
      'ts',
      '--out',
      'o.parquet',
    ]);
    expect(made).toMatchObject({ code: 1, stderr: expect.stringMatching(/HR_INTEGER_OVERFLOW: .*big, 7/) });
  } finally {
    other.remove();
  }
});
