// Experiments and their reports, as the command line and servers read them.

import type { AskedPhase, ReportDeps } from '../control/index.ts';
import { silentProgress } from '../core/index.ts';
import type { ExperimentReport, PresentedExperiment } from '../rollouts/index.ts';
import type { App } from './open-app.ts';

/** By what the log and the sources have now; kept by its snapshot. Errors as `reportExperiment` gives them. */
export async function experimentReport(app: App, name: string, phase?: AskedPhase): Promise<ExperimentReport> {
  const { reportExperiment } = await import('../control/index.ts');
  return reportExperiment(await experimentReportDeps(app), name, phase);
}

export async function experimentReportDeps(app: App): Promise<ReportDeps> {
  return {
    experiments: await app.experiments(),
    duckdb: app.duckdb,
    offline: () => app.offline(silentProgress),
    logDirectory: app.config.values['predictionLog.path'],
    clock: app.clock,
  };
}

/** What a server answers by. */
export async function readExperiments(app: App): Promise<{
  list(): Promise<readonly PresentedExperiment[]>;
  get(name: string): Promise<PresentedExperiment>;
  report(name: string, phase: AskedPhase): Promise<ExperimentReport>;
}> {
  const { reportOnce } = await import('../control/index.ts');
  const { presentExperiment } = await import('../rollouts/index.ts');
  return {
    list: async () => (await (await app.experiments()).list()).map(presentExperiment),
    get: async (name) => presentExperiment(await (await app.experiments()).get(name)),
    report: reportOnce((name, phase) => experimentReport(app, name, phase)),
  };
}
