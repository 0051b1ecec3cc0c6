// Everyone whose rows name objects, need others' rows, or tell of a place: a new one adds its line.

import type { RowsOwner } from '../storage/index.ts';
import type { App } from './open-app.ts';

export async function rowsOwners(app: App): Promise<readonly RowsOwner[]> {
  const [
    { registryRows },
    { eventRows, partitionRows },
    { feedRows },
    { runsRows },
    { trainingSetRows },
    { cachedOutputRows, fleetRows, poolSlotRows, runStoreRows, schedulerRows },
    { leaseRows, registryIdRows },
    { alertRows, minuteRows },
    { experimentRows, rolloutRows },
  ] = await Promise.all([
    import('../registry/index.ts'),
    import('../events/index.ts'),
    import('../ingestion/index.ts'),
    import('../online/index.ts'),
    import('../offline/index.ts'),
    import('../orchestrator/index.ts'),
    import('../storage/index.ts'),
    import('../monitoring/index.ts'),
    import('../rollouts/index.ts'),
  ]);
  return [
    registryRows,
    eventRows,
    partitionRows,
    feedRows,
    runsRows,
    trainingSetRows,
    runStoreRows(await app.objects()),
    cachedOutputRows(await app.objects()),
    poolSlotRows,
    fleetRows,
    schedulerRows,
    leaseRows,
    registryIdRows,
    alertRows,
    experimentRows,
    minuteRows,
    rolloutRows,
  ];
}
