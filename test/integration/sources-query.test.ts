// Sources made by a query over others: what they hold, what is refused, and that none tells what was known only later.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixedClock, MICROS_PER_HOUR, type Micros, type Row } from '../../src/core/index.ts';
import type { FeatureSpec, Manifest, QueriedSource, SourceSpec } from '../../src/definitions/index.ts';
import { auditTrainingSet, createTrainingSet, materialize } from '../../src/offline/index.ts';
import { openOnlineStore } from '../../src/online/index.ts';
import { openDirectory } from '../support/materialize-world.ts';
import {
  definitionsOf,
  fields,
  manifestOf,
  memberOf,
  type OfflineWorld,
  openOfflineWorld,
  readParquet,
  sourceOf,
  TYPES,
  viewOf,
  writeCuts,
  writeParquet,
} from '../support/offline-world.ts';
import { expectRows, oracleTrainingSet } from '../support/oracle.ts';
import { readService } from '../support/read-service.ts';
import { fullIt, runs } from '../support/tier.ts';

let world: OfflineWorld;
beforeAll(async () => {
  world = await openOfflineWorld();
});
afterAll(() => world.close());

const START = 1_700_000_000_000_000;
const hour = (n: number): Micros => START + n * MICROS_PER_HOUR;

const ORDERS = fields({ order: TYPES.int64, customer: TYPES.string, ordered: TYPES.timestamp, seen: TYPES.timestamp });
const ITEMS = fields({
  order: TYPES.int64,
  item: TYPES.string,
  amount: TYPES.int64,
  added: TYPES.timestamp,
  seen: TYPES.timestamp,
});
const PRICES = fields({ item: TYPES.string, price: TYPES.float64, since: TYPES.timestamp });
const COUNTRIES = fields({ customer: TYPES.string, country: TYPES.string, loaded: TYPES.timestamp });
const SOLD = fields({
  customer: TYPES.string,
  country: TYPES.string,
  ordered: TYPES.timestamp,
  known: TYPES.timestamp,
  amount: TYPES.int64,
  price: TYPES.float64,
});

const SQL = `
  SELECT o.customer, c.country, o.ordered, greatest(o.seen, i.seen, coalesce(p.since, o.seen)) AS known, i.amount, p.price
  FROM orders o
  JOIN items i ON i."order" = o."order"
  ASOF LEFT JOIN prices p ON p.item = i.item AND p.since <= o.ordered
  LEFT JOIN countries c ON c.customer = o.customer`;

const features: readonly FeatureSpec[] = [
  { name: 'last_price', type: TYPES.float64, aggregation: { op: 'latest', column: 'price' } },
  { name: 'last_country', type: TYPES.string, aggregation: { op: 'latest', column: 'country' } },
  {
    name: 'amount_6h',
    type: TYPES.int64,
    aggregation: { op: 'sum', column: 'amount', windowMicros: 6 * MICROS_PER_HOUR, hopMicros: MICROS_PER_HOUR },
  },
];

const over = (...names: string[]): QueriedSource[] => names.map((source) => ({ source, isStatic: false }));
const OVER: readonly QueriedSource[] = [...over('orders', 'items', 'prices'), { source: 'countries', isStatic: true }];

function manifestFor(folder: string, sql = SQL, more: Partial<SourceSpec> = {}): Manifest {
  const at = (name: string) => join(folder, `${name}.parquet`);
  const sales = viewOf('sales', 'customer', 'sold', ['customer'], features);
  return manifestOf({
    entities: { customer: { name: 'customer', keys: fields({ customer: TYPES.string }) } },
    sources: {
      orders: sourceOf('orders', at('orders'), ORDERS, {
        eventTime: 'ordered',
        knownTime: { kind: 'column', column: 'seen' },
        pushes: 'keep',
      }),
      items: sourceOf('items', at('items'), ITEMS, {
        eventTime: 'added',
        knownTime: { kind: 'column', column: 'seen' },
      }),
      prices: sourceOf('prices', at('prices'), PRICES, {
        eventTime: 'since',
        knownTime: { kind: 'column', column: 'since' },
      }),
      countries: sourceOf('countries', at('countries'), COUNTRIES, { eventTime: 'loaded' }),
      sold: sourceOf('sold', '', SOLD, {
        kind: 'query',
        location: { query: sql },
        over: OVER,
        pushes: 'keep',
        eventTime: 'ordered',
        knownTime: { kind: 'column', column: 'known' },
        ...more,
      }),
    },
    views: { sales },
    services: { s: { name: 's', members: [memberOf(sales)] } },
  });
}

