// Sources made by a query over others: what they hold, what is refused, and that none tells what was known only later.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fixedClock, MICROS_PER_HOUR, type Micros, type Row, type Field } from '../../src/core/index.ts';
import type { FeatureSpec, Manifest, QueriedSource, SourceSpec } from '../../src/definitions/index.ts';
import { auditTrainingSet, materialize } from '../../src/offline/index.ts';
import { openOnlineStore } from '../../src/online/index.ts';
import { openDirectory } from '../support/materialize-world.ts';
import {
  fields,
  manifestOf,
  memberOf,
  sourceOf,
  TYPES,
  viewOf,
  writeCuts,
  worldOfAll,
  latest,
  windowed,
} from '../support/offline-world.ts';
import { expectRows, oracleTrainingSet } from '../support/oracle.ts';
import { readService } from '../support/read-service.ts';
import { refused } from '../support/refused.ts';
import { fullIt, runs } from '../support/tier.ts';

const world = worldOfAll();

const START = 1_700_000_000_000_000;
const hour = (n: number): Micros => START + n * MICROS_PER_HOUR;

const { int64, string, timestamp, float64 } = TYPES;
const ORDERS = fields({ order: int64, customer: string, ordered: timestamp, seen: timestamp });
const ITEMS = fields({ order: int64, item: string, amount: int64, added: timestamp, seen: timestamp });
const PRICES = fields({ item: string, price: float64, since: timestamp });
const COUNTRIES = fields({ customer: string, country: string, loaded: timestamp });
const SOLD = fields({
  customer: string,
  country: string,
  ordered: timestamp,
  known: timestamp,
  amount: int64,
  price: float64,
});

const SQL = `
  SELECT o.customer, c.country, o.ordered, greatest(o.seen, i.seen, coalesce(p.since, o.seen)) AS known, i.amount, p.price
  FROM orders o
  JOIN items i ON i."order" = o."order"
  ASOF LEFT JOIN prices p ON p.item = i.item AND p.since <= o.ordered
  LEFT JOIN countries c ON c.customer = o.customer`;

const features: readonly FeatureSpec[] = [
  latest('last_price', float64, 'price'),
  latest('last_country', string, 'country'),
  windowed('amount_6h', int64, 'sum', 'amount', 6 * MICROS_PER_HOUR, MICROS_PER_HOUR),
];

const over = (...names: string[]): QueriedSource[] => names.map((source) => ({ source, isStatic: false }));
const OVER: readonly QueriedSource[] = [...over('orders', 'items', 'prices'), { source: 'countries', isStatic: true }];

function manifestFor(folder: string, sql = SQL, more: Partial<SourceSpec> = {}): Manifest {
  const source = (name: string, columns: readonly Field[], eventTime: string, known?: string): SourceSpec =>
    sourceOf(name, join(folder, `${name}.parquet`), columns, {
      eventTime,
      ...(known !== undefined && { knownTime: { kind: 'column', column: known } }),
    });
  const query = { kind: 'query', location: { query: sql }, over: OVER, pushes: 'keep' } as const;
  const sales = viewOf('sales', 'customer', 'sold', ['customer'], features);
  return manifestOf({
    entities: { customer: { name: 'customer', keys: fields({ customer: string }) } },
    sources: {
      orders: { ...source('orders', ORDERS, 'ordered', 'seen'), pushes: 'keep' },
      items: source('items', ITEMS, 'added', 'seen'),
      prices: source('prices', PRICES, 'since', 'since'),
      countries: source('countries', COUNTRIES, 'loaded'),
      sold: { ...source('sold', SOLD, 'ordered', 'known'), ...query, ...more },
    },
    views: { sales },
    services: { s: { name: 's', members: [memberOf(sales)] } },
  });
}

type Facts = Readonly<Record<'orders' | 'items' | 'prices' | 'countries', readonly Row[]>>;

let folders = 0;
async function put(facts: Facts): Promise<string> {
  const folder = world.path(`query-${++folders}`);
  await mkdir(folder, { recursive: true });
  await replace(folder, facts);
  return folder;
}

async function replace(folder: string, facts: Facts): Promise<void> {
  const write = (name: keyof Facts, columns: typeof ORDERS) =>
    world.put(join(folder, `${name}.parquet`), columns, facts[name]);
  await write('orders', ORDERS);
  await write('items', ITEMS);
  await write('prices', PRICES);
  await write('countries', COUNTRIES);
}

const depsFor = (folder: string, manifest: Manifest) => ({ ...world.depsOf(manifest), dataDirectory: folder });

const SPINE = fields({ when: timestamp, customer: string });
const make = (folder: string, manifest: Manifest, spine: readonly Row[]) =>
  world.train(depsFor(folder, manifest), [SPINE, spine], { out: join(folder, 'out.parquet') });
