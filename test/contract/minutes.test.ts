import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import {
  createMinuteCollector,
  type MinuteRow,
  openHistory,
  openMinutes,
  presentHistory,
  recordViews,
  rollUp,
  slowLimit,
  startMinuteWriter,
} from '../../src/monitoring/index.ts';
import type { MinuteTables } from '../../src/monitoring/minutes/minute-tables.ts';
import {
  type Database,
  type LeaseToken,
  migrateLeases,
  openDatabase,
  takeLease,
  createSharedClock,
} from '../../src/storage/index.ts';
import { databasesByTier } from '../support/databases.ts';
import { refused } from '../support/refused.ts';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const NOON = Date.UTC(2026, 10, 26, 12) * 1000;
const DAY = { minutesMicros: 48 * HOUR, hoursMicros: 90 * 24 * HOUR };
const ARM = { endpoint: 'eta', variant: 'stable', version: 1, arm: 'a1', revision: 3, hasUnits: true };

describe.each(databasesByTier('minutes'))('minutes on $name', (databases) => {
  const opened: Database[] = [];
  const clock = { at: NOON, nowMicros: (): number => clock.at };
  const open = async (url: string): Promise<Database> => {
    const database = await openDatabase(url);
    opened.push(database);
    return database;
  };
  const openNew = async (): Promise<Database> => open(await databases.newUrl());
  const serve = (database: Database, server: string) => {
    const shared = createSharedClock(database, clock);
    const collector = createMinuteCollector(shared.now);
    const given = { database, collector, clock: shared, server, logger: silentLogger, tickMs: 0 };
    return { collector, writer: startMinuteWriter(given) };
  };
  /** A request of one row. */
  const answer = (
    { collector }: Pick<ReturnType<typeof serve>, 'collector'>,
    { unit = 0, latency = 1000, hasNull = false, arm = {} } = {},
  ): void => {
    const series = collector.arm({ ...ARM, ...arm });
    series.row(latency, hasNull, unit);
    series.answered(latency, 1);
  };
  const read = async (database: Database, fromMicros = 0): Promise<readonly MinuteRow[]> =>
    (await openMinutes(database, clock)).read({ endpoint: 'eta', fromMicros });
  const hold = async (database: Database, holder = 'test'): Promise<LeaseToken> => {
    await migrateLeases(database);
    const lease = await takeLease(database, { name: 'roll up', holder, ttlMs: 60_000 });
    if (lease === undefined) throw new Error('another has it');
    return lease;
  };
  const roll = async (database: Database, held: LeaseToken, kept = DAY): Promise<void> =>
    rollUp({ database, clock: createSharedClock(database, clock), ...kept }, held, new AbortController().signal);
  const ask = async (database: Database, question: Partial<Parameters<Awaited<ReturnType<typeof openHistory>>>[0]>) =>
    presentHistory(await (await openHistory(database, clock))({ step: 'minute', ...question })) as {
      series: (Record<'endpoint' | 'variant' | 'view', string | null> & { points: Record<string, unknown>[] })[];
    };

  beforeAll(() => databases.start());
  afterEach(async () => {
    vi.useRealTimers();
    clock.at = NOON;
    for (const database of opened.splice(0)) await database.close();
  });
  afterAll(() => databases.stop());

  it('are whole rows: what was written before is in what is written next', async () => {
    const database = await openNew();
    const server = serve(database, 's1');
    for (let i = 0; i < 3; i++) {
      answer(server, { unit: 7 + i, hasNull: i === 0 });
      clock.at += SECOND;
      await server.writer.flush();
      await server.writer.flush();
    }
    const [row, ...others] = await read(database);
    expect(others).toEqual([]);
    expect(row).toMatchObject({ minute: NOON, writer: 's1', requests: 3, rows: 3, nulls: 1, revision: 3 });
    expect(row?.latency).toMatchObject({ sumMicros: 3000, maxMicros: 1000 });
  });

  it('are held while the database is away, and written when it is back', async () => {
    const database = await openNew();
    let isAway = true;
    const away: Database = {
      ...database,
      transaction: (work, options) =>
        isAway ? Promise.reject(new Error('away')) : database.transaction(work, options),
    };
    const server = serve(away, 's1');
    for (let minute = 0; minute < 50; minute++) {
      clock.at = NOON + minute * MINUTE;
      answer(server);
      await server.writer.flush();
    }
    expect(server.writer.figures()).toEqual({ waiting: 50, dropped: 0 });
    isAway = false;
    // The clock may be set on meanwhile: nothing goes for that.
    clock.at += 5 * HOUR;
    await server.writer.flush();
    expect(server.writer.figures()).toEqual({ waiting: 0, dropped: 0 });
    const rows = await read(database);
    expect(rows.map(({ minute }) => (minute - NOON) / MINUTE)).toEqual(Array.from({ length: 50 }, (_, at) => at));
  });

  it('that were held for over an hour go, and are counted', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const database = await openNew();
    const away: Database = { ...database, transaction: () => Promise.reject(new Error('away')) };
    const server = serve(away, 's1');
    answer(server);
    const figures = [];
    for (const passedMs of [0, 3_600_000, 1]) {
      vi.advanceTimersByTime(passedMs);
      await server.writer.flush();
      figures.push(server.writer.figures());
    }
    const held = { waiting: 1, dropped: 0 };
    expect(figures).toEqual([held, held, { waiting: 0, dropped: 1 }]);
  });

  it('tell which servers are late with theirs', async () => {
    const database = await openNew();
    const [quick, slow] = [serve(database, 'quick'), serve(database, 'slow')];
    for (const { writer } of [quick, slow]) await writer.flush();
    const minutes = await openMinutes(database, clock);
    const live = ['quick', 'slow', 'new', 'mute'].map((id) => ({
      id,
      startedMicros: id === 'new' ? NOON + 30 * SECOND : NOON - HOUR,
    }));
    clock.at = NOON + 31 * SECOND;
    await quick.writer.flush();
    expect(await minutes.late(live)).toEqual([
      { id: 'mute', throughMicros: NOON - HOUR, lateMicros: HOUR + 31 * SECOND },
      { id: 'slow', throughMicros: NOON, lateMicros: 31 * SECOND },
    ]);
    await slow.writer.flush();
    expect((await minutes.late(live)).map(({ id }) => id)).toEqual(['mute']);
  });

  it('count what is slow by the limit that servers are told', async () => {
    const database = await openNew();
    const server = serve(database, 's1');
    server.collector.setRollouts(['eta']);
    const minutes = await openMinutes(database, clock);
    await server.writer.flush();
    answer(server, { latency: 9000, unit: 1 });
    await minutes.setSlowLimit('eta', 5000);
    await server.writer.flush();
    answer(server, { latency: 5000, unit: 2 });
    answer(server, { latency: 5001, unit: 3 });
    await minutes.setSlowLimit('eta', undefined);
    await server.writer.flush();
    answer(server, { latency: 9000, unit: 4 });
    await server.writer.flush();
    expect((await read(database)).map(({ slow, slowMicros }) => [slow, slowMicros])).toEqual([[1, 5000]]);
  });

  it('give the limit of what is slow: 1.25 times the p99 of ten minutes, once there are three', async () => {
    const database = await openNew();
    const server = serve(database, 's1');
    const limits: (number | undefined)[] = [];
    for (let minute = 0; minute < 20; minute++) {
      clock.at = NOON + minute * MINUTE;
      await server.writer.flush();
      limits.push(slowLimit(await read(database), clock.at));
      for (let i = 1; i <= 200; i++) answer(server, { latency: minute < 10 ? 10_000 + i : 100_000 });
    }
    expect(limits.slice(0, 3)).toEqual([undefined, undefined, undefined]);
    for (const limit of limits.slice(3, 10)) {
      expect(limit).toBeGreaterThan(1.25 * 10_198 * 0.98);
      expect(limit).toBeLessThan(1.25 * 10_198 * 1.04);
      expect(limit).toBe(limits[3]);
    }
    // From the eleventh on there are slower ones among the ten.
    expect(limits[11]).toBeGreaterThan(100_000);
  });

  it('become hours, with rows that come late', async () => {
    const url = await databases.newUrl();
    const database = await open(url);
    const [first, second] = [serve(database, 's1'), serve(await open(url), 's2')];
    for (const minute of [0, 1, 59]) {
      clock.at = NOON + minute * MINUTE;
      answer(first, { latency: 1000 * (minute + 1) });
      answer(second, { arm: { arm: 'a2', revision: 4 } });
    }
    await first.writer.flush();
    const held = await hold(database);
    clock.at = NOON + HOUR + MINUTE;
    answer(first);
    await first.writer.flush();
    await roll(database, held);
    const hours = async () => {
      const { series } = await ask(database, { step: 'hour', endpoint: 'eta', from: NOON });
      return series.map(
        ({ variant, points }) => `${variant}: ${points.map(({ at, rows }) => [at, rows].join(' ')).join(', ')}`,
      );
    };
    const [noon, one] = ['2026-11-26T12:00:00Z', '2026-11-26T13:00:00Z'];
    // The hour under way is read from its minutes.
    expect(await hours()).toEqual([`stable: ${noon} 3, ${one} 1`]);
    clock.at += 10 * MINUTE;
    await roll(database, held);
    await second.writer.flush();
    clock.at += 10 * MINUTE;
    await roll(database, held);
    expect(await hours()).toEqual([`stable: ${noon} 6, ${one} 1`]);
    const rows = await database.tables<MinuteTables>().selectFrom('monitoring_hours').selectAll().execute();
    expect(rows).toMatchObject([{ kind: 'arm', name: 'eta', hour: NOON, rows: 6 }]);
  });

  it('go after their time, hours later, and none that its hour lacks', async () => {
    const database = await openNew();
    const server = serve(database, 's1');
    const held = await hold(database);
    for (let hour = 0; hour < 5; hour++) {
      clock.at = NOON + hour * HOUR;
      answer(server);
      await server.writer.flush();
    }
    const kept = { minutesMicros: 2 * HOUR, hoursMicros: 3 * HOUR };
    await roll(database, held, kept);
    const tables = database.tables<MinuteTables>();
    const minutes = await tables.selectFrom('monitoring_minutes').select('minute').orderBy('minute').execute();
    expect(minutes.map(({ minute }) => (minute - NOON) / HOUR)).toEqual([2, 3, 4]);
    const hours = await tables.selectFrom('monitoring_hours').select('hour').orderBy('hour').execute();
    expect(hours.map(({ hour }) => (hour - NOON) / HOUR)).toEqual([1, 2, 3]);
  });

  it('are rolled up by nobody who has lost the lease', async () => {
    const database = await openNew();
    const server = serve(database, 's1');
    answer(server);
    await server.writer.flush();
    clock.at += 2 * HOUR;
    const stale = await hold(database);
    const leases = database.tables<{ headrace_leases: { until: number } }>();
    await leases.updateTable('headrace_leases').set({ until: 0 }).execute();
    const current = await hold(database, 'another');
    await roll(database, stale);
    const hours = async () => database.tables<MinuteTables>().selectFrom('monitoring_hours').select('hour').execute();
    expect(await hours()).toEqual([]);
    await roll(database, current);
    expect(await hours()).toHaveLength(1);
  });

  it('are told as series: endpoints, their arms, services and views', async () => {
    const database = await openNew();
    const server = serve(database, 's1');
    for (const minute of [0, 1]) {
      clock.at = NOON + minute * MINUTE;
      answer(server, { latency: 2000 });
      answer(server, { latency: 9000, hasNull: true, arm: { variant: 'candidate', version: 2 } });
      server.collector.tick();
      const endpoint = server.collector.endpoint('eta');
      endpoint.answered(2000, 1);
      endpoint.answered(9000, 1);
      endpoint.failed('rejected', 0);
      server.collector.endpoint('other').answered(500, 2);
      server.collector.service('features').answered(700, 5);
      const reading = { view: 'traffic', version: 'v1', freshnessSeconds: 60 * minute, coverage: 0.5, uncovered: 2 };
      await recordViews(database, [reading], clock.at);
    }
    await server.writer.flush();
    clock.at += MINUTE;
    const all = await ask(database, {});
    const named = all.series.map(({ points, ...names }) => {
      expect(Object.keys(names)).toEqual(['endpoint', 'variant', 'service', 'view', 'version']);
      const told = Object.entries(names).flatMap(([key, name]) => (name === null ? [] : [`${key} ${name}`]));
      return `${told.join(', ')}: ${points.length}`;
    });
    expect(named).toEqual([
      'endpoint eta: 2',
      'endpoint other: 2',
      'endpoint eta, variant candidate, version 2: 2',
      'endpoint eta, variant stable, version 1: 2',
      'service features: 2',
      'view traffic, version v1: 2',
    ]);
    expect(all.series[0]?.points[0]).toMatchObject({ at: '2026-11-26T12:00:00Z', requests: 2, rows: 2, rejected: 1 });
    // Counted of arms alone: of an endpoint a 0 would say that there were none.
    expect(all.series[0]?.points[0]).toMatchObject({ nulls: null, slow: null, breaker_opens: null });
    const candidate = all.series[2]?.points[1] ?? {};
    expect(candidate).toMatchObject({ at: '2026-11-26T12:01:00Z', requests: 1, rows: 1, nulls: 1, errors: 0, slow: 0 });
    for (const name of ['p50_ms', 'p90_ms', 'p99_ms']) expect(candidate[name]).toBeCloseTo(9, 0);
    const reading = { freshness_seconds: 60, coverage: 0.5, uncovered_cuts: 2 };
    expect(all.series.at(-1)?.points[1]).toEqual({ at: '2026-11-26T12:01:00Z', ...reading });
    const names = async (question: Parameters<typeof ask>[1]) =>
      (await ask(database, question)).series.map(({ endpoint, variant, view }) => endpoint ?? view ?? variant);
    expect(await names({ endpoint: 'eta' })).toEqual(['eta', 'eta', 'eta']);
    expect(await names({ endpoint: 'eta', arm: 'candidate' })).toEqual(['eta']);
    // However long ago it is: what is read is where there are rows.
    expect(await names({ endpoint: 'eta', from: 0, to: 4 * NOON })).toEqual(['eta', 'eta', 'eta']);
    expect(await names({ view: 'traffic' })).toEqual(['traffic']);
    expect(await names({ from: NOON + MINUTE, to: NOON + MINUTE + 1, endpoint: 'other' })).toEqual(['other']);
    // Of services and views nothing is told to whoever may see some endpoints alone.
    expect(await names({ maySee: (name) => name === 'other' })).toEqual(['other']);
  });

  it('are refused as series where they are too many, or the stretch is empty', async () => {
    const database = await openNew();
    const server = serve(database, 's1');
    for (let minute = 0; minute < 4; minute++) {
      clock.at = NOON + minute * MINUTE;
      server.collector.tick();
      for (const name of ['eta', 'other', 'third']) server.collector.endpoint(name).answered(500, 1);
    }
    await server.writer.flush();
    const history = await openHistory(database, clock, 10);
    await refused(
      history({ step: 'minute' }),
      'HR_INVALID',
      'there are 12 points, and an answer has 10 at most: ask for a shorter stretch',
    );
    expect((await history({ step: 'minute', endpoint: 'eta' })).series).toHaveLength(1);
    expect((await history({ step: 'minute', from: NOON + MINUTE })).series).toHaveLength(3);
    await refused(ask(database, { from: NOON, to: NOON }), 'HR_INVALID');
  });

  it('keep of views the worst of an hour', async () => {
    const database = await openNew();
    const held = await hold(database);
    for (const [minute, freshnessSeconds] of [null, 50, 20].entries()) {
      const coverage = minute === 1 ? 0.5 : 1;
      const reading = { view: 'traffic', version: 'v1', freshnessSeconds, coverage, uncovered: minute };
      await recordViews(database, [reading], NOON + minute * MINUTE);
    }
    clock.at = NOON + HOUR + MINUTE;
    await roll(database, held);
    const { series } = await ask(database, { step: 'hour', view: 'traffic' });
    const worst = { freshness_seconds: 50, coverage: 0.5, uncovered_cuts: 2 };
    expect(series[0]?.points).toEqual([{ at: '2026-11-26T12:00:00Z', ...worst }]);
  });
});
