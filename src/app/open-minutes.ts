// What one server counts by the minute, and its background work: hours out of minutes, and how fresh views are.

import type { ViewStatus } from '../control/index.ts';
import type { MinuteCollector, MinuteWriter, ReadHistory, ViewReading } from '../monitoring/index.ts';
import type { BackgroundJob } from './background/background-job.ts';
import type { App } from './open-app.ts';

export interface ServerMinutes {
  readonly collector: MinuteCollector;
  readonly writer: MinuteWriter;
  readonly history: ReadHistory;
}

/** `server`: this process, as no other is called. */
export async function openServerMinutes(app: App, server: string): Promise<ServerMinutes> {
  const { createSharedClock } = await import('../storage/index.ts');
  const { createMinuteCollector, openHistory, startMinuteWriter } = await import('../monitoring/index.ts');
  const database = await app.database();
  const clock = createSharedClock(database, app.clock);
  const collector = createMinuteCollector(clock.now);
  return {
    collector,
    writer: startMinuteWriter({ database, collector, clock, server, logger: app.logger }),
    history: await openHistory(database, app.clock),
  };
}

const EVERY_MS = 60_000;

export async function minuteJobs(app: App, views: () => Promise<readonly ViewStatus[]>): Promise<BackgroundJob[]> {
  const { recordViews, rollUp } = await import('../monitoring/index.ts');
  const { createSharedClock } = await import('../storage/index.ts');
  const { values } = app.config;
  const database = await app.database();
  const clock = createSharedClock(database, app.clock);
  return [
    {
      name: 'roll up minutes',
      everyMs: EVERY_MS,
      run: (signal, held) =>
        rollUp(
          {
            database,
            clock,
            minutesMicros: values['monitoring.minutes'],
            hoursMicros: values['monitoring.hours'],
          },
          held,
          signal,
        ),
    },
    {
      name: 'read views',
      everyMs: EVERY_MS,
      async run() {
        const readings = (await views()).map(readingOf);
        await recordViews(database, readings, await clock.set());
      },
    },
  ];
}

function readingOf({ view, version, newest_event: newest, coverage }: ViewStatus): ViewReading {
  const covered = coverage.filter(({ waiting }) => waiting === 0).length;
  return {
    view,
    version,
    freshnessSeconds: newest?.age_seconds ?? null,
    coverage: coverage.length === 0 ? 1 : covered / coverage.length,
    uncovered: coverage.reduce((sum, { waiting }) => sum + waiting, 0),
  };
}
