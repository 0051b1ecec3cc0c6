// Runs that schedules owe, on every database: one a tick, from when a schedule is first seen, whatever clocks do.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, parseTimestamp } from '../../src/core/index.ts';
import type { PipelineSpec } from '../../src/definitions/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { RunStore } from '../../src/orchestrator/rows/run-store.ts';
import { makeRuns } from '../../src/orchestrator/schedule/make-runs.ts';
import { openScheduleRows, type ScheduleRows } from '../../src/orchestrator/schedule/schedule-rows.ts';
import { createRunStarter, type TakenRun } from '../../src/orchestrator/schedule/start-runs.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { batchOf, newRun, passLeases, pipeline } from '../support/run-rows.ts';

const at = (text: string): number => parseTimestamp(text) ?? NaN;
const shown = (micros: number | null): string => new Date((micros ?? NaN) / 1000).toISOString().slice(0, 16);
const nightly: PipelineSpec = { ...pipeline, name: 'nightly', schedule: '0 3 * * *', timezone: 'Europe/Berlin' };

describe.each(testDatabases('schedules'))('on $name', (databases) => {
  let now = 0;
  const clock: Clock = { nowMicros: () => now };
  let opened: Database[] = [];
  let store: RunStore;
  let schedules: ScheduleRows;
  let failed: string[];

  beforeAll(() => databases.start());
  afterEach(async () => {
    for (const database of opened) await database.close();
  });
  afterAll(() => databases.stop());
  let url = '';
  const open = async () => {
    const database = await openDatabase(url);
    opened.push(database);
    return { database, store: await openRunStore(database, clock), schedules: await openScheduleRows(database) };
  };
  beforeEach(async () => {
    url = await databases.newUrl();
    opened = [];
    failed = [];
    ({ store, schedules } = await open());
  });

  const look = (
    time: string,
    pipelines: readonly PipelineSpec[] = [nightly],
    revision = 1,
    of = { store, schedules },
  ) => {
    now = at(time);
    const manifest = { pipelines: Object.fromEntries(pipelines.map((one) => [one.name, one])) };
    const onFailed = (name: string, reason: string): unknown => failed.push(`${name}: ${reason}`);
    return makeRuns({ ...of, clock, onFailed }, { revision, hash: 'h', manifest });
  };
  const ticks = async (): Promise<string[]> => (await store.list()).map(({ tick }) => shown(tick)).toSorted();

  describe('runs are made', () => {
    it('from when a schedule is first seen, once a tick, by whoever looks', async () => {
      const other = await open();
      await look('2026-01-01T12:00:00Z');
      expect(await ticks()).toEqual([]);
      await look('2026-01-02T01:59:59Z');
      expect(await ticks()).toEqual([]);
      await Promise.all([look('2026-01-02T02:00:01Z'), look('2026-01-02T02:00:01Z', [nightly], 1, other)]);
      await look('2026-01-02T02:00:02Z');
      expect(await ticks()).toEqual(['2026-01-02T02:00']);
      expect((await store.list())[0]).toMatchObject({ pipeline: 'nightly', state: 'queued', driver: null });
    });

    it('late: the latest, all of them in parts, or none', async () => {
      const pipelines = [
        nightly,
        { ...nightly, name: 'every', catchUp: 'all' as const, schedule: '0 * * * *' },
        { ...nightly, name: 'never', catchUp: 'none' as const },
      ];
      await look('2026-01-01T12:00:00Z', pipelines);
      for (let looks = 0; looks < 4; looks++) await look('2026-01-11T12:00:30Z', pipelines);
      const of = async (name: string) =>
        (await store.list({ pipeline: name, limit: 1000 })).map(({ tick }) => shown(tick));
      expect(await of('nightly')).toEqual(['2026-01-11T02:00']);
      expect(await of('never')).toEqual([]);
      expect(new Set(await of('every')).size).toBe(240);
      expect(await of('every')).toHaveLength(240);
    });

    it('not twice where the clock is set back, and again once it was far ahead', async () => {
      await look('2026-01-01T12:00:00Z');
      await look('2026-01-02T02:00:01Z');
      await look('2026-01-01T20:00:00Z');
      await look('2026-01-02T02:00:01Z');
      expect(await ticks()).toEqual(['2026-01-02T02:00']);
      await look('2027-06-01T12:00:00Z');
      await look('2026-01-02T12:00:00Z');
      await look('2026-01-03T02:00:01Z');
      expect(await ticks()).toEqual(['2026-01-02T02:00', '2026-01-03T02:00', '2027-06-01T01:00']);
    });

    it('of another schedule from when that is seen; who knows older definitions changes nothing', async () => {
      await look('2026-01-01T12:00:00Z');
      const changed = { ...nightly, schedule: '0 11 * * *' };
      await look('2026-01-01T12:30:00Z', [changed], 2);
      await look('2026-01-01T12:40:00Z', [nightly], 1);
      await look('2026-01-02T10:00:01Z', [changed], 2);
      expect(await ticks()).toEqual(['2026-01-02T10:00']);
      await look('2026-01-03T12:00:00Z', [], 3);
      await look('2026-01-04T12:00:00Z', [changed], 4);
      await look('2026-01-04T12:00:01Z', [changed], 4);
      expect(await ticks()).toEqual(['2026-01-02T10:00']);
    });

    it('with the time as the parameter tick; one whose schedule is none is told, and the others are made', async () => {
      // Fields as they are compiled, without what runs do not read.
      const params = [{ name: 'tick', type: { kind: 'timestamp' } }] as unknown as PipelineSpec['params'];
      const pipelines = [
        { ...nightly, name: 'a', schedule: 'at night' },
        { ...nightly, name: 'b', params },
      ];
      await look('2026-01-01T12:00:00Z', pipelines);
      await look('2026-01-02T02:00:01Z', pipelines);
      const [made, ...more] = await store.list();
      expect(more).toEqual([]);
      const { params: given } = (await store.get(made?.id ?? '')).run;
      expect(parseTimestamp(String(given['tick']))).toBe(at('2026-01-02T02:00:00Z'));
      expect(failed).toEqual([expect.stringMatching(/^a: .*at night/)]);
    });
  });

  describe('runs are started', () => {
    const other = 'elsewhere/1/aa';
    const ended = (state: 'succeeded' | 'cancelled') => batchOf({ run: { state, error: null, endedAt: 7 } });
    let taken: TakenRun[];
    let cancelled: string[];
    let ends: (() => void)[];
    const starterOf = (atOnce = 10) =>
      createRunStarter({
        store,
        atOnce,
        async drive(run) {
          taken.push(run);
          await new Promise<void>((resolve) => ends.push(resolve));
        },
        onCancelled: (run, reason) => cancelled.push(`${run.id} ${reason}`),
      });
    beforeEach(() => {
      taken = [];
      cancelled = [];
      ends = [];
      now = 5;
    });
    const ids = (): string[] => taken.map(({ run }) => run.id);
    const lookUntil = async (starter: ReturnType<typeof starterOf>, count: number): Promise<void> => {
      await starter.look();
      await expect.poll(() => taken.length).toBe(count);
    };
    const queue = async (id: string, other: Partial<PipelineSpec> = {}): Promise<void> => {
      now += 1;
      await store.create(newRun(id, { pipeline: { ...pipeline, ...other }, tick: now }));
    };
    const end = async (id: string): Promise<void> => {
      const run = taken.find((one) => one.run.id === id);
      await store.flush(id, run?.hold.epoch ?? NaN, 1, ended('succeeded'));
    };

    it('the oldest first, as many as the pipeline and the scheduler take', async () => {
      for (const id of ['a', 'b', 'c']) await queue(id, { concurrency: 2 });
      for (const id of ['x', 'y']) await queue(id, { name: 'q' });
      const starter = starterOf(3);
      await lookUntil(starter, 3);
      expect(ids().toSorted()).toEqual(['a', 'b', 'x']);
      await end('a');
      ends[ids().indexOf('a')]?.();
      await expect.poll(async () => (await starter.look(), ids()[3])).toBe('c');
      for (const done of ends) done();
    });

    it('one that another took the last place from starts as soon as there is one', async () => {
      await queue('a', { concurrency: 1 });
      // It is seen to have a place.
      const due = await store.due();
      await queue('b', { concurrency: 1 });
      const { epoch } = await store.take('a', other);
      const queued = [{ pipeline: 'p', going: 0, runs: ['b'] }];
      const drive = async (run: TakenRun) => void taken.push(run);
      const seen = { ...store, due: async () => ({ ...due, queued }) };
      const stale = createRunStarter({ store: seen, atOnce: 10, drive, onCancelled: () => {} });
      await stale.look();
      await stale.idle();
      expect(taken).toEqual([]);
      await store.flush('a', epoch, 1, ended('succeeded'));
      await stale.look();
      await stale.idle();
      expect(ids()).toEqual(['b']);
    });

    it('one that comes while so many go on is skipped, and says why', async () => {
      await queue('a', { concurrency: 1, overlap: 'skip' });
      await queue('b', { concurrency: 1, overlap: 'skip' });
      await lookUntil(starterOf(), 1);
      const error = 'skipped: 1 run of p went on, and at most 1 may';
      expect((await store.get('b')).run).toMatchObject({ state: 'cancelled', error });
      const event = { kind: 'cancelled', message: expect.stringMatching(/skip/) };
      expect((await store.events('b')).at(-1)).toMatchObject(event);
      expect(cancelled).toEqual([expect.stringMatching(/^b skipped/)]);
      expect(await store.requestCancel('a', { onlyQueued: true })).toBe(false);
    });

    it('the oldest that goes on ends for a newer one', async () => {
      await queue('a', { concurrency: 1, overlap: 'cancel' });
      const { epoch } = await store.take('a', other);
      await queue('b', { concurrency: 1, overlap: 'cancel' });
      const starter = starterOf();
      await starter.look();
      await starter.look();
      expect(await store.look('a', epoch)).toBe('cancelled');
      expect((await store.get('b')).run.state).toBe('queued');
      await store.flush('a', epoch, 1, ended('cancelled'));
      await lookUntil(starter, 1);
      expect(ids()).toEqual(['b']);
    });

    it('those whose driver died go on; what somebody interrupted or is about to take is theirs', async () => {
      await queue('died');
      await store.take('died', other);
      await store.create(newRun('stopped'));
      await store.release('stopped', (await store.take('stopped', other)).epoch);
      await store.create(newRun('begins', { state: 'running' }));
      await queue('let-go');
      await store.release('let-go', (await store.take('let-go', other)).epoch);
      await passLeases(opened[0] as Database, 16_000);
      await lookUntil(starterOf(), 2);
      expect(taken.map(({ run, isTakenOver }) => `${run.id} ${isTakenOver}`)).toEqual(['died true', 'let-go false']);
    });
  });
});
