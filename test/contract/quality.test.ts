// Quality over days, on each database: outcomes that come late or never, of predictions that nobody knows, and an alert where a
// version is worse than it was said to be.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openQualityStore, openSkewStore, qualityReport } from '../../src/monitoring/index.ts';
import { type QualityStore, runQuality, tellSkew } from '../../src/monitoring/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { createRandom } from '../support/chance.ts';
import { databasesByTier } from '../support/databases.ts';
import { DAY, type DriftWorld, HOUR, openDriftWorld, START } from '../support/drift-world.ts';

describe.each(databasesByTier('quality'))('quality on $name', (databases) => {
  let database: Database;
  let world: DriftWorld;
  let store: QualityStore;
  let metrics: Record<string, number> = {};
  let random = createRandom(5).next;
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    random = createRandom(5).next;
    metrics = {};
    database = await openDatabase(await databases.newUrl());
    world = await openDriftWorld(database);
    store = await openQualityStore(database);
  });
  afterEach(async () => {
    await world.close();
    await database.close();
  });
  const run = () => {
    const { duckdb, directory, alerts } = world;
    const clock = { nowMicros: () => world.now };
    const deps = { store, duckdb, directory, alerts, clock, metrics: async () => metrics };
    return runQuality(deps, 'shop', new AbortController().signal);
  };
  const report = () => qualityReport(store, 'shop', { days: 30, now: world.now });
  /** A day's predictions, and what becomes of them; `skill` 1: the scores are chances, 0: they say nothing. */
  const day = async (number: number, { skill = 1, count = 400 } = {}) => {
    const rows = Array.from({ length: count }, (_, i) => ({
      at: START + number * DAY + i * 1_000_000,
      amount: 1,
      city: i % 2 === 0 ? 'Bern' : 'Zug',
      score: Math.fround(random()),
    }));
    const ids = await world.serve(rows);
    return ids.map((id, i) => {
      const chance = random() < skill ? (rows[i]?.score ?? 0) : 0.5;
      return { id, value: random() < chance };
    });
  };

  it('measures a day again when more of its outcomes are known, and days without any not at all', async () => {
    const first = await day(0);
    const second = await day(1);
    world.now = START + 2 * DAY;
    expect(await run()).toBe(2);
    expect(await run()).toBe(0);
    const untold = (await report()).arms[0];
    expect(untold).toMatchObject({ variant: 'stable', version: 1, task: 'chance' });
    expect(untold?.days).toMatchObject([
      { day: '2026-11-23', rows: 400, labelled: 0, coverage: 0, figures: {} },
      { day: '2026-11-24', rows: 400, labelled: 0, figures: {} },
    ]);
    expect(untold?.days[0]?.estimated?.accuracy).toBeCloseTo(0.75, 1);
    // Three weeks later the first come, with some that nobody predicted.
    world.now = START + 21 * DAY;
    await world.tell([...first.slice(0, 100), { id: 'nobody', value: true }, { id: 'p1x', value: false }]);
    expect(await run()).toBe(1);
    const some = (await report()).arms[0];
    expect(some?.days[0]).toMatchObject({ rows: 400, labelled: 100, coverage: 0.25 });
    expect(some?.days[1]).toMatchObject({ labelled: 0 });
    expect(some?.coverage).toMatchObject([
      { age_from_seconds: 14 * 86_400, age_to_seconds: null, rows: 800, labelled: 100, share: 0.125 },
    ]);
    await world.tell([...first.slice(100), ...second]);
    // One is taken back.
    world.now += 1;
    await world.tell([{ id: first[0]?.id ?? '', value: null }]);
    await world.compact();
    expect(await run()).toBe(2);
    const all = (await report()).arms[0];
    expect(all?.days.map(({ labelled }) => labelled)).toEqual([399, 400]);
    expect(all?.days[1]?.figures.auc).toBeGreaterThan(0.75);
    expect(all?.days[1]?.figures.accuracy).toBeCloseTo(all?.days[1]?.estimated?.accuracy ?? 0, 1);
    expect(all?.segments?.of).toBe('brier excess');
  }, 30_000);

  it('takes a version that answers NaN for what it was made to be, and has no figures of what is no number', async () => {
    const outcomes = await day(0);
    const rows = Array.from({ length: 400 }, (_, i) => ({ at: START + DAY + i, amount: 1, city: 'Zug', score: NaN }));
    const ids = await world.serve([...rows, ...rows.slice(0, 100).map((row) => ({ ...row, version: 2 }))]);
    await world.tell([...outcomes, ...ids.map((id, i) => ({ id, value: i % 2 === 0 }))]);
    world.now = START + 2 * DAY;
    await run();
    const arms = (await report()).arms;
    const chance = (version: number) => ({ version, task: 'chance' });
    expect(arms).toMatchObject([chance(1), chance(2)]);
    // Some of the first version's are, and the others say how good it is.
    expect(arms[0]?.days[0]?.figures.auc).toBeGreaterThan(0.75);
    expect(arms[0]?.days[1]).toMatchObject({ rows: 400, labelled: 400, figures: {}, estimated: null });
    expect(arms[1]?.days).toMatchObject([{ rows: 100, labelled: 100, figures: {}, estimated: null }]);
  }, 30_000);

  it('alerts where it is worse than the version was registered with, not by the few labels that come first', async () => {
    metrics = { rows: 5000, train_auc: 0.99, test_auc: 0.83 };
    for (let at = 0; at < 2; at++) await world.tell(await day(at));
    world.now = START + 2 * DAY + HOUR;
    await run();
    expect(await world.alerts.list()).toEqual([]);
    for (let at = 2; at < 4; at++) {
      const outcomes = await day(at, { skill: 0.2 });
      await world.tell(outcomes.slice(0, 310));
      world.now = START + (at + 1) * DAY + HOUR;
      await run();
      // Not as many as days have had before.
      expect(await world.alerts.list({ state: 'open' })).toHaveLength(0);
      await world.tell(outcomes);
    }
    await run();
    const evidence = { rows: 400, arms: [{ figure: 'auc', expected: 0.83, against: 'registered' }] };
    const alert = { rule: 'quality', endpoint: 'shop', feature: 'auc', state: 'open', evidence };
    expect(await world.alerts.list()).toMatchObject([alert]);
  }, 30_000);

  it('alerts against its own days where it was registered with no figure; numbers are measured as numbers', async () => {
    for (let at = 0; at < 12; at++) {
      const outcomes = await day(at, { count: 320 });
      // The last two days everything comes out greater.
      const more = at < 10 ? 0.001 : 0.6;
      await world.tell(outcomes.map(({ id }) => ({ id, value: 0.5 + (random() - 0.5) * 0.2 + more })));
    }
    world.now = START + 12 * DAY + HOUR;
    await run();
    const [arm] = (await report()).arms;
    expect(arm?.task).toBe('number');
    expect(Object.keys(arm?.days[0]?.figures ?? {})).toEqual(['mae', 'rmse', 'bias']);
    expect(arm?.days[0]?.estimated).toBe(null);
    const evidence = { arms: [{ against: 'history' }] };
    expect(await world.alerts.list()).toMatchObject([{ rule: 'quality', feature: 'mae', state: 'open', evidence }]);
    expect((await report()).arms[0]?.days.at(-1)?.figures.bias).toBeLessThan(-0.5);
  }, 30_000);

  it('keeps checks of what was served, and alerts at what nothing explains', async () => {
    const skew = await openSkewStore(database);
    const mismatch = (feature: string, cause: 'unknown' | 'late data' | 'code', count: number) => ({
      feature,
      cause,
      count,
      examples: [],
    });
    const counts = { logged: 500, checked: 200, values: 600, agreed: 590, not_comparable: [] };
    const check = (at: number, mismatches: ReturnType<typeof mismatch>[]) => {
      const [atMicros, fromMicros] = [START + at * HOUR, START + (at - 1) * HOUR];
      return { endpoint: 'shop', atMicros, fromMicros, mismatches, ...counts };
    };
    world.now = START + 100 * HOUR;
    const rounds = [
      [mismatch('amount', 'late data', 10)],
      [mismatch('amount', 'late data', 30), mismatch('city', 'code', 200)],
      [mismatch('clicks', 'unknown', 1)],
      [],
    ];
    const open = async () => (await world.alerts.list({ state: 'open' })).map(({ feature }) => feature).toSorted();
    const opened: string[][] = [];
    for (const [at, mismatches] of rounds.entries()) {
      await skew.save(check(at, mismatches));
      await tellSkew(world.alerts, check(at, mismatches));
      opened.push((await open()).map(String));
    }
    expect(opened).toEqual([[], ['amount'], ['amount', 'clicks'], ['amount', 'clicks']]);
    for (const at of [4, 5]) await tellSkew(world.alerts, check(at, []));
    expect(await open()).toEqual([]);
    const last = (await skew.checks('shop', 2)).map(({ atMicros }) => (atMicros - START) / HOUR);
    expect(last).toEqual([3, 2]);
    expect((await skew.checks('shop', 10)).at(-2)?.mismatches).toHaveLength(2);
  });
});
