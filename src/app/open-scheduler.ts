// The scheduler over a project.

import type { SchedulerDeps } from '../orchestrator/index.ts';
import type { BackgroundJob } from './background/background-job.ts';
import { type App, openApp } from './open-app.ts';
import { openOrchestrator } from './open-orchestrator.ts';

export async function openScheduler(app: App, tell: (line: string) => void): Promise<SchedulerDeps> {
  const { config, environment, clock, logger } = app;
  const { 'gc.schedule': schedule, 'gc.timezone': timezone } = config.values;
  const { openPushedTable } = await import('../ingestion/index.ts');
  return {
    database: await app.database(),
    clock,
    logger,
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
    gc: schedule === undefined ? undefined : { schedule, timezone },
    atOnce: config.values['scheduler.runs'],
    tell,
  };
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
