// A worker of `headrace serve`: started by the primary with one argument, stopped by its message or by a signal.

import cluster from 'node:cluster';
import { HeadraceError, toHeadraceError, within } from '../core/index.ts';
import { endDespite } from './end-despite.ts';
import { openApp } from './open-app.ts';
import { outlivePrimary, outliveReaders } from './outlive-readers.ts';
import { allTold, primaryChannel, tell } from './primary-channel.ts';
import { prepareServing } from './serve-worker.ts';
import { needDefinitions, SERVING_QUERY_TIMEOUT_MS, stopSignal } from './start-server.ts';
import { type DrainLimits, drainLimits, killLimitMs, STORES_LIMIT_MS } from './stop-limits.ts';
import type { ToWorker, WorkerStart } from './worker-messages.ts';

outliveReaders();
outlivePrimary();
try {
  await work();
  process.exit(0);
} catch (thrown) {
  const { code, message } = toHeadraceError(thrown);
  tell({ kind: 'failed', code, message });
  console.error(`${code}: ${message}`);
  process.exit(1);
}

async function work(): Promise<void> {
  const [argument] = process.argv.slice(2);
  if (argument === undefined)
    throw new HeadraceError('HR_USAGE', 'a worker is started by `headrace serve`, not by hand.');
  // The primary wrote it.
  const start = JSON.parse(argument) as WorkerStart;
  const told = (kind: ToWorker['kind']): Promise<void> =>
    new Promise((resolve) => {
      process.on('message', (message: ToWorker) => {
        if (message.kind === kind) resolve();
      });
    });
  const [toldToListen, toldToStop, toldToHurry] = [told('listen'), told('stop'), told('hurry')];
  const app = await openApp({
    config: start.config,
    queryTimeoutMs: SERVING_QUERY_TIMEOUT_MS,
    // Every worker writes to the same log.
    logged: { worker: process.pid },
  });
  try {
    // A worker without definitions could only refuse: one that starts again after a crash waits until they are back.
    await needDefinitions(app);
    const serving = await prepareServing(app, {
      host: start.host,
      port: start.port,
      grpcPort: start.grpcPort,
      isInsecure: start.isInsecure,
      compacts: start.compacts,
      serverId: start.serverId,
      channel: primaryChannel(),
      releasesMemory: true,
    });
    endDespite(serving.isModelRunning);
    process.on('message', (message: ToWorker) => {
      if (message.kind !== 'collect') return;
      serving.figures.report();
      tell({ kind: 'collected', gathering: message.gathering });
    });
    const drain = drainLimits(app.config.values);
    const signalled = stopSignal();
    const stopped = Promise.race([toldToStop, orphaned(drain), signalled]).then(() => 'stopped' as const);
    void toldToHurry.then(() => serving.hurry());
    // Not the first one: it may be that which the primary was told to stop by.
    if (drain.delayMs > 0) void signalled.then(() => stopSignal()).then(() => serving.hurry());
    tell({ kind: 'up', isReady: serving.planes.control.readiness().isReady });
    // Nobody is connected to one that does not listen.
    if ((await Promise.race([stopped, toldToListen])) === 'stopped') serving.hurry();
    else tell({ kind: 'listening', ...(await serving.listen()) });
    await stopped;
    await serving.stop();
    await allTold();
  } finally {
    await within(app.close(), STORES_LIMIT_MS);
  }
}

/**
 * Resolves when the primary was killed: it can stop nobody any more, nor kill who comes to no end, which the worker does itself
 * after the same time. Node would end the worker at once, in the midst of what it does, did it not take the parting for a
 * planned one.
 */
function orphaned(drain: DrainLimits): Promise<void> {
  return new Promise((resolve) => {
    const { worker } = cluster;
    worker?.once('disconnect', () => {
      worker.exitedAfterDisconnect = true;
      setTimeout(() => process.exit(1), killLimitMs(drain)).unref();
      resolve();
    });
  });
}
