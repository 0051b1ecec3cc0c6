// The definition of a feature value, held against the command line from outside: small files, values worked out by hand.
// twin: test/property/offline-training-set.test.ts > holds what the oracle computes, for every aggregation, type and edge, and so does a batch

import { beforeAll, describe, expect, it } from 'vitest';
import { readRows } from '../support/predict-project.ts';
import { ownProject, testProject } from '../support/test-project.ts';

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

const project = testProject(
  { 'feature_repo/definitions.ts': DEFINITIONS, 'feature_repo/data/events.csv': EVENTS },
  'apply',
);

type Cells = Readonly<Record<string, unknown>>;
/** Makes the training set of a spine, whose times are of one day, and gives its rows by the features' names. */
async function trainingSet(service: string, spine: string, more = ''): Promise<Cells[]> {
  project.write('spine.csv', spine.replaceAll(/,(\d\d:[\d:.]+)$/gm, ',2026-01-01T$1Z'));
  const out = `${service}${more.replaceAll(' ', '')}.parquet`;
  project.json(`training-set create --service ${service} --spine spine.csv --timestamp ts --out ${out}${more}`);
  return readRows(`FROM read_parquet('${project.file(out)}')`);
}
const column = (rows: readonly Cells[], name: string) => rows.map((row) => row[name]);
/** The whole numbers of a line, null for a dash. */
const whole = (text: string) => text.split(' ').map((word) => (word === '-' ? null : BigInt(word)));

describe('a view’s value at a time', () => {
  const SPINE = `id,k,ts
1,A,11:00:00.000001
2,A,10:19:59.999999
3,A,10:20:00
4,A,10:30:00
5,A,11:40:00
6,A,11:40:00.000001
7,A,11:14:59.999999
8,A,11:15:00
9,A,10:00:00
9,A,10:00:00
10,,11:00:00
11,nobody,11:00:00
12,B,10:30:00
`;
  let rows: Cells[];
  beforeAll(async () => {
    rows = await trainingSet('all', SPINE);
  });

  it('keeps the spine’s rows as they came, in order and with duplicates', () => {
    expect(column(rows, 'id')).toEqual(whole('1 2 3 4 5 6 7 8 9 9 10 11 12'));
    expect(rows[10]?.['k']).toBeNull();
  });

  it('takes the newest row that was known, nulls included, to the last microsecond of its TTL', () => {
    expect(column(rows, 'row__n')).toEqual(whole('7 9007199254740993 2 - 7 - 7 7 - - - - 6'));
    // A tie in everything but content goes to the greater content, wherever it stands in the file.
    expect(rows[12]).toMatchObject({ row__n: 6n, row__x: Infinity, row__s: 'z' });
  });

  it('counts from the window’s tail, aligned down to the hop', () => {
    expect(column(rows, 'win__c')).toEqual(whole('4 1 2 3 1 1 3 2 0 0 - 0 2'));
    expect(column(rows, 'win__wide')).toEqual(whole('4 1 2 3 4 4 4 4 0 0 - 0 2'));
  });

  it('gives every aggregation its type and its rule for nulls', () => {
    const names = ['cn', 'sn', 'sx', 'mx', 'lo', 'hi', 'sd', 'va', 'fi', 'la', 'l2', 'cd'];
    const windows = (row: number) => names.map((name) => rows[row]?.[`win__${name}`]);
    const [first, sum] = [9_007_199_254_740_993n, 9_007_199_254_741_002n];
    const spread = [Math.sqrt(19 / 12), 19 / 12];
    expect(windows(0)).toEqual([3n, sum, 8, 8 / 3, 2n, 'q', ...spread, first, 7n, [2n, 7n], 2n]);
    // One value: no spread. None: counts are 0, all else is null.
    expect(windows(7)).toEqual([1n, 7n, 4, 4, 7n, 'p', null, null, 7n, 7n, [7n], 1n]);
    expect(windows(8)).toEqual([0n, ...Array<null>(10).fill(null), 0n]);
    expect(windows(10)).toEqual(Array<null>(12).fill(null));
    expect(windows(12).slice(0, 4)).toEqual([2n, 11n, NaN, NaN]);
  });

  it('counts a fixed delay as the known time', () => {
    expect(column(rows, 'after__n')).toEqual(whole('7 2 2 2 7 7 7 7 - - - - 6'));
  });

  it('leaves out what happened, or became known, at the very time with --boundary before', async () => {
    const strict = await trainingSet('all', SPINE, ' --boundary before');
    expect(column(strict, 'row__n')).toEqual(whole('7 9007199254740993 9007199254740993 2 7 - 7 7 - - - - 6'));
    expect(column(strict, 'win__c')).toEqual(whole('4 1 1 2 1 1 3 2 0 0 - 0 2'));
  });

  it('never takes one pair of keys for another, and refuses a whole key with a fraction', async () => {
    const spine = 'a,b,s1,s2,ts\n1,12,a|b,c,11:00:00\n11,2,a,b|c,11:00:00\n112,,a|b|c,,11:00:00\n';
    const made = await trainingSet('composite', spine);
    expect(column(made, 'pairs__n')).toEqual([null, 2n, null]);
    expect(column(made, 'pairs__c')).toEqual([2n, 1n, null]);
    expect(column(made, 'words__n')).toEqual([9_007_199_254_740_993n, null, null]);
    expect(column(made, 'words__c')).toEqual([1n, 2n, null]);
    await expect(trainingSet('composite', 'a,b,s1,s2,ts\n1.5,2,x,y,11:00:00\n')).rejects.toThrow('1.5 is no int64');
  });

  it('is as stale as the schedule says', async () => {
    const made = await trainingSet('scheduled', 'k,ts\nA,10:05:00\nA,11:04:59.999999\nA,11:05:00\n');
    expect(column(made, 'hourly__n')).toEqual([null, null, 7n]);
    expect(column(made, 'hourly__c')).toEqual([0n, 0n, 4n]);
  });

  it('reads a view in two roles, and on-demand views of on-demand views', async () => {
    const made = await trainingSet('roles', 'k,other,amount,ts\nA,B,2,10:50:00\nB,A,,10:20:00\nA,,1,10:20:00\n');
    expect(made.map((row) => Object.values(row).slice(4))).toEqual([
      [7n, 'z', 6n, 12],
      [6n, 'q', 2n, null],
      [2n, null, null, 7],
    ]);
  });
});

