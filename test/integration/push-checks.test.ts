// Pushes held to what is expected of their source: refused whole with what is wrong, told of, or set apart, durably and once.

import { beforeEach, describe, expect, it } from 'vitest';
import { MICROS_PER_MINUTE, toJson } from '../../src/core/index.ts';
import type { Expectation } from '../../src/definitions/index.ts';
import type { Ingestion } from '../../src/ingestion/index.ts';
import { eachWorld } from '../support/each-world.ts';
import { NOW, openPushesWorld } from '../support/materialize-pushes.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const between = (onFail: Expectation['onFail'], min: number | null, max: number | null): Expectation => ({
  rule: 'between',
  column: 'price',
  min,
  max,
  onFail,
});
const EXPECT: readonly Expectation[] = [
  { rule: 'notNull', column: 'shop', onFail: 'fail' },
  between('fail', -1000, 1000),
  between('quarantine', 0, 100),
  { rule: 'oneOf', column: 'shop', values: ['a', 'b'], onFail: 'quarantine' },
  between('warn', null, 50),
  // Of all rows together: nothing that a push is held to.
  { rule: 'unique', columns: ['shop'], onFail: 'fail' },
  { rule: 'rowCount', min: 10, onFail: 'fail' },
];
const at = (minutesAgo: number) => toJson({ kind: 'timestamp' }, NOW - minutesAgo * MICROS_PER_MINUTE);
const sale = (shop: string | null, price: number | null, minutesAgo = 1) => ({ shop, at: at(minutesAgo), price });

const [kind] = onlineStoreKinds();

describe('a push', () => {
  const world = eachWorld(() =>
    openPushesWorld(kind as NonNullable<typeof kind>, {
      kind: 'pushed',
      location: {},
      pushes: 'keep',
      expect: EXPECT,
    }),
  );
  let ingestion: Ingestion;
  beforeEach(async () => {
    ingestion = world.openIngestion();
  });
  const push = (rows: readonly object[], key?: string, by = ingestion) => by.push('sales', rows, key);
  const held = async () =>
    (await world.quarantine.rows('sales')).map(({ row, reasons }) => [
      JSON.parse(row).price,
      reasons.map(({ rule }) => rule),
    ]);

  it('that breaks a rule which fails is refused whole, each row named with what came and what was expected', async () => {
    await expect(push([sale('a', 5), sale(null, 5), sale('a', 2000), sale('zzz', 7)])).rejects.toMatchObject({
      code: 'HR_EXPECTATION',
      details: [
        { path: 'rows[1].shop', message: 'expected a value, got null: it breaks notNull(shop)' },
        {
          path: 'rows[2].price',
          message: 'expected -1000 to 1000, got number 2000: it breaks between(price, -1000 … 1000)',
        },
      ],
    });
    expect(await world.read('a')).toMatchObject({ count: 0n });
    expect(await held()).toEqual([]);
  });

  it('that breaks a rule which warns is taken, and its sender told', async () => {
    expect(await push([sale('a', 60), sale('a', 70), sale('b', 5)])).toMatchObject({
      accepted: 3,
      warnings: [{ rule: 'between(price, … 50)', rows: 2 }],
    });
    expect(await world.read('a')).toMatchObject({ count: 2n });
  });

  it('has the rows set apart that break a rule which says so: they count nowhere, and the others do', async () => {
    const result = await push([sale('a', 5, 9), sale('a', 500, 8), sale('c', -5, 7), sale('a', null, 6)]);
    expect(result).toMatchObject({ accepted: 2, quarantined: 2 });
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 5, lastPrice: null });
    expect(await world.read('c')).toMatchObject({ count: 0n });
    expect(await held()).toEqual(
      expect.arrayContaining([
        [500, ['between(price, 0 … 100)']],
        [-5, ['between(price, 0 … 100)', 'oneOf(shop, a | b)']],
      ]),
    );
    const [first] = await world.quarantine.rows('sales');
    expect(first).toMatchObject({ source: 'sales', arrivedMicros: NOW });
  });

  it('whose rows are all set apart is answered, and repeated with its key sets nothing apart twice', async () => {
    const rows = [sale('a', 500), sale('a', 600)];
    const first = await push(rows, 'k');
    expect(first).toMatchObject({ accepted: 0, quarantined: 2, duplicate: false });
    expect(await push(rows, 'k')).toEqual({ ...first, duplicate: true });
    const elsewhere = world.openIngestion();
    expect(await push(rows, 'k', elsewhere)).toEqual({ ...first, duplicate: true });
    expect(await held()).toHaveLength(2);
    // Without a key they are events of their own.
    await push(rows);
    expect(await held()).toHaveLength(4);
  });

  it('repeated after its rows were dropped does not set them apart again', async () => {
    const rows = [sale('a', 500), sale('a', 1)];
    await push(rows, 'k');
    expect(await world.quarantine.drop('sales', undefined, { at: NOW, by: 'me', reason: null })).toBe(1);
    expect(await push(rows, 'k')).toMatchObject({ accepted: 1, quarantined: 1, duplicate: true });
    expect(await held()).toEqual([]);
  });

  it('with other rows under its key is refused, and leaves nothing in quarantine', async () => {
    await push([sale('a', 1)], 'k');
    await expect(push([sale('a', 1), sale('a', 500)], 'k')).rejects.toMatchObject({ code: 'HR_IDEMPOTENCY' });
    expect(await held()).toEqual([]);
  });

  it('under one key from two processes at once sets its rows apart once', async () => {
    const rows = Array.from({ length: 20 }, (_, i) => sale('a', i % 2 === 0 ? 500 + i : i));
    const others = [world.openIngestion(), world.openIngestion(), world.openIngestion()];
    const results = await Promise.allSettled(others.map((one) => push(rows, 'k', one)));
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
    expect(await held()).toHaveLength(10);
    expect(await world.read('a')).toMatchObject({ count: 10n });
  });

  it('past the room of the quarantine is refused, and nothing of it is kept', async () => {
    const rows = [sale('a', 1), ...Array.from({ length: 9000 }, (_, i) => sale('a', 200 + i / 100))];
    const message = expect.stringContaining('quarantine.maxSize');
    await expect(push(rows)).rejects.toMatchObject({ code: 'HR_QUARANTINE_FULL', message });
    expect(await held()).toEqual([]);
    expect(await world.read('a')).toMatchObject({ count: 0n });
  });

  it('is checked before it begins, as far as its declared columns tell', () => {
    expect(() => ingestion.check('sales', [sale('a', 5000)])).toThrow(/rows\[0\].price: expected -1000 to 1000/);
    expect(() => ingestion.check('sales', [sale('a', 500)])).not.toThrow();
  });
});
