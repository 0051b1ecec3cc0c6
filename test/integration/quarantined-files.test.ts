// Rows of files that rules set apart: left out wherever the source is read, shown with why, and put back; and what warns or
// fails at materialize and at training sets.

import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { access, readdir } from 'node:fs/promises';
import { releaseQuarantined } from '../../src/control/index.ts';
import { MICROS_PER_HOUR, MICROS_PER_MINUTE, type Micros } from '../../src/core/index.ts';
import type { Expectation, SourceSpec, ViewSpec } from '../../src/definitions/index.ts';
import {
  auditTrainingSet,
  getTrainingSet,
  quarantinedFileRows,
  readRunProfile,
  readSetProfile,
  surveyQuarantined,
} from '../../src/offline/index.ts';
import { summarizeProfile } from '../../src/profiles/index.ts';
import { definitionsOf } from '../support/offline-world.ts';
import {
  NOW,
  openPushesWorld,
  type PushesWorld,
  sale,
  shopManifest,
  shopTrainingSet,
} from '../support/materialize-pushes.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const ago = (minutes: number): Micros => NOW - minutes * MICROS_PER_MINUTE;
const between = (onFail: Expectation['onFail'], min = 0, max = 100): Expectation => ({
  rule: 'between',
  column: 'price',
  min,
  max,
  onFail,
});
const unique: Expectation = { rule: 'unique', columns: ['shop', 'at'], onFail: 'quarantine' };
const [kind] = onlineStoreKinds();

let world: PushesWorld;
afterEach(() => world.close());
const open = async (expected: readonly Expectation[], more: Partial<SourceSpec> = {}) =>
  (world = await openPushesWorld(kind as NonNullable<typeof kind>, { expect: expected, ...more }));

const trainingSet = (name?: string, when?: Micros) => shopTrainingSet(world, ['a', 'b'], name, when);

const release = (ids?: readonly string[]) =>
  releaseQuarantined(
    { offline: world.deps, quarantine: world.quarantine, ingestion: async () => world.openIngestion() },
    { source: 'sales', ids, by: 'me', reason: 'they are right' },
  );
const apart = () => quarantinedFileRows(world.deps, world.manifest.sources['sales'] as SourceSpec, 100);