interface Facts {
  readonly orders: readonly Row[];
  readonly items: readonly Row[];
  readonly prices: readonly Row[];
  readonly countries: readonly Row[];
}

let folders = 0;
async function put(facts: Facts): Promise<string> {
  const folder = join(world.directory, `query-${++folders}`);
  await mkdir(folder, { recursive: true });
  await replace(folder, facts);
  return folder;
}

async function replace(folder: string, facts: Facts): Promise<void> {
  const write = (name: keyof Facts, columns: typeof ORDERS) =>
    writeParquet(world.connection, join(folder, `${name}.parquet`), columns, facts[name]);
  await write('orders', ORDERS);
  await write('items', ITEMS);
  await write('prices', PRICES);
  await write('countries', COUNTRIES);
}

const depsFor = (folder: string, manifest: Manifest) => ({
  ...world.deps,
  definitions: definitionsOf(manifest, world.directory),
  dataDirectory: folder,
});

const SPINE = fields({ when: TYPES.timestamp, customer: TYPES.string });
async function make(folder: string, manifest: Manifest, spine: readonly Row[]) {
  const path = join(folder, 'spine.parquet');
  await writeParquet(world.connection, path, SPINE, spine);
  return createTrainingSet(depsFor(folder, manifest), {
    service: 's',
    spine: path,
    timestamp: 'when',
    labels: [],
    boundary: 'at',
    out: join(folder, 'out.parquet'),
  });
}

/** The query by plain loops. */
function sold({ orders, items, prices, countries }: Facts): Row[] {
  return orders.flatMap((order) =>
    items
      .filter((item) => item['order'] === order['order'])
      .map((item) => {
        const before = prices.filter(
          ({ item: of, since }) => of === item['item'] && (since as number) <= (order['ordered'] as number),
        );
        const price = before.toSorted((a, b) => (b['since'] as number) - (a['since'] as number))[0];
        const times = [order['seen'], item['seen'], price?.['since'] ?? order['seen']].map(Number);
        return {
          customer: order['customer'] ?? null,
          country: countries.find(({ customer }) => customer === order['customer'])?.['country'] ?? null,
          ordered: order['ordered'] ?? null,
          known: Math.max(...times),
          amount: item['amount'] ?? null,
          price: price?.['price'] ?? null,
        };
      }),
  );
}

const FACTS: Facts = {
  orders: [
    { order: 1n, customer: 'ann', ordered: hour(1), seen: hour(1) },
    { order: 2n, customer: 'bob', ordered: hour(2), seen: hour(2) },
    { order: 3n, customer: 'ann', ordered: hour(4), seen: hour(5) },
  ],
  items: [
    { order: 1n, item: 'pen', amount: 2n, added: hour(1), seen: hour(1) },
    { order: 2n, item: 'ink', amount: 1n, added: hour(2), seen: hour(3) },
    { order: 3n, item: 'pen', amount: 5n, added: hour(4), seen: hour(4) },
  ],
  prices: [
    { item: 'pen', price: 1.5, since: hour(0) },
    { item: 'pen', price: 2.5, since: hour(3) },
    { item: 'ink', price: 9, since: hour(0) },
  ],
  countries: [{ customer: 'ann', country: 'NO', loaded: hour(9) }],
};

