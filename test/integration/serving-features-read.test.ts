// POST /v1/features/read: its two layouts, what it leaves out, and what it refuses, on both stores.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { rows } from '../support/tier.ts';

if (!hasRedis()) skipBecause('reading features from Redis: there is no redis-server on this machine');

/** Beside the others a service of stored features alone, with a view under two names. */
const TWO_NAMES = REPOSITORY.replace(
  'keys: { customer: t.string() }',
  'keys: { customer: t.string().optional() }',
).concat(`
export const stored = featureService('stored', [history.pick('last_points'), history.as('again').pick('last_points', 'mean_7d')]);
`);
const ROWS = [
  { customer: 'ada', amount: 30 },
  { customer: 'nobody', amount: 1 },
  { customer: null, amount: null },
  { customer: 'bob', amount: 3 },
  { customer: 'ada', amount: 45 },
];

type Row = Readonly<Record<'features' | 'event_times', Readonly<Record<string, unknown>>>>;

const STORES = rows(['lmdb'], hasRedis() ? ['redis'] : []);
describe.each(STORES)('features read from %s', (store) => {
  let redis: RedisServer | undefined;
  let open: OpenServing;
  const bought = new Date(Date.now() - 60_000).toISOString();
  beforeAll(async () => {
    if (store === 'redis') redis = await startRedis();
    open = await openServing({
      repository: TWO_NAMES,
      settings: redis === undefined ? {} : { HEADRACE_ONLINE_URL: redis.url },
    });
    const rows = [
      { customer: 'ada', amount: 20, points: '9223372036854775807', bought_at: bought },
      { customer: 'bob', amount: 2.5, points: null, bought_at: bought },
    ];
    expect((await open.post('/v1/sources/purchases/push', { rows })).statusCode).toBe(200);
  });
  afterAll(async () => {
    await open.close();
    await redis?.stop();
  });
  const read = (service: string, given: readonly object[] = ROWS, options?: unknown) =>
    open.post('/v1/features/read', { service, rows: given, options });
  const byColumns = { layout: 'columns' };

  it('gives a status only where it isn’t PRESENT, and a time once a view', async () => {
    const text = (await read('shop_features', ROWS.slice(0, 2))).body;
    expect(text).toBe(
      '{"rows":[{"features":{"history__last_points":9223372036854775807,"history__purchases_1d":1,"history__mean_7d":20,' +
        '"history__big_7d":1,"basket__ratio":1.5},"statuses":{},"event_times":{"history":"' +
        `${bought.replace('.000Z', 'Z')}"}},` +
        '{"features":{"history__last_points":null,"history__purchases_1d":0,"history__mean_7d":null,"history__big_7d":null,' +
        '"basket__ratio":null},"statuses":{"history__last_points":"NOT_FOUND","history__purchases_1d":"NOT_FOUND",' +
        '"history__mean_7d":"NOT_FOUND","history__big_7d":"NOT_FOUND","basket__ratio":"NULL_VALUE"},' +
        '"event_times":{"history":null}}]}',
    );
  });

  it('names a time by the name under which the service has the view', async () => {
    const [{ event_times, features }] = (await read('stored')).json()['rows'] as [Row];
    expect(Object.keys(event_times)).toEqual(['history', 'again']);
    expect(new Set(Object.values(event_times)).size).toBe(1);
    expect(Object.keys(features)).toEqual(['history__last_points', 'again__last_points', 'again__mean_7d']);
  });

  it('answers no rows with none', async () => {
    expect((await read('stored', [])).body).toBe('{"rows":[]}');
    expect((await read('stored', [], byColumns)).body).toBe(
      '{"features":{"history__last_points":[],"again__last_points":[],"again__mean_7d":[]},"statuses":{},' +
        '"event_times":{"history":[],"again":[]}}',
    );
  });

  it.each([
    ['a layout that there is not', { layout: 'diagonal' }, '.layout', 'expected "rows" or "columns", got string "dia'],
    ['a layout of another type', { layout: null }, '.layout', 'got null'],
    ['an option that there is not', { lay_out: 'rows' }, '.lay_out', 'there is layout'],
    ['options of another type', ['columns'], '', 'expected an object, got an array of 1'],
  ])('refuses %s', async (_, options, path, says) => {
    const errors = [{ path: `options${path}`, message: expect.stringContaining(says) as string }];
    expect((await read('stored', [], options)).json()).toMatchObject({ status: 400, code: 'HR_INVALID', errors });
  });

  it('says of too many rows what it says of too many inputs and pushes', async () => {
    const rows = Array.from({ length: 10_001 }, () => ({ customer: 'ada' }));
    const answers = await Promise.all([
      read('stored', rows),
      open.post('/v1/endpoints/checkout/predict', { inputs: rows }),
      open.post('/v1/sources/purchases/push', { rows }),
    ]);
    for (const [at, member] of ['rows', 'inputs', 'rows'].entries()) {
      const detail = `${member} has 10001 rows, the limit is 10000 (server.maxRows). Send them in parts.`;
      expect(answers[at]?.json()).toMatchObject({ status: 413, detail });
    }
  });
});
