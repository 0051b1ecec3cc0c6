// What a worker of the fleet writes, on each database.

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { migrateFleet } from '../../src/orchestrator/executors/fleet/tables.ts';
import { createWorkerRows } from '../../src/orchestrator/executors/fleet/worker-rows.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';

describe.each(testDatabases('rows of the fleet'))('a worker of the fleet on $name', (databases) => {
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());

  it('renews its lease by a turn that ends nothing and takes nothing', async () => {
    const database = await openDatabase(await databases.newUrl());
    onTestFinished(() => database.close());
    const rows = createWorkerRows(await migrateFleet(database));
    const worker = { id: 'w', slots: 2, memoryBytes: 2 ** 30, hasProject: false, leaseMs: 600_000 };
    const ahead = { warmAhead: 1, processAhead: 1 };
    await rows.register({ ...worker, leaseMs: 0 }, ahead);
    expect(await rows.others('another')).toEqual([]);
    const none = { told: [], ended: [], cancelled: [], isDraining: false };
    for (const choose of [undefined, () => []]) expect(await rows.turn(worker, ahead, { ...none, choose })).toEqual([]);
    expect(await rows.others('another')).toMatchObject([{ slots: 2 }]);
  });
});
