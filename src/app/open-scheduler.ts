// The scheduler over a project.

import { scheduleMetrics } from '../control/index.ts';
import { MICROS_PER_SECOND } from '../core/index.ts';
import type { SchedulerDeps, ShowsSchedules } from '../orchestrator/index.ts';
import type { BackgroundJob } from './background/background-job.ts';
import { keepText } from './kept-text.ts';
import { type App, openApp } from './open-app.ts';
import { openOrchestrator } from './open-orchestrator.ts';

/** What it takes to look at schedules. */
export async function openSchedules(app: App): Promise<ShowsSchedules> {
  const { 'gc.schedule': schedule, 'gc.timezone': timezone } = app.config.values;
  const { openPushedTable } = await import('../ingestion/index.ts');
  const { openDriverClock } = await import('../orchestrator/index.ts');
  const database = await app.database();
  return {
    database,
    clock: await openDriverClock(database),
    applied: async () => (await app.registry()).definitions.current(),
    async positionOf(trigger) {
      switch (trigger.kind) {
        case 'materialized': {
          const finished = await (await app.runs()).lastFinished();
          return Math.max(0, ...finished.filter(({ view }) => view === trigger.view).map(({ number }) => number));
        }
        case 'drift': {
          const [alert] = await (await app.alerts()).list({ rule: 'drift', endpoint: trigger.endpoint, limit: 1 });
          return alert?.openedMicros ?? 0;
        }
        case 'pushed':
          return (await openPushedTable(await app.database())).rows(trigger.source);
      }
    },
    gc: schedule === undefined ? undefined : { schedule, timezone },
  };
}

export async function openScheduler(app: App, tell: (line: string) => void): Promise<SchedulerDeps> {
  const { config, environment, clock, logger } = app;
  return {
    ...(await openSchedules(app)),
    clock,
    logger,
    async openDriver(signal) {
      // What was applied since goes for the steps of Headrace's own, too.
      const own = await openApp({ config: config.file, environment, clock, logger, leaveDeadSpill: true });
      try {
        return { deps: await openOrchestrator(own, { signal }), close: () => own.close() };
      } catch (error) {
        await own.close();
        throw error;
      }
    },
    pools: config.values['orchestrator.pools'] ?? {},
    atOnce: config.values['scheduler.runs'],
    tell,
  };
}

/** Most of it changes by the minute: a scrape need not ask each time. */
const METRICS_MICROS = 5 * MICROS_PER_SECOND;

/** In Prometheus' text format: the same from every process of a project. */
export function openScheduleMetrics(app: App): () => Promise<string> {
  // A scrape waits for a second at most: what reads schedules is loaded before the first. Whoever needs it is told if it can't be.
  void import('../orchestrator/index.ts').catch(() => {});
  return keepText(app.clock, METRICS_MICROS, async () => {
    const { showSchedules } = await import('../orchestrator/index.ts');
    return scheduleMetrics(await showSchedules(await openSchedules(app), { runs: 1, next: 1 }));
  });
}

/** Where one of all servers is a scheduler, too. */
export function schedulerJobs(app: App): readonly BackgroundJob[] {
  if (!app.config.values['scheduler.serve']) return [];
  return [
    {
      name: 'scheduler',
      everyMs: 1000,
      async run(signal) {
        const { runScheduler } = await import('../orchestrator/index.ts');
        await runScheduler(await openScheduler(app, (line) => app.logger.info({}, line)), signal);
      },
    },
  ];
}