describe('rows of files that a rule sets apart', () => {
  it('are no facts to materialize, training sets and audit, and are shown with why', async () => {
    await open([between('quarantine')]);
    await world.file('sales1.parquet', [sale('a', ago(60), 5), sale('a', ago(50), 500), sale('b', ago(40), -1)]);
    const [sold, last] = await world.run();
    expect(sold).toMatchObject({
      state: 'finished',
      rowsInRange: 1,
      checks: [{ rule: 'between(price, 0 … 100)', onFail: 'quarantine', failed: 2 }],
    });
    expect(last).toMatchObject({ keys: 1 });
    expect(await world.read('a')).toMatchObject({ count: 1n, sum: 5, lastPrice: 5, last: 5 });
    expect(await world.read('b')).toMatchObject({ count: 0n, last: null });
    const { rows, id } = await trainingSet();
    expect(rows).toEqual([
      { shop: 'a', sold__count: 1n, sold__sum: 5, last__last_price: 5 },
      { shop: 'b', sold__count: 0n, sold__sum: null, last__last_price: null },
    ]);
    expect(await auditTrainingSet(world.deps, id)).toMatchObject({ isClean: true, sampled: 2 });
    expect(await surveyQuarantined(world.deps, ['sales'])).toEqual([
      { source: 'sales', rows: 2, rules: [{ rule: 'between(price, 0 … 100)', rows: 2 }] },
    ]);
    expect((await apart()).map(({ file, rules, row }) => [file, rules, JSON.parse(row).price])).toEqual([
      [join(world.directory, 'sales1.parquet'), ['between(price, 0 … 100)'], 500],
      [join(world.directory, 'sales1.parquet'), ['between(price, 0 … 100)'], -1],
    ]);
  });

  it('count from the next run on once they are put back, wherever they lie; the set made before is audited as it was', async () => {
    await open([between('quarantine')]);
    await world.file('sales1.parquet', [sale('a', ago(60), 5), sale('a', ago(50), 500), sale('b', ago(40), -1)]);
    await world.run();
    const before = await trainingSet('before');
    const [bad] = await apart();
    expect(await release([bad?.id as string])).toEqual({ pushed: 0, covered: 0, inFiles: 1 });
    expect(await release([])).toMatchObject({ inFiles: 0 });
    await expect(release(['nothing'])).rejects.toMatchObject({ code: 'HR_USAGE' });
    const [sold] = await world.run();
    expect(sold).toMatchObject({ state: 'finished', full: true, rowsInRange: 2 });
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 505, last: 500 });
    expect((await world.run())[0]).toMatchObject({ state: 'up-to-date' });
    expect((await trainingSet('after')).rows[0]).toMatchObject({ sold__count: 2n, sold__sum: 505 });
    expect(await auditTrainingSet(world.deps, before.id)).toMatchObject({ isClean: true });
    // The same rows in another file, in another place.
    await world.file('sales1.parquet', [sale('b', ago(40), -1), sale('a', ago(50), 500), sale('a', ago(60), 5)]);
    await world.run();
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 505 });
    expect((await apart()).map(({ row }) => JSON.parse(row).price)).toEqual([-1]);
  });

  it('are all but the first of equal ones, whatever file they lie in', async () => {
    await open([unique]);
    await world.file('sales1.parquet', [sale('a', ago(60), 9), sale('a', ago(30), 1)]);
    await world.run();
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 10 });
    await world.file('sales0.parquet', [
      sale('a', ago(60), 3),
      sale('a', ago(30), 1),
      { ...sale('a', ago(20), 7), shop: null },
    ]);
    const [sold] = await world.run();
    // Of 9 and 3, which happened at one time, the lesser comes first; a null equals nothing.
    expect(sold).toMatchObject({ full: true, rowsIgnored: 1 });
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 4 });
    expect((await apart()).map(({ row }) => JSON.parse(row).price).toSorted()).toEqual([1, 9]);
    expect((await trainingSet()).rows[0]).toMatchObject({ sold__count: 2n, sold__sum: 4 });
  });

  it('leave a key that nothing else shows to have changed, when a new file has the first of equal ones', async () => {
    await open([{ rule: 'unique', columns: ['price'], onFail: 'quarantine' }]);
    await world.file('sales1.parquet', [sale('a', ago(50), 9), sale('c', ago(45), 1)]);
    await world.run();
    expect(await world.read('a')).toMatchObject({ count: 1n });
    await world.file('sales2.parquet', [sale('b', ago(60), 9)]);
    await world.run();
    expect(await world.read('a')).toMatchObject({ count: 0n, last: null });
    expect(await world.read('b')).toMatchObject({ count: 1n });
  });

  it('say nothing of the boundary: what was pushed after the last sound row counts', async () => {
    await open([between('quarantine')]);
    await world.file('sales1.parquet', [sale('a', ago(60), 5), sale('a', ago(1), 500)]);
    await world.push(sale('a', ago(30), 7));
    await world.run();
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 12 });
    await world.stopPushes();
    expect((await trainingSet()).rows[0]).toMatchObject({ sold__count: 2n, sold__sum: 12 });
  });
});

describe('a pushed row that is put back', () => {
  it('is pushed again once, known since then; a file that brings it later counts it too', async () => {
    await open([between('quarantine')], { knownTime: { kind: 'column', column: 'at' } });
    await world.file('sales1.parquet', [sale('a', ago(60), 5)]);
    await world.run();
    await world.push(sale('a', ago(30), 500), sale('a', ago(20), 6));
    expect(await world.read('a')).toMatchObject({ count: 2n, sum: 11 });
    world.clock.now += 3 * MICROS_PER_HOUR;
    expect(await release()).toEqual({ pushed: 1, covered: 0, inFiles: 0 });
    expect(await release()).toEqual({ pushed: 0, covered: 0, inFiles: 0 });
    expect(await world.read('a')).toMatchObject({ count: 3n, sum: 511 });
    await world.stopPushes();
    await world.run();
    const released = world.clock.now;
    const countAt = async (when: Micros) => (await trainingSet('at', when)).rows[0]?.['sold__count'];
    expect([await countAt(released - 1), await countAt(released)]).toEqual([2n, 3n]);
    // The nightly file has the same events.
    await world.file('sales2.parquet', [sale('a', ago(30), 500), sale('a', ago(20), 6)]);
    await world.run();
    expect(await world.read('a')).toMatchObject({ count: 3n, sum: 511 });
    expect([await countAt(released - 1), await countAt(released)]).toEqual([2n, 3n]);
  });
});

