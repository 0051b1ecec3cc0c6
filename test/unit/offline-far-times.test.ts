// Times beyond what a double tells to the microsecond (the year 2255), and those that never come: a training set and the
// online store say the same of them.

import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixedClock, HeadraceError, toJson } from '../../src/core/index.ts';
import { openOnlineStore } from '../../src/online/index.ts';
import { fields, openOfflineWorld, type OfflineWorld, TYPES } from '../support/offline-world.ts';
import { materializeView, oneView, readOnline, trainedRows } from '../support/one-view.ts';

const NOW = Date.UTC(2023, 5) * 1000;
const clock = fixedClock(NOW);
const COLUMNS = fields({ key: TYPES.string, at: TYPES.timestamp, known: TYPES.timestamp, until: TYPES.timestamp });

let world: OfflineWorld;
beforeEach(async () => {
  world = await openOfflineWorld();
});
afterEach(() => world.close());

interface Times {
  readonly at?: string;
  readonly known?: string;
  readonly until?: string;
}

/** Of rows with a key each, `until` as text in a training set and online; the code of the error where that is refused. */
async function untilOf(rows: readonly Times[]) {
  const file = (name: string): string => join(world.directory, `${name}.parquet`);
  const { connection, deps, directory } = world;
  const events = rows.map(({ at = '2023-01-01', known = '2023-01-01', until = '2023-01-01' }, i) => {
    return `('${i}', ${[at, known, until].map((time) => `TIMESTAMP '${time}'`).join(', ')})`;
  });
  await connection.run(`COPY (FROM (VALUES ${events.join(', ')}) t(key, "at", known, until)) TO '${file('events')}'`);
  await connection.run(
    `COPY (SELECT i::VARCHAR AS id, make_timestamp(${NOW}) AS t FROM range(${rows.length}) r(i)) TO '${file('spine')}'`,
  );
  const manifest = oneView(file('events'), COLUMNS);

  const offline = async () => {
    const set = await trainedRows(world, manifest, file('spine'));
    const text = `strftime(v__until, '%Y-%m-%dT%H:%M:%S.%fZ')`;
    const read = await connection.runAndReadAll(`SELECT ${text} FROM '${set.file}' ORDER BY id`);
    return read.getRows().map(([until]) => until);
  };
  const online = async () => {
    const store = await openOnlineStore(`lmdb:${join(directory, 'online')}`, { project: 'test', clock });
    try {
      await materializeView(world, manifest, store, clock);
      const reads = rows.map((_, i) => readOnline(deps.database, manifest, store, String(i), NOW));
      return (await Promise.all(reads)).map(({ values: [until = null] }) => toJson(TYPES.timestamp, until));
    } finally {
      await store.close();
    }
  };
  return { offline: await orCode(offline()), online: await orCode(online()) };
}

const orCode = <T>(work: Promise<T>): Promise<T | string> =>
  work.catch((error: unknown) => {
    if (error instanceof HeadraceError) return error.code;
    throw error;
  });

describe('a time that is far off', () => {
  it('leaves its row out as an event time and as a known time, offline and online', async () => {
    const far = [{ at: '0900-01-01' }, { at: 'infinity' }, { at: '-infinity' }, { known: '9999-12-31' }];
    const { offline, online } = await untilOf([{ until: '2255-01-01 00:00:00.000001' }, ...far]);
    expect(offline).toEqual(['2255-01-01T00:00:00.000001Z', null, null, null, null]);
    expect(online).toEqual(offline);
  });

  it.fails('is exact as a value, to the end of the year 9999, offline and online (datapath/T1)', async () => {
    const is = ['9999-12-31T23:59:59.999999Z'];
    expect(await untilOf([{ until: '9999-12-31 23:59:59.999999' }])).toEqual({ offline: is, online: is });
  });

  it.fails('is the same value offline and online where it never comes (datapath/T1)', async () => {
    const { offline, online } = await untilOf([{ until: 'infinity' }]);
    expect(online).toEqual(offline);
  });
});
