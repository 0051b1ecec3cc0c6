// Experiments and their reports, as the command line and servers read them. A server makes none itself.

import type { AskedPhase, ReportDeps } from '../control/index.ts';
import { silentProgress } from '../core/index.ts';
import type { ExperimentReport } from '../rollouts/index.ts';
import type { ServedExperiments } from '../serving/index.ts';
import type { App } from './open-app.ts';
import { createReportProcesses, type ReportProcesses } from './start-report-process.ts';

const SHIP_MS = 5_000;

/** By what the log and the sources have now; kept by its snapshot. Errors as `reportExperiment` gives them. */
export async function experimentReport(app: App, name: string, phase?: AskedPhase): Promise<ExperimentReport> {
  const { reportExperiment } = await import('../control/index.ts');
  return reportExperiment(await experimentReportDeps(app), name, phase);
}

export async function experimentReportDeps(app: App): Promise<ReportDeps> {
  return {
    experiments: await app.experiments(),
    duckdb: app.duckdb,
    async offline() {
      const { shipLog } = await import('../offline/index.ts');
      // What was pushed a moment ago counts, too. Who is silent tells of it the next time.
      const silent = await shipLog({ log: await app.log(), runs: await app.runs(), clock: app.clock }, SHIP_MS);
      if (silent.length > 0)
        app.logger.warn({ writers: silent.length }, 'a report lacks what some writers took since they shipped last');
      return app.offline(silentProgress);
    },
    logDirectory: app.config.values['predictionLog.path'],
    clock: app.clock,
  };
}

/** What a server answers by, and what of it is to be closed. */
export async function openServedExperiments(
  app: App,
): Promise<{ readonly experiments: ServedExperiments; readonly reports: ReportProcesses }> {
  const { reportOnce } = await import('../control/index.ts');
  const { presentExperiment } = await import('../rollouts/index.ts');
  const open = (): ReturnType<App['experiments']> => app.experiments();
  const reports = createReportProcesses(app);
  const experiments: ServedExperiments = {
    list: async () => (await (await open()).list()).map(presentExperiment),
    get: async (name) => presentExperiment(await (await open()).get(name)),
    report: reportOnce(reports.make, { waitMs: app.config.values['server.reportTimeoutMs'] }),
    start: async (name, change) => presentExperiment(await (await open()).start(name, change)),
    stop: async (name, change) => presentExperiment(await (await open()).stop(name, change)),
    reweigh: async (name, weights, change) => presentExperiment(await (await open()).reweigh(name, weights, change)),
  };
  return { experiments, reports };
}
