// What drift was held against goes with gc, once nothing is watched by it any more.

import { expect, it } from 'vitest';
import { collectReferences, openDriftStore } from '../../src/monitoring/index.ts';
import { HOUR, NOW, onEachDriftStore, saveWindow } from '../support/drift-windows.ts';

onEachDriftStore('references of drift', (given) => {
  it('stay while they are served, or a window was counted by them', async () => {
    const { database, store } = given;
    const firstWindows = (endpoint: string, version = 1) =>
      `outputs/${endpoint}/trial/control/returns/${version}/${HOUR}`;
    const ids = ['served', 'retired', 'counted', firstWindows('shop'), firstWindows('gone'), firstWindows('shop', 2)];
    for (const id of ids)
      await store.saveReference({ id, source: 'training set', rows: 1, untilMicros: null, features: [] }, NOW);
    await saveWindow(store, 'gone', { from: NOW, rows: 1, reference: 'counted' });
    let kept = { trainingSets: new Set(['served']), versions: new Set(['returns/1']), endpoints: new Set(['shop']) };
    const collector = collectReferences({ database, kept: async () => kept });
    const { items } = await collector.plan();
    expect(items.map(({ id }) => id)).toEqual([firstWindows('gone'), firstWindows('shop', 2), 'retired']);
    expect(items[0]?.bytes).toBeGreaterThan(10);
    // One that is wanted again since it was planned stays.
    kept = { ...kept, trainingSets: new Set(['served', 'retired']) };
    const still = (await collector.recheck?.(items)) ?? [];
    expect(still.map(({ id }) => id)).toEqual([firstWindows('gone'), firstWindows('shop', 2)]);
    const going = await database.transaction((trx) => collector.forget(trx, still));
    expect(going).toEqual(still);
    const fresh = await openDriftStore(database);
    const there = await Promise.all(ids.map(async (id) => (await fresh.reference(id)) !== undefined));
    expect(there).toEqual([true, true, true, true, false, false]);
    // Its window is past its time: it is held against nothing.
    await fresh.forget(NOW + 100 * 24 * HOUR);
    expect((await collector.plan()).items.map(({ id }) => id)).toEqual(['counted']);
  });
});
