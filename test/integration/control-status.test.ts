// What is told of the data behind views: how old it is, what waits for a run, what came to nothing.

import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { viewMetrics, type ViewStatus, type ViewStatusDeps, viewStatuses } from '../../src/control/index.ts';
import { formatTimestamp, HeadraceError, MICROS_PER_DAY, MICROS_PER_HOUR, silentLogger } from '../../src/core/index.ts';
import { versionsOf } from '../../src/definitions/index.ts';
import { openEventLog } from '../../src/events/index.ts';
import { materialize } from '../../src/offline/index.ts';
import { openRuns } from '../../src/online/index.ts';
import { openObjectStore } from '../../src/storage/index.ts';
import { NOW, openPushesWorld, type PushesWorld, sale } from '../support/materialize-pushes.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { refused } from '../support/refused.ts';

const HOUR = MICROS_PER_HOUR;
const PLACE = { project: 'sales', url: 'lmdb:here' };
const [kind] = onlineStoreKinds();

describe.skipIf(kind === undefined)('the status of a view', () => {
  let world: PushesWorld;
  beforeEach(async () => {
    world = await openPushesWorld(kind as NonNullable<typeof kind>);
    await world.file('sales.parquet', [sale('a', NOW - 2 * HOUR, 1)]);
  });
  afterEach(() => world.close());
  const statusOf = async (view: string, other: Partial<ViewStatusDeps> = {}): Promise<ViewStatus> => {
    const { log, store, clock, deps } = world;
    const runs = await openRuns(deps.database);
    const read = { isCurrent: true, missing: null, readBy: [], unreadSinceMicros: null };
    const versions = versionsOf(deps.definitions).map((live) => ({ live, ...read }));
    const given = { versions, runs, log, store, storePlace: PLACE, applied: 'sales', nowMicros: clock.now };
    const statuses = await viewStatuses({ ...given, ...other });
    return statuses.find((status) => status.view === view) as ViewStatus;
  };

  /** A run of a store that does not answer. */
  const failRun = async (): Promise<void> => {
    const marks = () => Promise.reject(new HeadraceError('HR_ONLINE_UNAVAILABLE', 'away'));
    const store = { ...world.store, marks };
    await refused(materialize({ ...world.deps, store }, { incremental: true, dryRun: false }), 'HR_ONLINE_UNAVAILABLE');
    expect((await statusOf('sold')).failed).toMatchObject({ error: 'HR_ONLINE_UNAVAILABLE: away' });
  };

  it('tells of no data before the first run, and how old it is after', async () => {
    const nothing = { newest_event: null, last_run: null, last_look: null, boundary: null, coverage: [] };
    expect(await statusOf('sold')).toMatchObject(nothing);
    await world.run();
    world.clock.now += HOUR;
    expect(await statusOf('sold')).toMatchObject({
      view: 'sold',
      source: 'sales',
      freshness: 'live',
      newest_event: { at: formatTimestamp(NOW - 2 * HOUR), age_seconds: 3 * 3600 },
      last_run: { as_of: formatTimestamp(NOW), finished: { age_seconds: 3600 }, keys: 1, full: true },
      last_look: { age_seconds: 3600 },
      running: null,
      failed: null,
      boundary: formatTimestamp(NOW - 2 * HOUR),
      marks: [{ node: 'lmdb', run: expect.any(Number) }],
    });
  });

  it('tells of another project by what is applied, not by what a version that is kept was of', async () => {
    await world.run();
    const store = { marks: async () => [{ node: 'lmdb', run: undefined }] };
    const lacksWith = async (other: Partial<ViewStatusDeps>) =>
      (await statusOf('sold', { store, ...other })).store_lacks;
    const moved = { project: 'shop', url: 'lmdb:here' };
    expect((await lacksWith({ storePlace: moved, applied: 'shop' }))?.reason).not.toContain('are of project');
    expect((await lacksWith({ storePlace: moved, applied: 'shops' }))?.reason).toContain(
      'The definitions that are applied are of project "shops"',
    );
  });

  it('names the writers whose cuts wait for a run, but not for ever one that was forgotten', async () => {
    await world.run();
    await world.push(sale('a', NOW - HOUR, 2));
    const [own] = (await statusOf('sold')).coverage;
    expect(own).toMatchObject({ writer: 1, state: 'open', covered: 0, shipped: 0, open: 1, waiting: 0 });
    world.clock.now += HOUR;
    await world.run({ views: ['last'] });
    expect((await statusOf('sold')).coverage).toMatchObject([
      { writer: 1, covered: 0, shipped: 1, open: 2, waiting: 1 },
    ]);
    await world.run({ views: ['sold'] });
    // The cut that this run asked for is empty: nothing of it waits for another view.
    expect((await statusOf('last')).coverage).toMatchObject([
      { writer: 1, covered: 1, shipped: 2, open: 3, waiting: 0 },
    ]);
    expect((await statusOf('sold')).coverage).toMatchObject([{ writer: 1, covered: 2, waiting: 0 }]);
    expect((await statusOf('sold')).newest_event?.at).toBe(formatTimestamp(NOW - HOUR));
    const lost = await world.log.register();
    await lost.openCut(new Map());
    await lost.close();
    expect((await statusOf('sold')).coverage.map(({ writer }) => writer)).toEqual([1, 2]);
    await world.log.forget(2);
    expect((await statusOf('sold')).coverage.map(({ writer }) => writer)).toEqual([1]);
  });

  it('says why the newest run came to nothing', async () => {
    await world.run();
    const runs = await openRuns(world.deps.database);
    const [row] = await world.rowsOf('sold');
    if (row === undefined) throw new Error('no run');
    const { view, version, fingerprint } = row;
    const asked = { view, version, fingerprint, snapshot: [], proposed: NOW, asOf: NOW, carriesWaiting: true };
    const asking = await runs.ask({ ...asked, askedMicros: NOW });
    const { number } = asking;
    expect(await statusOf('sold')).toMatchObject({ running: { run: number, state: 'asked' }, failed: null });
    // One that finds nothing to do meanwhile says nothing of what becomes of this one.
    expect(await world.run({ views: ['sold'] })).toMatchObject([{ state: 'up-to-date' }]);
    await runs.abandon(asking, 'HR_STORAGE_FULL: no space');
    const expected = { running: null, failed: { run: number, error: 'HR_STORAGE_FULL: no space' } };
    expect(await statusOf('sold')).toMatchObject(expected);
  });

  it('names a server whose clock is ahead, by what it last told of itself', async () => {
    const { database } = world.deps;
    const clock = { nowMicros: () => world.clock.now + 2 * HOUR };
    const stores = {
      path: join(world.directory, 'ahead'),
      database,
      objects: openObjectStore(`file:${world.objects}`),
    };
    const ahead = await openEventLog({ ...stores, clock, logger: silentLogger });
    await world.log.register();
    await ahead.register();
    expect((await statusOf('sold')).coverage).toMatchObject([
      { writer: 1, clock_ahead_seconds: 0 },
      { writer: 2, clock_ahead_seconds: 7200 },
    ]);
    await ahead.close();
  });

  it('tells when a run last looked, though it found nothing to do, and wrote nothing', async () => {
    await world.run();
    const quiet = async () => {
      world.clock.now += HOUR;
      expect((await world.run()).map(({ state }) => state)).toEqual(['up-to-date', 'up-to-date']);
    };
    // Nobody is asked.
    await quiet();
    const [last_run, last_look] = [{ run: 1, finished: { age_seconds: 3600 } }, { age_seconds: 0 }];
    expect(await statusOf('sold')).toMatchObject({ last_run, last_look });
    // A server is asked, and has nothing.
    const writer = await world.log.register();
    await quiet();
    // Again nobody is.
    await writer.close();
    await world.log.forget(writer.writer);
    await quiet();
    world.clock.now += HOUR;
    const older = { last_run: { run: 1, finished: { age_seconds: 4 * 3600 } }, last_look: { age_seconds: 3600 } };
    expect(await statusOf('sold')).toMatchObject({ ...older, failed: null, marks: [{ run: 1 }] });
    expect(await viewMetrics([await statusOf('sold')])).toContain(
      'headrace_view_last_run_age_seconds{view="sold"} 3600\n',
    );
  });

  it('has no failed run any more once a later one found nothing to do', async () => {
    await world.run();
    world.clock.now += HOUR;
    await world.log.register();
    await failRun();
    world.clock.now += HOUR;
    await world.run();
    expect((await statusOf('sold')).failed).toBeNull();
  });

  it('has a failed run though another machine, whose clock is ahead, looked or finished before it', async () => {
    const fail = async () => {
      world.clock.now -= 2 * HOUR;
      await failRun();
      world.clock.now += 2 * HOUR;
    };
    await world.run();
    await world.log.register();
    await fail();
    expect((await world.run()).map(({ state }) => state)).toEqual(['up-to-date', 'up-to-date']);
    expect((await statusOf('sold')).failed).toBeNull();
    await fail();
  });

  it('is a metric of each view, and an age that is not known is left out', async () => {
    await world.run({ views: ['sold'] });
    await world.push(sale('a', NOW - HOUR, 2));
    world.clock.now += MICROS_PER_DAY;
    const text = await viewMetrics([await statusOf('sold'), await statusOf('last')]);
    expect(text).toContain('headrace_view_newest_event_age_seconds{view="sold"} 93600\n');
    expect(text).toContain('headrace_view_last_run_age_seconds{view="sold"} 86400\n');
    expect(text).toContain('headrace_view_run_failed{view="last"} 0\n');
    expect(text).toContain('headrace_view_uncovered_cuts{view="sold"} 0\n');
    expect(text).not.toContain('age_seconds{view="last"}');
  });
});