describe('a release that broke off after the push', () => {
  it('comes once, gone on with long after the push could be repeated', async () => {
    await open([between('quarantine')], { kind: 'pushed', location: {}, pushes: 'keep' });
    await world.push(sale('a', ago(30), 500));
    const broken = { ...world.quarantine, finishRelease: () => Promise.reject(new Error('killed')) };
    const brief = world.openIngestion({ claimRetentionMs: 100 });
    const deps = { offline: world.deps, quarantine: broken, ingestion: async () => brief };
    await expect(releaseQuarantined(deps, { source: 'sales', by: 'me', reason: null })).rejects.toThrow('killed');
    await brief.close();
    world.clock.now += MICROS_PER_MINUTE;
    await new Promise((done) => setTimeout(done, 300));
    expect(await release()).toMatchObject({ pushed: 1 });
    expect(await world.read('a')).toMatchObject({ count: 1n, sum: 500 });
    expect(await world.quarantine.list()).toEqual([]);
  });
});

describe('a rule that fails', () => {
  it('stops a materialize before anything is written, and a training set before there is a file', async () => {
    await open([between('fail')]);
    await world.file('sales1.parquet', [sale('a', ago(60), 5)]);
    await world.run();
    await world.file('sales2.parquet', [sale('a', ago(50), 500), sale('b', ago(40), 1)]);
    const error = {
      code: 'HR_EXPECTATION',
      details: [{ path: 'source "sales"', message: 'between(price, 0 … 100): 1 row breaks it, such as 500.0' }],
    };
    await expect(world.run()).rejects.toMatchObject(error);
    await expect(world.run({ incremental: false })).rejects.toMatchObject(error);
    expect(await world.read('a')).toMatchObject({ count: 1n });
    expect(await world.read('b')).toMatchObject({ count: 0n, last: null });
    await expect(trainingSet('refused')).rejects.toMatchObject(error);
    await expect(access(join(world.directory, 'refused.parquet'))).rejects.toThrow();
    expect((await readdir(world.directory)).filter((name) => name.includes('unfinished'))).toEqual([]);
    // Once the data are right it goes on by itself.
    await world.file('sales2.parquet', [sale('a', ago(50), 50), sale('b', ago(40), 1)]);
    await world.run();
    expect(await world.read('a')).toMatchObject({ count: 2n });
  });

  it('looks at what came since the last run, at all of it with --from', async () => {
    await open([between('warn')]);
    await world.file('sales1.parquet', [sale('a', ago(60), 500)]);
    const failed = async (request: Parameters<PushesWorld['run']>[0]) =>
      (await world.run(request))[0]?.checks[0]?.failed;
    expect(await failed({})).toBe(1);
    await world.file('sales2.parquet', [sale('a', ago(50), 600), sale('b', ago(40), 1)]);
    expect(await failed({})).toBe(1);
    await world.push(sale('b', ago(5), 700));
    expect(await failed({})).toBe(1);
    expect(await failed({ incremental: false, from: ago(30) })).toBe(3);
  });

  it('of all rows together is seen by each run: doubles, too few, too old', async () => {
    await open([
      { rule: 'unique', columns: ['shop', 'at'], onFail: 'warn' },
      { rule: 'rowCount', min: 2, max: 3, onFail: 'warn' },
      { rule: 'fresh', withinMicros: 2 * MICROS_PER_HOUR, onFail: 'fail' },
    ]);
    await world.file('sales1.parquet', [sale('a', ago(60), 5), sale('a', ago(60), 6)]);
    expect((await world.run())[0]?.checks).toEqual([
      {
        of: 'source "sales"',
        rule: 'unique(shop, at)',
        onFail: 'warn',
        failed: 1,
        found: expect.stringContaining('such as (a, '),
      },
      { of: 'source "sales"', rule: 'rowCount(2 … 3)', onFail: 'warn', failed: 0, found: null },
      { of: 'source "sales"', rule: 'fresh(2h)', onFail: 'fail', failed: 0, found: null },
    ]);
    await world.file('sales2.parquet', [sale('a', ago(60), 5), sale('b', ago(40), 6)]);
    expect((await world.run())[0]?.checks.map(({ failed, found }) => [failed, found])).toEqual([
      [2, expect.stringContaining('such as (a, ')],
      [1, 'there are 4 rows'],
      [0, null],
    ]);
    world.clock.now += 3 * MICROS_PER_HOUR;
    // Nothing is new, and that is what is wrong.
    await expect(world.run()).rejects.toMatchObject({
      code: 'HR_EXPECTATION',
      message: expect.stringContaining('fresh(2h): the newest event is of 2023-11-14T21:33:20Z, 3h40m ago'),
    });
    await expect(trainingSet()).rejects.toMatchObject({ code: 'HR_EXPECTATION' });
  });
});

