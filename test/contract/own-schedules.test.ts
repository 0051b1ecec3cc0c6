// Views that are materialized by their own schedules, and gc by its, on every database: as pipelines are, once a time.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, parseTimestamp } from '../../src/core/index.ts';
import type { Manifest, ViewSpec } from '../../src/definitions/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { makeRuns } from '../../src/orchestrator/schedule/make-runs.ts';
import { ownPipeline } from '../../src/orchestrator/schedule/own-pipelines.ts';
import { openScheduleRows } from '../../src/orchestrator/schedule/schedule-rows.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { databasesByTier } from '../support/databases.ts';
import { flightsManifest } from '../support/manifests.ts';

const at = (text: string): number => parseTimestamp(text) ?? NaN;
const [base] = Object.values(flightsManifest.views);
const view = (name: string, times: Partial<ViewSpec>): ViewSpec => ({ ...(base as ViewSpec), name, ...times });
const berlin = { schedule: '30 2 * * *', timezone: 'Europe/Berlin' };

describe.each(databasesByTier('own schedules'))('on $name', (databases) => {
  let now = 0;
  const clock: Clock = { nowMicros: () => now };
  let opened: Database[] = [];
  const open = async (database: Database) => ({
    store: await openRunStore(database, clock),
    schedules: await openScheduleRows(database),
  });
  type Looker = Awaited<ReturnType<typeof open>>;
  let lookers: readonly Looker[] = [];
  let failed: string[] = [];

  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    const url = await databases.newUrl();
    opened = [await openDatabase(url), await openDatabase(url)];
    lookers = await Promise.all(opened.map(open));
    failed = [];
  });
  afterEach(async () => {
    for (const database of opened) await database.close();
  });

  type Wanted = { readonly views?: readonly ViewSpec[]; readonly gc?: string; readonly revision?: number };
  const lookOf = (looker: Looker, { views = [], gc, revision = 1 }: Wanted): Promise<void> => {
    const manifest: Pick<Manifest, 'pipelines' | 'views'> = {
      pipelines: {},
      views: Object.fromEntries(views.map((one) => [one.name, one])),
    };
    const own = gc === undefined ? {} : { gc: { schedule: gc, timezone: 'UTC' } };
    const onFailed = (name: string, reason: string) => failed.push(`${name}: ${reason}`);
    return makeRuns({ ...looker, ...own, clock, onFailed }, { revision, hash: 'h', manifest });
  };
  const look = async (time: string, wanted: Wanted): Promise<void> => {
    now = at(time);
    await Promise.all(lookers.map((looker) => lookOf(looker, wanted)));
  };
  const looks = async (views: readonly ViewSpec[], ...times: readonly string[]): Promise<void> => {
    for (const time of times) await look(time, { views });
  };
  const made = async (): Promise<string[]> =>
    ((await lookers[0]?.store.list({ limit: 1000 })) ?? [])
      .map(({ pipeline, tick }) => `${pipeline} ${new Date((tick ?? NaN) / 1000).toISOString().slice(0, 16)}`)
      .toSorted();

  it('a view is materialized once a time, by whoever looks, one at a time', async () => {
    const views = [view('sales', { schedule: '0 3 * * *' }), view('still', {})];
    await looks(views, '2026-01-01T12:00:00Z', '2026-01-02T03:00:01Z', '2026-01-02T03:00:02Z');
    expect(await made()).toEqual(['materialize:sales 2026-01-02T03:00']);
    const [run] = (await lookers[0]?.store.list()) ?? [];
    const { spec } = (await lookers[0]?.store.get(run?.id ?? ''))?.run ?? {};
    const steps = [{ action: { kind: 'materialize', views: ['sales'] } }];
    expect(spec).toMatchObject({ concurrency: 1, overlap: 'skip', steps });
    expect(failed).toEqual([]);
  });

  it('a time that a night skips is at the next instant, one that comes twice is once', async () => {
    const views = [view('sales', berlin)];
    const spring = ['03-28T12:00', '03-29T01:00', '03-29T01:30'];
    const autumn = ['10-24T12:00', '10-25T00:30', '10-25T01:30'];
    await looks(views, ...[...spring, ...autumn].map((time) => `2026-${time}:01Z`));
    expect(await made()).toEqual([
      'materialize:sales 2026-03-29T01:00',
      // Of half a year that nobody was there for, the last.
      'materialize:sales 2026-10-24T00:30',
      'materialize:sales 2026-10-25T00:30',
    ]);
  });

  it('after a week off the last time is made up for, or none', async () => {
    const views = [view('late', berlin), view('never', { ...berlin, catchUp: 'none' })];
    await looks(views, '2026-01-01T12:00:00Z', '2026-01-08T12:00:00Z');
    expect(await made()).toEqual(['materialize:late 2026-01-08T01:30']);
  });

  it('not twice where the clock is set back an hour, nor after it was a day ahead', async () => {
    const views = [view('sales', berlin)];
    const times = ['01T12:00', '02T01:30', '02T00:30', '02T01:30', '03T01:31', '02T01:31', '03T01:30'];
    await looks(views, ...times.map((time) => `2026-01-${time}:01Z`));
    expect(await made()).toEqual(['materialize:sales 2026-01-02T01:30', 'materialize:sales 2026-01-03T01:30']);
  });

  it('one that is removed between times has no more, and begins anew', async () => {
    const views = [view('sales', berlin)];
    await look('2026-01-01T12:00:00Z', { views });
    await look('2026-01-01T13:00:00Z', { views: [view('sales', {})], revision: 2 });
    await look('2026-01-02T12:00:00Z', { views: [], revision: 3 });
    await look('2026-01-03T12:00:00Z', { views, revision: 4 });
    await look('2026-01-04T01:30:01Z', { views, revision: 4 });
    expect(await made()).toEqual(['materialize:sales 2026-01-04T01:30']);
  });

  it('gc runs once a time, also beside one that is configured without it, or otherwise', async () => {
    const gc = '0 3 * * *';
    const [one, other] = lookers as [Looker, Looker];
    for (const time of ['01T12:00:00', '01T18:00:00', '02T03:00:01', '02T03:00:02']) {
      now = at(`2026-01-${time}Z`);
      await lookOf(one, { gc });
      await lookOf(other, {});
    }
    expect(await made()).toEqual(['headrace:gc 2026-01-02T03:00']);
    for (const time of ['02T12:00:00', '03T03:00:01', '03T04:00:01']) {
      now = at(`2026-01-${time}Z`);
      await lookOf(one, { gc });
      await lookOf(other, { gc: '0 4 * * *' });
    }
    expect((await made()).slice(1)).toEqual(['headrace:gc 2026-01-03T03:00', 'headrace:gc 2026-01-03T04:00']);
  });

  it('they are found by their names, to be run by hand and resumed', () => {
    const views = { sales: view('sales', {}) };
    const [own, gc] = ['materialize:sales', 'headrace:gc'].map((name) => ownPipeline({ views }, name)?.steps[0]);
    expect(own?.action).toEqual({ kind: 'materialize', views: ['sales'] });
    expect(gc).toMatchObject({ action: { kind: 'gc' }, executor: 'local' });
    for (const name of ['materialize:gone', 'materialize:constructor', 'sales'])
      expect(ownPipeline({ views }, name)).toBeUndefined();
  });
});
