// The newest windows that scrapes are told: of an endpoint they are read again where windows have come, gone or been counted again,
// and not else.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNewestReports } from '../../src/app/newest-drift.ts';
import { type DriftReport, openDriftStore } from '../../src/monitoring/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';

const NOW = 1_795_000_000_000_000;
const HOUR = 3_600_000_000;

describe.each(testDatabases('newest windows'))('the newest windows on $name', (databases) => {
  let database: Database;
  beforeAll(async () => {
    await databases.start();
    database = await openDatabase(await databases.newUrl());
  });
  afterAll(async () => {
    await database.close();
    await databases.stop();
  });

  it('are read where they have changed', async () => {
    const store = await openDriftStore(database);
    const save = (endpoint: string, from: number, rows: number, reference = 'set') =>
      store.saveWindow(endpoint, HOUR, [
        {
          arm: { variant: 'stable', model: 'returns', version: 1 },
          kind: 'feature',
          feature: 'amount',
          reference,
          from,
          to: from + HOUR,
          rows,
          units: rows,
          counts: { bins: [], absent: 0, invalid: 0, rows, missing: 0, nulls: 0, empty: 0, fresh: [] },
        },
      ]);
    let names = ['shop', 'idle'];
    const read: string[] = [];
    const newest = createNewestReports({
      endpoints: async () => names.map((name) => ({ name, hasUnits: false, arms: [] })),
      stamps: () => store.stamps(HOUR, NOW - 10 * HOUR),
      async report(endpoint): Promise<DriftReport> {
        read.push(endpoint);
        return { endpoint, window: 'hour', features: [], arms: [] };
      },
    });
    const readNow = async () => {
      read.length = 0;
      expect((await newest()).map(({ endpoint }) => endpoint)).toEqual(names);
      return [...read];
    };
    await save('shop', NOW, 400);
    expect(await readNow()).toEqual(['shop', 'idle']);
    expect(await readNow()).toEqual([]);
    await save('shop', NOW + HOUR, 400);
    expect(await readNow()).toEqual(['shop']);
    // Counted again, of more rows; and by other bins.
    await save('shop', NOW + HOUR, 401);
    expect(await readNow()).toEqual(['shop']);
    await save('shop', NOW + HOUR, 401, 'set of later');
    expect(await readNow()).toEqual(['shop']);
    await save('idle', NOW, 300);
    expect(await readNow()).toEqual(['idle']);
    await store.forget(NOW + HOUR);
    expect(await readNow()).toEqual(['shop']);
    names = ['idle'];
    expect(await readNow()).toEqual([]);
    names = ['shop', 'idle'];
    expect(await readNow()).toEqual(['shop']);
  });
});
