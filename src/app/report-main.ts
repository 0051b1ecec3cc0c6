// The process of one report of an experiment: started by a server that was asked for it, with one argument. It reads the log and
// sources within `server.reportMemory`, at a lower priority than requests, and ends with its server.

import { setPriority } from 'node:os';
import { HeadraceError, messageOf, toHeadraceError } from '../core/index.ts';
import { experimentReport } from './experiment-reports.ts';
import { MONITOR_NICENESS, MONITOR_THREADS } from './monitor-duckdb.ts';
import { openApp } from './open-app.ts';
import { endWithServer, startedByServer, tellServer } from './started-by-server.ts';
import { elsewhere, type FromReport, type ReportStart } from './start-report-process.ts';

const { config, experiment, phase } = startedByServer<ReportStart>('a report');
endWithServer();
setPriority(MONITOR_NICENESS);
await work();
process.exit(0);

async function work(): Promise<void> {
  // What an earlier one that was killed has spilled goes as DuckDB is opened.
  const app = await openApp({
    config,
    logged: { report: experiment },
    duckDb: (values) => ({ memoryBytes: values['server.reportMemory'], threads: MONITOR_THREADS }),
  });
  try {
    await tellServer({ kind: 'made', report: await experimentReport(app, experiment, phase) } satisfies FromReport);
  } catch (thrown) {
    const { code, message, status, details } = outgrown(thrown) ?? toHeadraceError(thrown);
    if (status === 500) app.logger.error({ err: thrown }, 'a report could not be made');
    await tellServer({ kind: 'failed', code, message, details } satisfies FromReport);
  } finally {
    await app.close();
  }
}

/** What DuckDB says, of a query by itself or of a metric's, where the memory is too little and what it holds can't be spilled. */
function outgrown(thrown: unknown): HeadraceError | undefined {
  if (!/\bOut of Memory Error:/.test(messageOf(thrown))) return undefined;
  return new HeadraceError(
    'HR_TOO_LARGE',
    `the report of experiment "${experiment}" needs more memory than a server gives it. ${elsewhere(experiment)}, which has offline.memory, or raise server.reportMemory.`,
  );
}