describe("what is expected of a view's values", () => {
  const withView = async (expected: readonly Expectation[]) => {
    await open([]);
    const manifest = shopManifest(join(world.directory, 'sales*.parquet'));
    const sold: ViewSpec = { ...(manifest.views['sold'] as ViewSpec), expect: expected };
    const definitions = definitionsOf({ ...manifest, views: { ...manifest.views, sold } }, world.directory);
    Object.assign(world.deps, { definitions });
  };
  const rows = [sale('a', ago(60), 5), sale('b', ago(50), 500), sale('c', ago(40), 7)];

  it('warns in the report, of each key, and in a training set of each row', async () => {
    await withView([
      { rule: 'between', column: 'sum', min: null, max: 100, onFail: 'warn' },
      { rule: 'notNull', column: 'last_price', onFail: 'warn' },
      { rule: 'rowCount', min: 5, onFail: 'warn' },
    ]);
    await world.file('sales1.parquet', rows);
    const [sold] = await world.run();
    expect(sold?.checks).toEqual([
      { of: 'view "sold"', rule: 'rowCount(5 …)', onFail: 'warn', failed: 1, found: 'there are 3 keys' },
      { of: 'view "sold"', rule: 'between(sum, … 100)', onFail: 'warn', failed: 1, found: 'such as 500' },
      { of: 'view "sold"', rule: 'notNull(last_price)', onFail: 'warn', failed: 0, found: null },
    ]);
    expect(world.warnings).toContainEqual(expect.objectContaining({ rule: 'between(sum, … 100)', failed: 1 }));
    const { id } = await trainingSet();
    expect((await getTrainingSet(world.deps, id)).checks).toEqual([
      { of: 'view "sold"', rule: 'between(sum, … 100)', onFail: 'warn', failed: 1, found: 'such as 500.0' },
      { of: 'view "sold"', rule: 'notNull(last_price)', onFail: 'warn', failed: 0, found: null },
    ]);
  });

  it('stops a run before anything is written', async () => {
    await withView([{ rule: 'between', column: 'sum', min: null, max: 100, onFail: 'fail' }]);
    await world.file('sales1.parquet', rows);
    await expect(world.run()).rejects.toMatchObject({
      code: 'HR_EXPECTATION',
      message: expect.stringContaining('such as 500'),
    });
    expect(await world.read('a')).toMatchObject({ count: 0n });
    await expect(trainingSet('refused')).rejects.toMatchObject({ code: 'HR_EXPECTATION' });
    await expect(access(join(world.directory, 'refused.parquet'))).rejects.toThrow();
    await world.file(
      'sales1.parquet',
      rows.filter(({ price }) => price !== 500),
    );
    await world.run();
    expect(await world.read('a')).toMatchObject({ count: 1n });
  });
});

describe('profiles', () => {
  it('are kept of each training set and of each run', async () => {
    await open([]);
    const prices = Array.from({ length: 50 }, (_, i) => i);
    await world.file(
      'sales1.parquet',
      prices.map((price) => sale(`shop ${price}`, ago(60 + price), price)),
    );
    const [sold] = await world.run();
    const run = summarizeProfile((await readRunProfile(world.deps.database, sold?.run as number)) as never);
    expect(run).toMatchObject([
      { name: 'count', rows: 50, nulls: 0, distinct: 1, top: [{ value: 1, rows: 50 }] },
      { name: 'sum', rows: 50, min: 0, max: 49, mean: 24.5, distinct: 50 },
      { name: 'last_price', type: 'float64', quantiles: { p50: expect.closeTo(24, 0) } },
    ]);
    const { id } = await trainingSet();
    const record = await getTrainingSet(world.deps, id);
    expect(summarizeProfile((await readSetProfile(world.deps.database, id)) as never)).toEqual(record.features);
    expect(record.features[0]).toMatchObject({
      name: 'sold__count',
      nullRate: 0,
      distinct: 1,
      top: [{ value: 0, rows: 2 }],
    });
    expect(record.features[1]).toMatchObject({ name: 'sold__sum', nulls: 2, nullRate: 1, distinct: 0 });
  });
});
