// Drift over days, on each database: what moves opens after two windows and closes after three quiet ones, days that differ by
// themselves are no drift, and each window is counted once, or again where more of it came.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { driftReport } from '../../src/monitoring/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { createRandom } from '../support/chance.ts';
import { databasesByTier } from '../support/databases.ts';
import { DAY, type DriftWorld, HOUR, openDriftWorld, type ServedRow, START } from '../support/drift-world.ts';

const random = createRandom(7).next;
const CITIES = ['Bern', 'Zug', 'Basel'];
/** So many hours from one on, served alike. */
const hours = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => START + (from + i) * HOUR);
const row = (at: number, move = 0): Required<Pick<ServedRow, 'at' | 'amount' | 'city' | 'clicks'>> => ({
  at,
  amount: random() * 100 + move,
  city: CITIES[Math.floor(random() * 3)] as string,
  clicks: random() < 0.2 ? null : Math.floor(random() * 5),
});
/** `count` rows in the hour that begins at `from`. */
const hour = (from: number, count = 400, more: (one: ServedRow) => Partial<ServedRow> = () => ({})): ServedRow[] =>
  Array.from({ length: count }, (_, i) => {
    const one = row(from + Math.floor((i * HOUR) / count));
    return { ...one, ...more(one) };
  });
const moved = ({ amount }: ServedRow) => ({ amount: (amount ?? 0) * 0.3 });
const trained = (days = 10) =>
  Array.from({ length: days * 500 }, (_, i) => row(START - 30 * DAY + Math.floor(i / 500) * DAY));

