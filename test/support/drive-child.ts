// Drives a run to its end, and may be killed at any moment: `drive-child.ts DIRECTORY DATABASE RUN [POOLS]`, pools as JSON.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HeadraceError, silentLogger, systemClock } from '../../src/core/index.ts';
import { driveRun } from '../../src/orchestrator/driver/drive-run.ts';
import { newOwner } from '../../src/orchestrator/lease.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { openTestExecutor } from './test-executor.ts';

const [directory = '', url = '', run = '', pools = '{}'] = process.argv.slice(2);
const objects = openObjectStore(`file:${join(directory, 'artifacts')}`);
const driver = newOwner();
const database = await openDatabase(url);
const store = await openRunStore(database, systemClock);
const executor = openTestExecutor(directory, { driver });
for (;;) {
  try {
    const hold = await store.take(run, driver);
    process.send?.('driving');
    const named = { name: `local:${driver}`, executor };
    const executors = { executorOf: () => named, executorNamed: () => named, pools: JSON.parse(pools) };
    const parts = { store, objects, clock: systemClock, logger: silentLogger, ...executors };
    const { end } = await driveRun(parts, await store.load(run), hold);
    process.send?.(end);
    break;
  } catch (error) {
    // The one before was killed, and its lease lives on.
    if (!(error instanceof HeadraceError) || error.code !== 'HR_CONFLICT') throw error;
    // Or it goes on, and has ended the run by now.
    const { state } = (await store.get(run)).run;
    if (state !== 'queued' && state !== 'running') break;
    await delay(100);
  }
}
await executor.close();
await database.close();
process.disconnect?.();
