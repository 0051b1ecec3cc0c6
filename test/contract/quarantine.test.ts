// The quarantine's tables and the feeds' on each database: rows set apart come once, go once, are bounded, and a release that broke
// off is finished under the same key; where each feed stands, which parts of it cuts have, and what of that is true elsewhere.

import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  addReleases,
  type HeldRow,
  loadReleases,
  openQuarantine,
  type Quarantine,
  type ReleaseBatch,
} from '../../src/checks/index.ts';
import { migrateEventLog } from '../../src/events/index.ts';
import { feedRows, openFeeds } from '../../src/ingestion/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { refused } from '../support/refused.ts';

const row = (id: string, arrivedMicros = 5, source = 's'): HeldRow => ({
  id,
  source,
  row: `{"id":"${id}","big":9007199254740993}`,
  reasons: [{ rule: 'notNull(x)', column: 'x', message: 'expected a value, got null' }],
  arrivedMicros,
});
const ending = { at: 1_000_000, by: 'me', reason: 'why' };

const ID = { source: 's', feed: 'f' };

describe.each(testDatabases('the quarantine and feeds'))('on $name', (databases) => {
  let database: Database;
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    database = await openDatabase(await databases.newUrl());
  });
  afterEach(() => database.close());

  describe('the quarantine', () => {
    let quarantine: Quarantine;
    beforeEach(async () => {
      quarantine = await openQuarantine(database, { maxBytes: 1200 });
    });

    it('keeps rows once, the oldest first, by source', async () => {
      expect(await quarantine.hold([row('b', 7), row('a', 6)])).toEqual(['b', 'a']);
      expect(await quarantine.hold([row('a', 9), row('c', 8), row('o', 1, 'other')])).toEqual(['c', 'o']);
      expect(await quarantine.rows('s')).toEqual([row('a', 6), row('b', 7), row('c', 8)]);
      expect(await quarantine.rows('s', 1)).toEqual([row('a', 6)]);
      expect(await quarantine.list()).toMatchObject([
        { source: 'other', rows: 1 },
        { source: 's', rows: 3, oldestMicros: 6, newestMicros: 8 },
      ]);
      await quarantine.withdraw(['c']);
      expect((await quarantine.rows('s')).map(({ id }) => id)).toEqual(['a', 'b']);
    });

    it('keeps what fills it to the byte', async () => {
      const { row: text, reasons } = row('a');
      const bytes = Buffer.byteLength(text) + Buffer.byteLength(JSON.stringify(reasons));
      const exact = await openQuarantine(database, { maxBytes: 2 * bytes });
      expect(await exact.hold([row('a')])).toEqual(['a']);
      expect(await exact.hold([row('b')])).toEqual(['b']);
      await refused(exact.hold([row('c')]), 'HR_QUARANTINE_FULL');
    });

    it('has an end, at which it keeps none of what comes', async () => {
      const many = Array.from({ length: 9 }, (_, i) => row(`r${i}`));
      expect(await quarantine.hold(many)).toHaveLength(9);
      await expect(quarantine.hold([row('x'), row('y'), row('z'), row('r1')])).rejects.toMatchObject({
        code: 'HR_QUARANTINE_FULL',
      });
      expect(await quarantine.rows('s')).toHaveLength(9);
      expect(await quarantine.drop('s', ['r1', 'r2', 'nothing'], ending)).toBe(2);
      expect(await quarantine.hold([row('x'), row('r1')])).toEqual(['x']);
    });

    it('takes what many processes bring at once, each row once', async () => {
      const results = await Promise.all(Array.from({ length: 6 }, () => quarantine.hold([row('a'), row('b')])));
      expect(results.flat().toSorted()).toEqual(['a', 'b']);
    });

    it('gives a release that broke off again under its key, and then what else there is', async () => {
      await quarantine.hold([row('a'), row('b'), row('c')]);
      const [first] = await quarantine.beginRelease('s', ['a', 'b', 'nothing']);
      expect(first?.rows.map(({ id }) => id)).toEqual(['a', 'b']);
      expect(await quarantine.drop('s', ['a'], ending)).toBe(0);
      const again = await quarantine.beginRelease('s');
      expect(again).toEqual([first, { key: expect.not.stringMatching(first?.key as string), rows: [row('c')] }]);
      await quarantine.finishRelease(first?.key as string, ending);
      expect((await quarantine.rows('s')).map(({ id }) => id)).toEqual(['c']);
      // A repeat of the push that brought them.
      expect(await quarantine.hold([row('a'), row('b')])).toEqual([]);
      await quarantine.finishRelease(again[1]?.key as string, { ...ending, at: ending.at + 31 * 86_400_000_000 });
      expect(await quarantine.hold([row('a')])).toEqual(['a']);
    });

    it('remembers which rows of files were put back, and as of when', async () => {
      const columns = [{ name: 'x', type: { kind: 'int64' } }] as const;
      const putBack = (source: string, ...hashes: string[]): Promise<number> => {
        const rows = hashes.map((hash) => ({ hash, row: '{}' }));
        return addReleases(database, source, columns, rows, ending);
      };
      const none = await loadReleases(database);
      expect([none.last, none.of('s')]).toEqual([0, []]);
      expect(await putBack('s', '1', '1')).toBe(1);
      expect(await putBack('other', '9')).toBe(1);
      const before = await loadReleases(database);
      expect(await putBack('s', '1', '2')).toBe(1);
      const after = await loadReleases(database);
      expect([before.lastOf('s'), after.lastOf('s'), after.lastOf('nothing')]).toEqual([1, 3, 0]);
      expect(after.of('s')).toEqual([
        {
          columns,
          hashes: new Map([
            ['1', ending.at],
            ['2', ending.at],
          ]),
        },
      ]);
      expect((await loadReleases(database, before.last)).of('s')).toEqual([
        { columns, hashes: new Map([['1', ending.at]]) },
      ]);
    });
  });

  describe('feeds', () => {
    let feeds: Awaited<ReturnType<typeof openFeeds>>;
    beforeEach(async () => {
      await migrateEventLog(database);
      feeds = await openFeeds(database);
    });

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
});
