// The process of one run of a monitor: started by the server that has its lease, with one argument. Reading the log takes the
// processor for a while, and requests must not wait behind it: it is a process of its own, at a lower priority.

import { setPriority } from 'node:os';
import { MONITOR_NICENESS, MONITOR_THREADS } from './monitor-duckdb.ts';
import { openApp } from './open-app.ts';
import { runDueBandits } from './open-bandits.ts';
import { openDrift } from './open-drift.ts';
import { openQuality } from './open-quality.ts';
import { openSkew } from './open-skew.ts';
import type { MonitorStart } from './start-monitor-process.ts';
import { endWithServer, startedByServer } from './started-by-server.ts';

const { config, monitor } = startedByServer<MonitorStart>('a monitor');
// It ends with its server. What it had not kept yet the next run does again.
endWithServer();
setPriority(MONITOR_NICENESS);
await work();
process.exit(0);

async function work(): Promise<void> {
  const app = await openApp({
    config,
    logged: { monitor },
    leaveDeadSpill: true,
    // Weights are found as reports are made.
    ...(monitor === 'bandits'
      ? { duckDb: (values) => ({ memoryBytes: values['server.reportMemory'], threads: MONITOR_THREADS }) }
      : {}),
  });
  const signal = new AbortController().signal;
  try {
    if (monitor === 'drift') await (await openDrift(app)).run(signal);
    else if (monitor === 'quality') await (await openQuality(app)).run(signal);
    else if (monitor === 'bandits') await runDueBandits(app, signal);
    else await (await openSkew(app)).run(signal);
  } catch (thrown) {
    app.logger.error({ err: thrown }, 'a monitor failed');
    await app.close();
    process.exit(1);
  }
  await app.close();
}
