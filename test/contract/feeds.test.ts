// The feeds' tables on each database: where each stands, which parts of it cuts have, and what of that is true at another place.

import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openQuarantine, type ReleaseBatch } from '../../src/checks/index.ts';
import { migrateEventLog } from '../../src/events/index.ts';
import { feedRows, openFeeds } from '../../src/ingestion/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';

type Feeds = Awaited<ReturnType<typeof openFeeds>>;
const ID = { source: 's', feed: 'f' };

describe.each(testDatabases('feeds'))('feeds on $name', (databases) => {
  let database: Database;
  let feeds: Feeds;
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    database = await openDatabase(await databases.newUrl());
    await migrateEventLog(database);
    feeds = await openFeeds(database);
  });
  afterEach(() => database.close());

  const shipped = (writer: number, cut: number): Promise<unknown> =>
    sql`insert into event_writers (number, token, machine, state, holder, cut, shipped, registered_micros, seen_micros) values (${writer}, 't', 'm', 'open', 1, ${cut}, ${cut}, 1, 1) on conflict (number) do update set shipped = ${cut}`.execute(
      database.tables(),
    );
  /** Which writer's cuts have which part, as `writer first-next`; 0 for what is shipped. */
  const rows = async (): Promise<string[]> => {
    const found = sql<{ part: string }>`select writer || ' ' || first || '-' || next as part from feed_cuts
      where source = 's' and feed = 'f' order by first`;
    return (await found.execute(database.tables())).rows.map(({ part }) => part);
  };
  const restored = async (): Promise<number | undefined> => {
    await database.transaction<unknown, void>(async (trx) => feedRows.settle?.(trx));
    return feeds.position(ID);
  };

  it('begin once, and never go back', async () => {
    expect(await feeds.position(ID)).toBeUndefined();
    expect(await Promise.all([feeds.begin(ID, 5, 1), feeds.begin(ID, 5, 1)])).toEqual([5, 5]);
    expect(await feeds.begin(ID, 9, 1)).toBe(5);
    await feeds.advance(ID, 9_007_199_254_740, 1);
    await feeds.advance(ID, 7, 1);
    expect(await feeds.position(ID)).toBe(9_007_199_254_740);
  });

  it('know which cuts have what, and keep few rows of what is shipped', async () => {
    await feeds.begin(ID, 5, 1);
    await shipped(1, 1);
    await feeds.note(ID, { writer: 1, cut: 1 }, [{ first: 5, next: 10 }]);
    await feeds.note(ID, { writer: 1, cut: 2 }, [{ first: 10, next: 20 }]);
    await feeds.note(ID, { writer: 2, cut: 1 }, [
      { first: 20, next: 30 },
      { first: 40, next: 50 },
    ]);
    expect(await rows()).toEqual(['0 5-10', '1 10-20', '2 20-30', '2 40-50']);
    const isNoted = (at: number) => feeds.isNoted(ID, at, { writer: 1, cut: 2 });
    expect(await Promise.all([5, 9, 20, 45].map(isNoted))).toEqual([true, true, true, true]);
    expect(await Promise.all([4, 10, 19, 30].map(isNoted))).toEqual([false, false, false, false]);
    await shipped(1, 2);
    await shipped(2, 1);
    // Again, by whoever settles.
    await feeds.note(ID, { writer: 2, cut: 1 }, [{ first: 20, next: 30 }]);
    expect(await rows()).toEqual(['0 5-30']);
  });

  it('stand at another place where what is shipped ends', async () => {
    await feeds.begin(ID, 5, 1);
    await feeds.advance(ID, 100, 1);
    expect(await restored()).toBe(5);
    await feeds.advance(ID, 100, 1);
    await shipped(1, 1);
    await feeds.note(ID, { writer: 1, cut: 1 }, [{ first: 5, next: 10 }]);
    await feeds.note(ID, { writer: 1, cut: 2 }, [{ first: 10, next: 20 }]);
    expect(await restored()).toBe(10);
    expect(await rows()).toEqual(['0 5-10']);
  });

  it('of a release say whether it is to be done again', async () => {
    const quarantine = await openQuarantine(database, { maxBytes: 1e6 });
    await shipped(1, 1);
    const release = async (id: string): Promise<string> => {
      await quarantine.hold([{ id, source: 's', row: '{"é":1}', reasons: [], arrivedMicros: 1 }]);
      const [batch] = await quarantine.beginRelease('s');
      const { key } = batch as ReleaseBatch;
      await feeds.begin({ source: 's', feed: key }, 0, 1);
      await quarantine.finishRelease(key, { at: 2, by: 'me', reason: 'why' });
      return key;
    };
    const [there, gone] = [await release('1'), await release('2')];
    await feeds.note({ source: 's', feed: there }, { writer: 1, cut: 1 }, [{ first: 0, next: 1 }]);
    await feeds.note({ source: 's', feed: gone }, { writer: 1, cut: 2 }, [{ first: 0, next: 1 }]);
    expect(await quarantine.list()).toEqual([]);
    await restored();
    expect(await quarantine.list()).toMatchObject([{ source: 's', rows: 1 }]);
    expect(await quarantine.beginRelease('s')).toMatchObject([{ key: gone, rows: [{ id: '2', row: '{"é":1}' }] }]);
  });
});
