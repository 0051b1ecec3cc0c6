// What a worker of the fleet writes, on each database.

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { giveBackLost } from '../../src/orchestrator/executors/fleet/give-back.ts';
import { type FleetTables, migrateFleet } from '../../src/orchestrator/executors/fleet/tables.ts';
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

  it.each([
    ['runs', 15_000, 'running', 1],
    ['ran out', -1, 'lost', 0],
    // An hour before the clock was set back by one.
    ['ends later than any that is given now', 3_600_000, 'lost', 0],
  ])('whose lease %s keeps its slices by that', async (_what, leaseMs, state, left) => {
    const database = await migrateFleet(await openDatabase(await databases.newUrl()));
    onTestFinished(() => database.close());
    // Of another host, whose processes nobody here sees.
    const id = 'elsewhere/1/ab';
    const worker = { id, slots: 2, memoryBytes: 2 ** 30, hasProject: false, leaseMs };
    await createWorkerRows(database).register(worker, { warmAhead: 1, processAhead: 1 });
    const slice = { id: 's', driver: 'd', spec: 'blob:x', tasks: '[]', resources: '{}', is_cancelled: 0 };
    const db = database.tables<FleetTables>();
    const times = { submitted: 1, changed: 1 };
    await db
      .insertInto('fleet_slices')
      .values({ ...slice, ...times, state: 'running', worker: id })
      .execute();
    expect(await giveBackLost(database)).toBe(state === 'lost');
    expect((await db.selectFrom('fleet_slices').select('state').execute())[0]?.state).toBe(state);
    expect(await db.selectFrom('fleet_workers').selectAll().execute()).toHaveLength(left);
  });
});
