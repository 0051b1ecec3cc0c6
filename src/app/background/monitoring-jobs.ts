// The jobs that watch: each at its own interval, counted from when it last finished, whichever server did it; and one that tells
// of alerts, and of monitors that have stopped.

import { type Micros, MICROS_PER_SECOND } from '../../core/index.ts';
import type { Heartbeats } from '../../monitoring/index.ts';
import type { App } from '../open-app.ts';
import { type MonitorName, runMonitor } from '../start-monitor-process.ts';
import type { BackgroundJob } from './background-job.ts';

/** How often a job looks whether it is due. */
const MOST_LOOK_MS = 30_000;
const LEAST_LOOK_MS = 500;
const DELIVER_MS = 2000;
const WATCH_MICROS = 30 * MICROS_PER_SECOND;
/** A server that has just started has others to do first. */
const SOON_MICROS = 30 * MICROS_PER_SECOND;

export async function monitoringJobs(app: App): Promise<readonly BackgroundJob[]> {
  const { values } = app.config;
  const { openHeartbeats } = await import('../../monitoring/index.ts');
  const heartbeats = await openHeartbeats(await app.database(), app.clock);
  return [
    await alertJob(app, heartbeats),
    ...(await monitorJob(app, heartbeats, 'drift', values['drift.every'], SOON_MICROS)),
    ...(await monitorJob(app, heartbeats, 'quality', values['quality.every'], SOON_MICROS)),
    ...(await monitorJob(app, heartbeats, 'verify', values['verify.every'], values['verify.every'])),
  ];
}

/** None where it is never to run. `first`: where it has never run, after so long. */
async function monitorJob(
  app: App,
  heartbeats: Heartbeats,
  monitor: MonitorName,
  every: Micros,
  first: Micros,
): Promise<readonly BackgroundJob[]> {
  if (every === 0) {
    await heartbeats.retire(monitor);
    return [];
  }
  await heartbeats.expect(monitor, every, Math.min(first, every));
  return [
    {
      name: `monitor ${monitor}`,
      everyMs: Math.min(MOST_LOOK_MS, Math.max(LEAST_LOOK_MS, every / 5000)),
      async run(signal) {
        if (!(await heartbeats.isDue(monitor, every))) return;
        await runMonitor(app, monitor, signal);
        if (!signal.aborted) await heartbeats.beat(monitor, every);
      },
    },
  ];
}

async function alertJob(app: App, heartbeats: Heartbeats): Promise<BackgroundJob> {
  const { createAlertDelivery, webhookSender } = await import('../../monitoring/index.ts');
  const { clock, logger } = app;
  const url = app.config.values['alerts.webhook'];
  const variable = app.config.values['alerts.secretEnv'];
  const secret = variable === undefined ? undefined : app.environment.variables[variable];
  if (variable !== undefined && (secret ?? '') === '')
    logger.warn({ variable }, 'alerts.secretEnv names a variable that is not set: the webhook gets no secret');
  const delivery =
    url === undefined
      ? undefined
      : await createAlertDelivery({
          database: await app.database(),
          send: webhookSender({ url, secret }),
          clock,
          logger,
        });
  let watchedMicros = -Infinity;
  return {
    name: 'alerts',
    everyMs: DELIVER_MS,
    async run(signal) {
      if (Math.abs(clock.nowMicros() - watchedMicros) >= WATCH_MICROS) {
        watchedMicros = clock.nowMicros();
        await heartbeats.watch(await app.alerts());
      }
      await delivery?.run(signal);
    },
  };
}
