// The newest windows that scrapes are told: of an endpoint they are read again where windows have come, gone or been counted again,
// and not else.

import { expect, it } from 'vitest';
import { createNewestReports } from '../../src/app/newest-drift.ts';
import type { DriftReport } from '../../src/monitoring/index.ts';
import { HOUR, NOW, onEachDriftStore, saveWindow } from '../support/drift-windows.ts';

onEachDriftStore('the newest windows', (given) => {
  it('are read where they have changed', async () => {
    const { store } = given;
    const save = (endpoint: string, from: number, rows: number, reference = 'set') =>
      saveWindow(store, endpoint, { from, rows, reference });
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
