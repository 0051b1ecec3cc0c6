// Alerts of rollouts on real databases: what a watch found is told for each rollout anew.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRolloutAlerts } from '../../src/app/rollout-alerts.ts';
import { silentLogger } from '../../src/core/index.ts';
import { openAlerts } from '../../src/monitoring/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';

describe.each(testDatabases('alerts of rollouts'))('alerts of rollouts on $name', (given) => {
  beforeAll(() => given.start());
  afterAll(() => given.stop());

  it('close once another version answers, so that the next rollout is told of', async () => {
    const time = { at: 1_790_000_000_000_000 };
    const clock = { nowMicros: () => time.at };
    const database = await openDatabase(await given.newUrl());
    const alerts = await openAlerts(database, { clock, logger: silentLogger, hasReceiver: false });
    let served = [2];
    const own = createRolloutAlerts(alerts, async () => served, clock.nowMicros);
    const told = async () => (await alerts.list()).map(({ state, evidence }) => [state, evidence]);
    const second = { rollout: 'b', candidate: 2, reason: 'errors' };
    await own.tell({ id: 'b', endpoint: 'eta', candidate: 2 }, 'errors');
    time.at += 1_000_000;
    await own.close();
    expect(await told()).toEqual([['open', second]]);
    served = [3];
    time.at += 1_000_000;
    await own.tell({ id: 'c', endpoint: 'eta', candidate: 3 }, 'slow');
    expect(await told()).toEqual([
      ['open', { rollout: 'c', candidate: 3, reason: 'slow' }],
      ['closed', second],
    ]);
    served = [];
    time.at += 1_000_000;
    await own.close();
    expect((await told()).map(([state]) => state)).toEqual(['closed', 'closed']);
    await database.close();
  });
});
