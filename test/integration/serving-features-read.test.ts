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

interface Columns {
  readonly features: Readonly<Record<string, readonly unknown[]>>;
  readonly statuses: Readonly<Record<string, readonly string[]>>;
  readonly event_times: Readonly<Record<string, readonly (string | null)[]>>;
}
interface Row {
  readonly features: Readonly<Record<string, unknown>>;
  readonly statuses: Readonly<Record<string, string>>;
  readonly event_times: Readonly<Record<string, string | null>>;
}

describe.each(rows([{ store: 'lmdb' }], hasRedis() ? [{ store: 'redis' }] : []))(
  'features read from $store',
  ({ store }) => {
    let redis: RedisServer | undefined;
    let open: OpenServing;
    const bought = new Date(Date.now() - 60_000).toISOString();
    beforeAll(async () => {
      if (store === 'redis') redis = await startRedis();
      open = await openServing({
        repository: TWO_NAMES,
        features: 4,
        settings: redis === undefined ? {} : { HEADRACE_ONLINE_URL: redis.url },
      });
      const rows = [
        { customer: 'ada', amount: 20, points: '9223372036854775807', bought_at: bought },
        { customer: 'bob', amount: 2.5, points: null, bought_at: bought },
      ].map((row) => JSON.stringify(row).replace(/"(\d{19})"/, '$1'));
      const pushed = await open.serving.server.inject({
        method: 'POST',
        url: '/v1/sources/purchases/push',
        headers: { 'content-type': 'application/json' },
        payload: `{"rows":[${rows.join(',')}]}`,
      });
      expect(pushed.statusCode).toBe(200);
    });
    afterAll(async () => {
      await open.close();
      await redis?.stop();
    });
    const read = (body: object) => open.post('/v1/features/read', body);
    const rowsOf = async (service: string, rows: readonly object[] = ROWS) =>
      (await read({ service, rows })).json()['rows'] as Row[];

    it('gives a status only where it isn’t PRESENT, and a time once a view', async () => {
      const text = (await read({ service: 'shop_features', rows: ROWS.slice(0, 2) })).body;
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

    it('gives the same by columns: statuses of a feature that lacks any, for all rows', async () => {
      for (const service of ['shop_features', 'numbers', 'stored']) {
        const rows = await rowsOf(service);
        const columns = (
          await read({ service, rows: ROWS, options: { layout: 'columns' } })
        ).json() as unknown as Columns;
        expect(Object.keys(columns)).toEqual(['features', 'statuses', 'event_times']);
        const names = Object.keys(rows[0]?.features ?? {});
        expect(columns.features).toEqual(
          Object.fromEntries(names.map((name) => [name, rows.map(({ features }) => features[name])])),
        );
        const lacking = names.filter((name) => rows.some(({ statuses }) => statuses[name] !== undefined));
        expect(lacking.length).toBeGreaterThan(0);
        expect(columns.statuses).toEqual(
          Object.fromEntries(lacking.map((name) => [name, rows.map(({ statuses }) => statuses[name] ?? 'PRESENT')])),
        );
        const views = Object.keys(rows[0]?.event_times ?? {});
        expect(columns.event_times).toEqual(
          Object.fromEntries(views.map((view) => [view, rows.map(({ event_times }) => event_times[view])])),
        );
      }
    });

    it('names a time by the name under which the service has the view', async () => {
      const [row] = await rowsOf('stored');
      expect(Object.keys(row?.event_times ?? {})).toEqual(['history', 'again']);
      expect(new Set(Object.values(row?.event_times ?? {})).size).toBe(1);
      expect(Object.keys(row?.features ?? {})).toEqual([
        'history__last_points',
        'again__last_points',
        'again__mean_7d',
      ]);
    });

    it('answers no rows with none', async () => {
      expect((await read({ service: 'stored', rows: [] })).body).toBe('{"rows":[]}');
      expect((await read({ service: 'stored', rows: [], options: { layout: 'columns' } })).body).toBe(
        '{"features":{"history__last_points":[],"again__last_points":[],"again__mean_7d":[]},"statuses":{},' +
          '"event_times":{"history":[],"again":[]}}',
      );
    });

    it.each([
      [
        'a layout that there is not',
        { layout: 'diagonal' },
        'options.layout',
        'expected "rows" or "columns", got string "diagonal"',
      ],
      ['a layout of another type', { layout: null }, 'options.layout', 'got null'],
      ['an option that there is not', { lay_out: 'rows' }, 'options.lay_out', 'there is layout'],
      ['options of another type', ['columns'], 'options', 'expected an object, got an array of 1'],
    ])('refuses %s', async (_, options, path, message) => {
      const answer = await read({ service: 'stored', rows: [], options });
      expect(answer.json()).toMatchObject({
        status: 400,
        code: 'HR_INVALID',
        errors: [{ path, message: expect.stringContaining(message) }],
      });
    });

    it('says of too many rows what it says of too many inputs and pushes', async () => {
      const rows = Array.from({ length: 10_001 }, () => ({ customer: 'ada' }));
      const answers = await Promise.all([
        read({ service: 'stored', rows }),
        open.post('/v1/endpoints/checkout/predict', { inputs: rows }),
        open.post('/v1/sources/purchases/push', { rows }),
      ]);
      expect(answers.map((answer) => [answer.statusCode, answer.json()['detail']])).toEqual(
        ['rows', 'inputs', 'rows'].map((member) => [
          413,
          `${member} has 10001 rows, the limit is 10000 (server.maxRows). Send them in parts.`,
        ]),
      );
    });
  },
);