const leaks = (made: Promise<unknown>) => refused(made, 'HR_QUERY_LEAKS');

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

const order = (number: bigint, customer: string, ordered: Micros, seen = ordered): Row => ({
  order: number,
  customer,
  ordered,
  seen,
});
const item = (of: bigint, name: string, amount: bigint | null, added: Micros, seen = added): Row => ({
  order: of,
  item: name,
  amount,
  added,
  seen,
});
const price = (name: string, value: number, since: Micros): Row => ({ item: name, price: value, since });
const FACTS: Facts = {
  orders: [order(1n, 'ann', hour(1)), order(2n, 'bob', hour(2)), order(3n, 'ann', hour(4), hour(5))],
  items: [item(1n, 'pen', 2n, hour(1)), item(2n, 'ink', 1n, hour(2), hour(3)), item(3n, 'pen', 5n, hour(4))],
  prices: [price('pen', 1.5, hour(0)), price('pen', 2.5, hour(3)), price('ink', 9, hour(0))],
  countries: [{ customer: 'ann', country: 'NO', loaded: hour(9) }],
};

const ids = fc.constantFrom(1n, 2n, 3n);
const when = fc.integer({ min: 0, max: 12 }).map(hour);
const late = fc.constantFrom(0, 0, 1, 3).map((hours) => hours * MICROS_PER_HOUR);
const customer = fc.constantFrom('ann', 'bob');
const product = fc.constantFrom('pen', 'ink');
const facts: fc.Arbitrary<Facts> = fc.record({
  orders: fc.uniqueArray(
    fc.tuple(ids, customer, when, late).map(([id, of, at, by]) => order(id, of, at, at + by)),
    { selector: (row) => row['order'] },
  ),
  items: fc.array(
    fc
      .tuple(ids, product, fc.constantFrom(1n, 7n, null), when, late)
      .map(([id, of, amount, at, by]) => item(id, of, amount, at, at + by)),
    { maxLength: 8 },
  ),
  prices: fc.uniqueArray(
    fc.tuple(product, fc.constantFrom(1, 2, 3), when).map((one) => price(...one)),
    { selector: (row) => `${String(row['item'])} ${String(row['since'])}`, maxLength: 5 },
  ),
  countries: fc.uniqueArray(fc.record({ customer, country: fc.constantFrom('NO', 'SE'), loaded: when }), {
    selector: (row) => row.customer,
  }),
});

