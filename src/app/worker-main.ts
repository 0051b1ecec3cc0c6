// A worker of `headrace serve`: started by the primary with one argument, stopped by its message or by a signal.

import { HeadraceError, toHeadraceError } from '../core/index.ts';
import type { Monitor } from '../monitoring/index.ts';
import type { LiveStats } from '../serving/index.ts';
import { openApp } from './open-app.ts';
import { serveInProcess } from './serve-worker.ts';
import { stopSignal } from './start-server.ts';
import type { FromWorker, ToWorker, WorkerStart } from './worker-messages.ts';

const tell = (message: FromWorker): void => {
  if (process.connected) process.send?.(message);
};

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
  const asked = new Promise<void>((resolve) => {
    process.on('message', (message: ToWorker) => {
      if (message.kind === 'stop') resolve();
    });
    // A primary that is gone can stop nobody.
    process.on('disconnect', resolve);
  });
  const app = await openApp({ config: start.config });
  try {
    // A worker without definitions could only refuse: one that starts again after a crash waits until they are back.
    await app.applied();
    const serving = await serveInProcess(app, {
      host: start.host,
      port: start.port,
      isInsecure: start.isInsecure,
      compacts: start.compacts,
      stats: gatheredStats,
    });
    tell({ kind: 'listening', url: serving.url });
    await Promise.race([asked, stopSignal()]);
    await serving.stop();
  } finally {
    await app.close();
  }
}

// The figures of all workers, asked for through the primary.
function gatheredStats(own: Monitor): LiveStats {
  const waiting = new Map<number, (states: readonly unknown[]) => void>();
  let lastAsk = 0;
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'collect') tell({ kind: 'state', ask: message.ask, state: own.state() });
    if (message.kind === 'gathered') {
      waiting.get(message.ask)?.(message.states);
      waiting.delete(message.ask);
    }
  });
  const gather = (): Promise<readonly unknown[]> =>
    new Promise((resolve) => {
      const ask = ++lastAsk;
      waiting.set(ask, resolve);
      tell({ kind: 'gather', ask });
    });
  return {
    prometheus: async () => own.prometheus(await gather()),
    live: async () => own.snapshot(await gather()),
  };
}