describe.each(databasesByTier('drift'))('drift on $name', (databases) => {
  let database: Database;
  let world: DriftWorld;
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    database = await openDatabase(await databases.newUrl());
    world = await openDriftWorld(database);
    await world.train('set', trained());
  });
  afterEach(async () => {
    await world.close();
    await database.close();
  });
  const report = (more: { window?: 'hour' | 'day' } = {}) =>
    driftReport(world.store, { name: 'shop', hasUnits: world.hasUnits, arms: [] }, async () => world.version, {
      size: world.size,
      window: world.size === HOUR ? 'hour' : 'day',
      limit: 48,
      now: world.now,
      ...more,
    });
  const feature = async (name: string) => (await report()).features.find((one) => one.feature === name);
  const until = async (hours: number) => {
    world.now = START + hours * HOUR + 5 * 60_000_000;
    return world.run();
  };
  const openAlerts = async () => (await world.alerts.list({ state: 'open' })).map((one) => one.feature);

  it('opens for what moved, after two windows, and closes after three quiet ones; nothing else opens', async () => {
    for (const at of hours(0, 6)) await world.serve(hour(at));
    await until(6);
    expect(await world.alerts.list()).toEqual([]);
    await world.serve(hour(START + 6 * HOUR, 400, moved));
    await until(7);
    expect(await openAlerts()).toEqual([]);
    await world.serve(hour(START + 7 * HOUR, 400, moved));
    await until(8);
    expect(await openAlerts()).toEqual(['amount']);
    const [alert] = await world.alerts.list();
    const window = { from: '2026-11-23T07:00:00Z', to: '2026-11-23T08:00:00Z' };
    const arms = [{ variant: 'stable', version: 1, reference: 'set', verdict: 'firing' }];
    expect(alert).toMatchObject({ rule: 'drift', endpoint: 'shop', evidence: { window, rows: 400, arms } });
    const states = (await report()).features.map((one) => `${one.feature} ${one.state}`);
    expect(states).toEqual(['amount open', 'city ok', 'clicks ok', 'score ok']);
    for (const at of hours(8, 11)) await world.serve(hour(at));
    await until(10);
    expect(await openAlerts()).toEqual(['amount']);
    await until(11);
    expect(await openAlerts()).toEqual([]);
    const amount = await feature('amount');
    expect(amount).toMatchObject({ state: 'ok', reference: 'set', kind: 'feature' });
    expect(amount?.windows).toHaveLength(11);
    expect(amount?.windows[6]).toMatchObject({ from: '2026-11-23T06:00:00Z', to: '2026-11-23T07:00:00Z', rows: 400 });
    expect(amount?.windows[6]?.psi).toBeGreaterThan(0.5);
    expect(amount?.windows[6]?.ks).toBeGreaterThan(0.5);
    expect(amount?.windows[5]?.psi).toBeLessThan(0.1);
    expect(amount?.windows[5]?.p).toBeGreaterThan(0.01);
  });

  it('counts each window once, and a window again where more of it came late', async () => {
    await world.serve(hour(START));
    await world.serve(hour(START + HOUR));
    expect((await until(1)).counted).toBe(1);
    expect((await until(2)).counted).toBe(1);
    expect((await until(2)).counted).toBe(0);
    // Another machine's segment.
    await world.serve(hour(START, 100));
    await world.compact();
    expect((await until(3)).counted).toBe(1);
    expect((await feature('amount'))?.windows.map(({ rows }) => rows)).toEqual([500, 400]);
    expect((await until(3)).counted).toBe(0);
  });

  it('joins what is too little to the next, and says where there is no data', async () => {
    expect(await report()).toMatchObject({ features: [], arms: [] });
    await world.serve(hour(START, 120));
    await world.serve(hour(START + HOUR, 120));
    await until(2);
    expect((await report()).arms).toMatchObject([{ waiting_rows: 240, checked_to: '2026-11-23T00:00:00Z' }]);
    // An hour without a row, then enough.
    await world.serve(hour(START + 3 * HOUR, 60));
    await until(4);
    expect((await feature('amount'))?.windows).toMatchObject([
      { from: '2026-11-23T00:00:00Z', to: '2026-11-23T04:00:00Z', rows: 300, units: 300 },
    ]);
    expect((await feature('amount'))?.state).toBe('ok');
    await until(5);
    expect((await feature('amount'))?.state).toBe('no data');
    expect(await world.alerts.list()).toEqual([]);
  });

  it('keeps missing, null and empty apart; an empty window is as in the training data, an invalid value as in none', async () => {
    const none = () => ({ statuses: ['PRESENT', 'PRESENT', 'INVALID'] });
    const empty = ({ clicks }: ServedRow) => ({
      statuses: ['PRESENT', 'PRESENT', clicks === null ? (random() < 0.5 ? 'NOT_FOUND' : 'NULL_VALUE') : 'PRESENT'],
    });
    for (const at of hours(0, 3)) await world.serve(hour(at, 400, empty));
    await until(3);
    const clicks = await feature('clicks');
    expect(clicks).toMatchObject({ state: 'ok' });
    for (const window of clicks?.windows ?? []) {
      expect(window.missing + window.empty).toBeGreaterThan(0.13);
      expect(window.missing + window.empty).toBeLessThan(0.27);
      expect(window.null).toBe(0);
      expect(window.p).toBeGreaterThan(0.01);
    }
    // A fifth of the values is not known: the store is away.
    let i = 0;
    for (const at of hours(3, 5))
      await world.serve(hour(at, 400, () => (i++ % 5 === 0 ? { ...none(), clicks: null } : {})));
    await until(5);
    expect(await openAlerts()).toEqual(['clicks']);
    expect((await feature('clicks'))?.windows.at(-1)?.missing).toBe(0.2);
  });

  it('takes days that differ by themselves for what they are', async () => {
    // Each day of the training data has its own level.
    const level = createRandom(3).next;
    const levels = Array.from({ length: 20 }, () => level() * 60);
    await world.train(
      'restless',
      levels.flatMap((move, day) => Array.from({ length: 500 }, () => row(START - 30 * DAY + day * DAY, move))),
    );
    for (const at of hours(0, 4)) await world.serve(hour(at, 400, ({ amount }) => ({ amount: (amount ?? 0) + 45 })));
    await until(4);
    expect(await openAlerts()).toEqual([]);
    // The same against days that are all alike.
    await world.train('calm', trained(20));
    await world.serve(hour(START + 4 * HOUR, 400, ({ amount }) => ({ amount: (amount ?? 0) + 45 })));
    await world.serve(hour(START + 5 * HOUR, 400, ({ amount }) => ({ amount: (amount ?? 0) + 45 })));
    await until(6);
    expect(await openAlerts()).toEqual(['amount']);
    // Only windows of one reference are held against it.
    expect((await feature('amount'))?.windows).toHaveLength(2);
  });

  it('names categories that the training data have not', async () => {
    let i = 0;
    await world.serve(hour(START, 400, () => (i++ % 4 === 0 ? { city: i % 8 === 1 ? 'Chur' : 'Genf' } : {})));
    await until(1);
    expect((await feature('city'))?.windows[0]?.new_categories).toEqual([
      { value: 'Chur', rows: 50 },
      { value: 'Genf', rows: 50 },
    ]);
    expect((await feature('city'))?.windows[0]?.p).toBeLessThan(0.001);
  });

  it('holds outputs, and arms without a training set, against their own first windows', async () => {
    world.version = { ...world.version, trainingSet: null, lacks: 'it was registered without one' };
    for (const at of hours(0, 8)) await world.serve(hour(at, 350, () => ({ score: random() * 0.5 })));
    await until(5);
    expect((await report()).features).toEqual([]);
    expect((await report()).arms).toMatchObject([{ lacks: 'it was registered without one' }]);
    await until(8);
    expect((await report()).features).toEqual([]);
    for (const at of hours(8, 10)) await world.serve(hour(at, 350, () => ({ score: 0.5 + random() * 0.5 })));
    await until(10);
    expect(await openAlerts()).toEqual(['output:score']);
    expect(await feature('score')).toMatchObject({ kind: 'output', state: 'open', reference: 'first windows' });
    expect((await feature('score'))?.windows).toHaveLength(2);
    expect(await feature('amount')).toMatchObject({ kind: 'feature', state: 'ok', reference: 'first windows' });
  });

  it('shows days of hours that were counted, and the window under way when asked', async () => {
    for (const at of hours(20, 26)) await world.serve(hour(at));
    await until(25);
    const days = await report({ window: 'day' });
    expect(days.features.find((one) => one.feature === 'amount')?.windows).toMatchObject([
      { to: '2026-11-24T00:00:00Z', rows: 1600 },
      { from: '2026-11-24T00:00:00Z', rows: 400 },
    ]);
    world.now = START + 26 * HOUR - 1;
    const { underWay, counted } = await world.run(true);
    expect(counted).toBe(0);
    expect(underWay.filter(({ kind }) => kind === 'feature')).toHaveLength(3);
    expect(underWay[0]).toMatchObject({ from: START + 25 * HOUR, rows: 400 });
    expect((await feature('amount'))?.windows).toHaveLength(5);
  });

  it('counts all that came while nothing watched', async () => {
    await world.serve(hour(START));
    await until(1);
    for (let day = 0; day < 5; day++) await world.serve(hour(START + day * DAY + 2 * HOUR));
    await until(6 * 24);
    const windows = (await feature('amount'))?.windows ?? [];
    expect(windows.map(({ from }) => from.slice(8, 13)).join(' ')).toBe('23T00 23T02 24T02 25T02 26T02 27T02');
  });

  it('goes on after a clock that was ahead is put right', async () => {
    for (const at of hours(0, 4)) await world.serve(hour(at, 400, moved));
    await until(1);
    // Two days ahead: what is not there yet is taken for over.
    await until(49);
    await world.serve(hour(START + 4 * HOUR, 400, moved));
    await until(5);
    expect((await feature('amount'))?.windows.map(({ rows }) => rows)).toEqual([400, 400, 400, 400, 400]);
    expect(await openAlerts()).toEqual(['amount']);
  });

  it('keeps arms apart, and tells of a feature once whichever they are', async () => {
    for (const at of hours(0, 3)) {
      await world.serve(hour(at, 350));
      await world.serve(hour(at, 350, (one) => ({ ...moved(one), variant: 'candidate', version: 2 })));
    }
    await until(3);
    const { features } = await report();
    const amounts = features.filter((one) => one.feature === 'amount');
    const states = amounts.map(({ arm, state }) => `${arm.variant} ${arm.version} ${state}`);
    expect(states).toEqual(['candidate 2 open', 'stable 1 ok']);
    expect(await openAlerts()).toEqual(['amount']);
    expect(JSON.stringify((await world.alerts.list())[0]?.evidence)).toContain('"variant":"candidate"');
  });
});