describe('a query over sources', () => {
  it('gives what the oracle says of its rows, if it does not leak', async () => {
    const spines = fc.array(fc.record({ when, customer: fc.constantFrom('ann', 'bob', 'eve') }), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(facts, spines, async (given, spine) => {
        const folder = await put(given);
        const manifest = manifestFor(folder);
        // A price that was known after its order's items changes no row here: the join is as of the order.
        const set = await make(folder, manifest, spine);
        const expected = oracleTrainingSet({ manifest, rows: { sold: sold(given) } }, 's', spine, 'when', 'at');
        const output = [...SPINE, ...features.map((feature) => ({ ...feature, name: `sales__${feature.name}` }))];
        // Rows of one order and one time tie; which item's price is the last is by their content.
        expectRows(output, await world.read(set.path, output), expected);
        expect((await auditTrainingSet(depsFor(folder, manifest), set.id)).isClean).toBe(true);
      }),
      { numRuns: runs(12) },
    );
  });

  it('fills the online store, with what was pushed to its sources', async () => {
    const folder = await put(FACTS);
    const manifest = manifestFor(folder);
    const clock = fixedClock(hour(10));
    const { logger, database } = world.deps;
    const store = await openOnlineStore(`lmdb:${join(folder, 'online')}`, { project: 'test', clock, logger });
    onTestFinished(() => store.close());
    const fill = async (incremental: boolean) => {
      const deps = { ...depsFor(folder, manifest), clock, store };
      return (await materialize(deps, { incremental, dryRun: false })).views[0]?.state;
    };
    await fill(false);
    const read = async () => {
      const keys = [{ customer: 'ann' }];
      return (await readService(manifest, store, await openDirectory(database), 's', keys, hour(10)))[0];
    };
    expect(await read()).toEqual({ sales__last_price: 2.5, sales__last_country: 'NO', sales__amount_6h: 5n });
    expect(await fill(true)).toBe('up-to-date');
    const rows = [{ row: order(4n, 'ann', hour(9)), knownMicros: hour(9) }];
    const source = manifest.sources['orders'] as SourceSpec;
    await writeCuts(await world.log.register(), [{ batches: [{ source, rows }] }]);
    await replace(folder, { ...FACTS, items: [...FACTS.items, item(4n, 'ink', 3n, hour(9))] });
    expect(await fill(true)).toBe('finished');
    expect(await read()).toEqual({ sales__last_price: 9, sales__last_country: 'NO', sales__amount_6h: 8n });
  });

  const spine = [{ when: hour(12), customer: 'ann' }];
  let standing: string;
  beforeAll(async () => {
    standing = await put(FACTS);
  });
  const failing = (sql: string, more: Partial<SourceSpec> = {}) =>
    make(standing, manifestFor(standing, sql, more), spine);

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
    await refused(failing(sql, more), 'HR_QUERY_LEAKS', /source "sold": .*(ASOF JOIN)/s);
  });

  const bySeen = SQL.replace('greatest(o.seen, i.seen, coalesce(p.since, o.seen))', 'o.seen');
  it('is refused for what its sources know by now, though it gives the same rows as before', async () => {
    const onTime = FACTS.items.map((row) => ({ ...row, seen: hour(1) }));
    const folder = await put({ ...FACTS, items: onTime });
    const manifest = manifestFor(folder, bySeen);
    await make(folder, manifest, spine);
    await replace(folder, FACTS);
    await leaks(make(folder, manifest, spine));
    // And again: what was refused is not remembered as good.
    await leaks(make(folder, manifest, spine));
    await replace(folder, { ...FACTS, items: onTime });
    await make(folder, manifest, spine);
  });

  // twin: test/integration/sources-query.test.ts > is refused where it leaks: %s
  fullIt('is refused for a known time that was declared since, though it gives the same rows as before', async () => {
    const folder = await put(FACTS);
    await make(folder, manifestFor(folder), spine);
    const early = manifestFor(folder, SQL, { knownTime: { kind: 'after', micros: 0 } });
    await leaks(make(folder, early, spine));
  });

  // twin: test/integration/sources-query.test.ts > is refused where it leaks: %s
  fullIt('is checked at times of its own rows, however many more its sources have', async () => {
    // Each order's items come a second late; a great many other facts become known in between.
    const second = 1_000_000;
    const at = (i: number) => hour(i) + i * 61 * second;
    const numbers = Array.from({ length: 40 }, (_, i) => i);
    const orders = numbers.map((i) => order(BigInt(i), 'ann', at(i)));
    const items = numbers.map((i) => item(BigInt(i), 'pen', 1n, at(i), at(i) + second));
    const prices = Array.from({ length: 20_000 }, (_, i) => price('nib', 1, hour(0) + i * 7_200_000 + 3_100_000));
    const folder = await put({ ...FACTS, orders, items, prices: [...FACTS.prices, ...prices] });
    await leaks(make(folder, manifestFor(folder, bySeen), spine));
  });

  // Of a thousand orders one has an item that is added again hours later, and its row says that it was known before.
  // twin: test/integration/sources-query.test.ts > is refused where it leaks: %s
  fullIt('is refused where it leaks by few rows of many', async () => {
    const at = (i: number) => START + i * 60_000_000;
    const folder = await put({
      ...FACTS,
      orders: Array.from({ length: 1000 }, (_, i) => order(BigInt(i), 'ann', at(i))),
      items: [444, 777].map((i) => item(BigInt(i), 'pen', 1n, at(i), at(i) + 20_000_000)),
    });
    const sql = SQL.replace('JOIN items', 'LEFT JOIN items').replace(/greatest\(.*?\)\) AS known/, 'o.seen AS known');
    expect(sql).toMatch(/o.seen AS known/);
    await leaks(make(folder, manifestFor(folder, sql), spine));
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
    await refused(failing(sql), /HR_QUERY|HR_SOURCE_UNREADABLE/, message);
  });

  const steps = 'n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3)';
  it.each([
    [
      'and call what reads nothing',
      `named AS (${SQL}), one AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM one WHERE n < 1) SELECT named.* FROM named, one, range(1)`,
    ],
    [
      'one after the other, and count by steps',
      `${steps}, named AS (${SQL}), later AS (FROM named) SELECT * FROM later WHERE 3 IN (SELECT i FROM n)`,
    ],
  ])('may name its own tables, %s', async (_, sql) => {
    const { path } = await failing(`WITH RECURSIVE ${sql}`);
    expect(await world.read(path, fields({ sales__last_price: float64 }))).toEqual([{ sales__last_price: 2.5 }]);
  });

  it('is right over its own facts', () => {
    const expected = [1.5, 9, 2.5].map((value, i) => [value, hour(1 + 2 * i)]);
    expect(sold(FACTS).map(({ price: of, known }) => [of, known])).toEqual(expected);
  });
});