const ids = fc.constantFrom(1n, 2n, 3n);
const when = fc.integer({ min: 0, max: 12 }).map(hour);
const late = fc.constantFrom(0, 0, 1, 3);
const item = fc.constantFrom('pen', 'ink');
const facts: fc.Arbitrary<Facts> = fc.record({
  orders: fc.uniqueArray(
    fc
      .record({ order: ids, customer: fc.constantFrom('ann', 'bob'), ordered: when, late })
      .map(({ late: by, ...row }) => ({ ...row, seen: row.ordered + by * MICROS_PER_HOUR })),
    { selector: ({ order }) => order },
  ),
  items: fc.array(
    fc
      .record({ order: ids, item, amount: fc.constantFrom(1n, 7n, null), added: when, late })
      .map(({ late: by, ...row }) => ({ ...row, seen: row.added + by * MICROS_PER_HOUR })),
    { maxLength: 8 },
  ),
  prices: fc.uniqueArray(fc.record({ item, price: fc.constantFrom(1, 2, 3), since: when }), {
    selector: (row) => `${row.item} ${row.since}`,
    maxLength: 5,
  }),
  countries: fc.uniqueArray(
    fc.record({ customer: fc.constantFrom('ann', 'bob'), country: fc.constantFrom('NO', 'SE'), loaded: when }),
    { selector: ({ customer }) => customer },
  ),
});

