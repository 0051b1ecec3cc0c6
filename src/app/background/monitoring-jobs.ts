// The jobs that watch: each at its own interval, counted from when it last finished, whichever server did it; and one that tells
// of alerts, and of monitors that have stopped.

import { type Micros, MICROS_PER_SECOND } from '../../core/index.ts';
import type { Heartbeats } from '../../monitoring/index.ts';
import type { App } from '../open-app.ts';
import { openDrift } from '../open-drift.ts';
import { openQuality } from '../open-quality.ts';
import { openSkew } from '../open-skew.ts';
import type { BackgroundJob } from './background-job.ts';

/** How often a job looks whether it is due. */
const MOST_LOOK_MS = 30_000;
const LEAST_LOOK_MS = 500;
const DELIVER_MS = 2000;
const WATCH_MICROS = 30 * MICROS_PER_SECOND;

export async function monitoringJobs(app: App): Promise<readonly BackgroundJob[]> {
  const { values } = app.config;
  const { openHeartbeats } = await import('../../monitoring/index.ts');
  const heartbeats = await openHeartbeats(await app.database(), app.clock);
  const job = (monitor: string, every: Micros, work: (signal: AbortSignal) => Promise<void>) =>
    monitorJob({ heartbeats, monitor, every, work });
  return [
    await alertJob(app, heartbeats),
    ...(await job('drift', values['drift.every'], async (signal) => (await openDrift(app)).run(signal))),
    ...(await job('quality', values['quality.every'], async (signal) => (await openQuality(app)).run(signal))),
    ...(await job('verify', values['verify.every'], async (signal) => (await openSkew(app)).run(signal))),
  ];
}

/** None where it is never to run. */
async function monitorJob(given: {
  readonly heartbeats: Heartbeats;
  readonly monitor: string;
  readonly every: Micros;
  readonly work: (signal: AbortSignal) => Promise<void>;
}): Promise<readonly BackgroundJob[]> {
  const { heartbeats, monitor, every, work } = given;
  if (every === 0) {
    await heartbeats.retire(monitor);
    return [];
  }
  await heartbeats.expect(monitor, every);
  return [
    {
      name: `monitor ${monitor}`,
      everyMs: Math.min(MOST_LOOK_MS, Math.max(LEAST_LOOK_MS, every / 5000)),
      async run(signal) {
        if (!(await heartbeats.isDue(monitor, every))) return;
        await work(signal);
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