describe('the same values online', () => {
  beforeAll(() => {
    project.json('materialize --from 2026-01-01 --to 2026-01-01T11:00:00.000001Z');
  });
  const get = (rows: string, time: string, more = ' --json') =>
    project.run(`features get --service all --rows ${rows} --at 2026-01-01T${time}Z${more}`).stdout;

  it('prints all digits, lists and what JSON has no number for, lists of int64 as a table too', () => {
    const printed = get('[{"k":"A"},{"k":"B"}]', '11:00:00');
    for (const text of [
      '"win__sn":9007199254741002,',
      '"win__fi":9007199254740993,"win__la":7,"win__l2":[2,7],"win__cd":2,',
      '"row__x":"Infinity"',
      '"win__sx":"NaN"',
    ])
      expect(printed).toContain(text);
    expect(get('[{"k":"A"}]', '10:40:00', '')).toMatch(/win__l2 +\[2,7\] +PRESENT/);
  });

  it('tells null, missing and old apart', () => {
    const { rows } = JSON.parse(get('[{"k":"A"},{"k":"nobody"},{"k":null}]', '11:40:00.000001')) as {
      rows: { features: Cells; statuses: Cells }[];
    };
    expect(rows.map(({ features, statuses }) => [features['row__n'], statuses['row__n'], features['win__c']])).toEqual([
      [null, 'OUTSIDE_MAX_AGE', 1],
      [null, 'NOT_FOUND', 0],
      [null, 'NOT_FOUND', null],
    ]);
    expect(rows[0]?.statuses).toMatchObject({ win__sd: 'NULL_VALUE' });
    expect(rows[0]?.statuses).not.toHaveProperty('win__c');
  });

  it.each([
    ['2026-01-01', '2100-01-01', 'is in the future'],
    ['2026-01-02', '2026-01-01', 'is empty'],
  ])('refuses what is from %s to %s: it %s', (from, to, why) => {
    const { code, stderr } = project.run(`materialize --from ${from} --to ${to}`);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(why) });
  });
});

it('names the key whose sum leaves int64', () => {
  const other = ownProject({
    'feature_repo/d.ts': `import { csv, entity, featureService, featureView, sum, t } from 'headrace';
export const shop = entity('shop', { keys: { k: t.string(), j: t.int32() } });
export const s = csv('s', { path: 'f.csv', columns: { k: t.string(), j: t.int32(), n: t.int64(), e: t.timestamp() }, eventTime: 'e' });
export const v = featureView('v', { entity: shop, source: s, features: { total: sum('n').over('30d') } });
export const sv = featureService('sv', [v]);
`,
    'feature_repo/f.csv': 'k,j,n,e\nbig,7,9223372036854775807,2026-01-01\nbig,7,1,2026-01-01\n',
    'spine.csv': 'k,j,ts\nbig,7,2026-01-02\n',
  });
  other.json('apply');
  const made = other.run('training-set create --service sv --spine spine.csv --timestamp ts --out o.parquet');
  expect(made).toMatchObject({ code: 1, stderr: expect.stringMatching(/HR_INTEGER_OVERFLOW: .*big, 7/) });
});
