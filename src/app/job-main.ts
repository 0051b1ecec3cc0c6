// The process of one job of a training set: started by the server that has the job, with one argument. It ends with its server,
// however that ends, and leaves nothing of the job behind then.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type FromJob, jobError, runJob, tellProgress } from '../offline/index.ts';
import { openApp } from './open-app.ts';
import { endWithServer, startedByServer } from './started-by-server.ts';
import type { JobMainStart } from './start-job-process.ts';

const { config, job } = startedByServer<JobMainStart>('a job');
endWithServer(leaveNothing);
await work();
process.exit(0);

async function work(): Promise<void> {
  const app = await openApp({ config, logged: { job: job.id }, spill: join(job.folder, 'spill') });
  try {
    const progress = tellProgress((told) => void tell({ kind: 'progress', progress: told }));
    const { id, unshipped = [] } = await runJob(await app.offline(progress), job);
    await tell({ kind: 'done', trainingSet: id, unshipped });
  } catch (thrown) {
    app.logger.warn({ err: thrown }, 'a training set could not be made');
    await tell({ kind: 'failed', error: jobError(thrown, job.isLocal) });
  } finally {
    await app.close();
  }
}

function tell(message: FromJob): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
}

async function leaveNothing(): Promise<void> {
  await rm(job.folder, { recursive: true, force: true, maxRetries: 5 }).catch(() => {});
}