describe('a query over sources', () => {
  it('gives what the oracle says of its rows, if it does not leak', async () => {
    let made = 0;
    await fc.assert(
      fc.asyncProperty(
        facts,
        fc.array(fc.record({ when, customer: fc.constantFrom('ann', 'bob', 'eve') }), { minLength: 1, maxLength: 6 }),
        async (given, spine) => {
          const folder = await put(given);
          const manifest = manifestFor(folder);
          // A price that was known after its order's items changes no row here: the join is as of the order.
          const set = await make(folder, manifest, spine);
          made++;
          const expected = oracleTrainingSet({ manifest, rows: { sold: sold(given) } }, 's', spine, 'when', 'at');
          const output = [...SPINE, ...features.map((feature) => ({ ...feature, name: `sales__${feature.name}` }))];
          const got = await readParquet(world.connection, set.path, output);
          // Rows of one order and one time tie; which item's price is the last is by their content.
          expectRows(output, got, expected);
          expect((await auditTrainingSet(depsFor(folder, manifest), set.id)).isClean).toBe(true);
        },
      ),
      { numRuns: runs(12) },
    );
    expect(made).toBeGreaterThan(0);
  });

  it('fills the online store, with what was pushed to its sources', async () => {
    const folder = await put(FACTS);
    const manifest = manifestFor(folder);
    const clock = fixedClock(hour(10));
    const store = await openOnlineStore(`lmdb:${join(folder, 'online')}`, {
      project: 'test',
      clock,
      logger: world.deps.logger,
    });
    try {
      const fill = (incremental: boolean) =>
        materialize({ ...depsFor(folder, manifest), clock, store }, { incremental, dryRun: false });
      await fill(false);
      const read = async () =>
        (
          await readService(
            manifest,
            store,
            await openDirectory(world.deps.database),
            's',
            [{ customer: 'ann' }],
            hour(10),
          )
        )[0];
      expect(await read()).toEqual({ sales__last_price: 2.5, sales__last_country: 'NO', sales__amount_6h: 5n });
      expect((await fill(true)).views[0]?.state).toBe('up-to-date');
      const order: Row = { order: 4n, customer: 'ann', ordered: hour(9), seen: hour(9) };
      const writer = await world.log.register();
      const source = manifest.sources['orders'] as SourceSpec;
      await writeCuts(writer, [{ batches: [{ source, rows: [{ row: order, knownMicros: hour(9) }] }] }]);
      await replace(folder, {
        ...FACTS,
        items: [...FACTS.items, { order: 4n, item: 'ink', amount: 3n, added: hour(9), seen: hour(9) }],
      });
      expect((await fill(true)).views[0]?.state).toBe('finished');
      expect(await read()).toEqual({ sales__last_price: 9, sales__last_country: 'NO', sales__amount_6h: 8n });
    } finally {
      await store.close();
    }
  });

  let standing: string;
  beforeAll(async () => {
    standing = await put(FACTS);
  });
  const failing = async (sql: string, more: Partial<SourceSpec> = {}) => {
    const folder = standing;
    return make(folder, manifestFor(folder, sql, more), [{ when: hour(12), customer: 'ann' }]);
  };

  it.each<[string, string, Partial<SourceSpec>]>([
    ['a price of later', SQL.replace('AND p.since <= o.ordered', 'AND p.since >= o.ordered'), {}],
    [
      'a known time that an item is after',
      SQL.replace('greatest(o.seen, i.seen, coalesce(p.since, o.seen))', 'o.seen'),
      {},
    ],
    [
      'the newest price of all',
      SQL.replace(
        'ASOF LEFT JOIN prices p ON p.item = i.item AND p.since <= o.ordered',
        'LEFT JOIN (SELECT item, arg_max(price, since) AS price, min(since) AS since FROM prices GROUP BY item) p ON p.item = i.item',
      ),
      {},
    ],
    ['a dimension without a time', SQL, { over: over('orders', 'items', 'prices', 'countries') }],
    ['a count over everything', SQL.replace('i.amount,', 'count(*) OVER () AS amount,'), {}],
  ])('is refused where it leaks: %s', async (_, sql, more) => {
    await expect(failing(sql, more)).rejects.toMatchObject({
      code: 'HR_QUERY_LEAKS',
      message: expect.stringMatching(/source "sold": .*(ASOF JOIN)/s),
    });
  });

  const bySeen = SQL.replace('greatest(o.seen, i.seen, coalesce(p.since, o.seen))', 'o.seen');
  const spine = [{ when: hour(12), customer: 'ann' }];

  it('is refused for what its sources know by now, though it gives the same rows as before', async () => {
    const onTime = FACTS.items.map((row) => ({ ...row, seen: hour(1) }));
    const folder = await put({ ...FACTS, items: onTime });
    const manifest = manifestFor(folder, bySeen);
    await make(folder, manifest, spine);
    await replace(folder, FACTS);
    await expect(make(folder, manifest, spine)).rejects.toMatchObject({ code: 'HR_QUERY_LEAKS' });
    // And again: what was refused is not remembered as good.
    await expect(make(folder, manifest, spine)).rejects.toMatchObject({ code: 'HR_QUERY_LEAKS' });
    await replace(folder, { ...FACTS, items: onTime });
    await make(folder, manifest, spine);
  });

  // twin: test/integration/sources-query.test.ts > is refused where it leaks
  fullIt('is refused for a known time that was declared since, though it gives the same rows as before', async () => {
    const folder = await put(FACTS);
    await make(folder, manifestFor(folder), spine);
    const early = manifestFor(folder, SQL, { knownTime: { kind: 'after', micros: 0 } });
    await expect(make(folder, early, spine)).rejects.toMatchObject({ code: 'HR_QUERY_LEAKS' });
  });

  // twin: test/integration/sources-query.test.ts > is refused where it leaks
  fullIt('is checked at times of its own rows, however many more its sources have', async () => {
    // Each order's items come a second late; a great many other facts become known in between.
    const second = 1_000_000;
    const orders = Array.from({ length: 40 }, (_, i) => {
      const ordered = hour(i) + i * 61 * second;
      return { order: BigInt(i), customer: 'ann', ordered, seen: ordered };
    });
    const items = orders.map(({ order, ordered }) => ({
      order,
      item: 'pen',
      amount: 1n,
      added: ordered,
      seen: ordered + second,
    }));
    const prices = Array.from({ length: 20_000 }, (_, i) => ({
      item: 'nib',
      price: 1,
      since: hour(0) + i * 7_200_000 + 3_100_000,
    }));
    const folder = await put({ ...FACTS, orders, items, prices: [...FACTS.prices, ...prices] });
    await expect(make(folder, manifestFor(folder, bySeen), spine)).rejects.toMatchObject({ code: 'HR_QUERY_LEAKS' });
  });

  // Of a thousand orders one has an item that is added again hours later, and its row says that it was known before.
  // twin: test/integration/sources-query.test.ts > is refused where it leaks
  fullIt('is refused where it leaks by few rows of many', async () => {
    const many = Array.from({ length: 1000 }, (_, i) => ({ order: BigInt(i), at: START + i * 60_000_000 }));
    const folder = await put({
      ...FACTS,
      orders: many.map(({ order, at }) => ({ order, customer: 'ann', ordered: at, seen: at })),
      items: [444n, 777n].map((order) => {
        const at = START + Number(order) * 60_000_000;
        return { order, item: 'pen', amount: 1n, added: at, seen: at + 20_000_000 };
      }),
    });
    const sql = SQL.replace('JOIN items', 'LEFT JOIN items').replace(/greatest\(.*?\)\) AS known/, 'o.seen AS known');
    expect(sql).toMatch(/o.seen AS known/);
    const made = make(folder, manifestFor(folder, sql), [{ when: hour(12), customer: 'ann' }]);
    await expect(made).rejects.toMatchObject({ code: 'HR_QUERY_LEAKS' });
  });

  it.each([
    ['no SQL', 'SELEC 1', /cannot be used/],
    ['two statements', 'SELECT 1; SELECT 2', /has 2 statements/],
    ['no SELECT', 'DROP TABLE x', /cannot be used: .*SELECT/],
    [
      'a source that it does not name',
      'SELECT * FROM customers',
      /reads "customers", which is not among its sources.*countries/s,
    ],
    ['a file', "SELECT * FROM 'orders.parquet'", /reads "orders.parquet"/],
    [
      'a file under the name of a table of another part',
      `${SQL}, (WITH "o.parquet" AS (SELECT 1) SELECT 1), 'o.parquet'`,
      /reads "o.parquet"/,
    ],
    ['a file under the name that reads it', `WITH "o.parquet" AS (FROM "o.parquet") ${SQL}`, /reads "o.parquet"/],
    ['a reader', "SELECT * FROM read_parquet('orders.parquet')", /reads by read_parquet/],
    ['a missing column', SQL.replace('c.country,', ''), /has no column "country"/],
    ['a column of another type', SQL.replace('p.price', 'o.ordered AS price'), /"price" is TIMESTAMP/],
    ['chance', SQL.replace('p.price', 'random() AS price'), /random, which gives something else each time/],
    ['the day of today', SQL.replace('i.amount', 'i.amount + 0 * year(current_date) AS amount'), /current_date/],
    ['the time of day', `${SQL} WHERE o.ordered < now() - INTERVAL 1 DAY`, /now, which/],
    ['an age', SQL.replace('i.amount', 'i.amount + 0 * year(age(o.ordered)) AS amount'), /age, which/],
    ['a setting', SQL.replace('c.country', "current_setting('TimeZone') AS country"), /current_setting, which/],
    ['a sample', SQL.replace('orders o', 'orders o TABLESAMPLE 50%'), /sample/],
    [
      'a file under the name of another query’s own table',
      `WITH a AS (SELECT * FROM "x.parquet"), "x.parquet" AS (SELECT 1) ${SQL}`,
      /reads "x.parquet"/,
    ],
    [
      'a file under the name of a table within',
      `${SQL}, 'x.parquet', (WITH "x.parquet" AS (SELECT 1) FROM "x.parquet")`,
      /reads "x.parquet"/,
    ],
    ['a file under its own name', `WITH "x.parquet" AS (FROM "x.parquet") ${SQL}`, /reads "x.parquet"/],
    ['a column that no source has', SQL.replace('p.price', 'p.prize AS price'), /prize/],
  ])('is refused where it is %s', async (_, sql, message) => {
    await expect(failing(sql)).rejects.toMatchObject({
      code: expect.stringMatching(/HR_QUERY|HR_SOURCE_UNREADABLE/),
      message: expect.stringMatching(message),
    });
  });

  it('may name its own tables, and call what reads nothing', async () => {
    const set = await failing(
      `WITH RECURSIVE named AS (${SQL}), one AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM one WHERE n < 1) SELECT named.* FROM named, one, range(1)`,
    );
    const [row] = await readParquet(world.connection, set.path, fields({ sales__last_price: TYPES.float64 }));
    expect(row?.['sales__last_price']).toBe(2.5);
  });

  it('may name its own tables one after the other, and count by steps', async () => {
    const steps = 'n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3)';
    const set = await failing(
      `WITH RECURSIVE ${steps}, named AS (${SQL}), later AS (FROM named) SELECT * FROM later WHERE 3 IN (SELECT i FROM n)`,
    );
    const [row] = await readParquet(world.connection, set.path, fields({ sales__last_price: TYPES.float64 }));
    expect(row?.['sales__last_price']).toBe(2.5);
  });

  it('is right over its own facts', () => {
    expect(sold(FACTS).map(({ price, known }) => [price, known])).toEqual([
      [1.5, hour(1)],
      [9, hour(3)],
      [2.5, hour(5)],
    ]);
  });
});
