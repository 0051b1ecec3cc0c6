// The process of one materialize: started by a server that was asked for it, with one argument. It runs at a lower priority
// than requests, and ends with its server: what it had not finished the next one does.

import { setPriority } from 'node:os';
import { type ErrorDetail, HeadraceError, silentProgress, toHeadraceError } from '../core/index.ts';
import { type FailedVersion, fillOnline } from './fill-online.ts';
import { MONITOR_NICENESS } from './monitor-duckdb.ts';
import { openApp } from './open-app.ts';
import type { FillStart, FromFill } from './start-fill-process.ts';
import { endWithServer, startedByServer, tellServer } from './started-by-server.ts';

const { config, request } = startedByServer<FillStart>('a materialize');
endWithServer();
setPriority(MONITOR_NICENESS);
await work();
process.exit(0);

async function work(): Promise<void> {
  const app = await openApp({ config, logged: { materialize: request.views?.join(' ') ?? 'all' } });
  try {
    const tell = (line: string): void => app.logger.info({}, line);
    const { failed } = await fillOnline(app, { ...request, dryRun: false }, { progress: silentProgress, tell });
    refuseFailed(failed.filter(({ isRead }) => isRead));
    await tellServer({ kind: 'filled' } satisfies FromFill);
  } catch (thrown) {
    const { code, message, status, details } = toHeadraceError(thrown);
    if (status === 500) app.logger.error({ err: thrown }, 'a materialize failed');
    await tellServer({ kind: 'failed', code, message, details } satisfies FromFill);
  } finally {
    await app.close();
  }
}

/** The others are done. */
function refuseFailed(failed: readonly FailedVersion[]): void {
  const [first] = failed;
  if (first === undefined) return;
  const details = failed.map(
    ({ view, error }): ErrorDetail => ({ path: view, message: toHeadraceError(error).message }),
  );
  const sentences = details.map(({ path, message }) => `view "${path}" could not be materialized: ${message}`);
  throw new HeadraceError(toHeadraceError(first.error).code, sentences.join('; '), { details });
}
