// A report of an experiment in a process of its own: it reads the whole log and sources beside.

import type { AskedPhase } from '../control/index.ts';
import { HeadraceError } from '../core/index.ts';
import type { ExperimentReport } from '../rollouts/index.ts';
import { askProcess, type FailedWork } from './ask-process.ts';
import type { App } from './open-app.ts';

/** What the process is told: its one argument, as JSON. */
export interface ReportStart {
  readonly config: string;
  readonly experiment: string;
  /** The last one when left out. */
  readonly phase?: number | 'all';
}

/** What it tells, once. */
export type FromReport = { readonly kind: 'made'; readonly report: ExperimentReport } | FailedWork;

export interface ReportProcesses {
  /** Throws as `reportExperiment` does; HR_DEADLINE for one that takes longer than `server.reportTimeoutMs`, HR_JOB_LOST where its process was killed. */
  make(experiment: string, phase: AskedPhase): Promise<ExperimentReport>;
  /** Ends those that run: who waits for one gets HR_STOPPING. */
  close(): Promise<void>;
}

export function createReportProcesses({ config, environment }: Pick<App, 'config' | 'environment'>): ReportProcesses {
  const timeoutMs = config.values['server.reportTimeoutMs'];
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();

  const make = async (experiment: string, phase: AskedPhase): Promise<ExperimentReport> => {
    if (closing.signal.aborted) throw drained(experiment);
    const start: ReportStart = { config: config.file, experiment, ...(phase === undefined ? {} : { phase }) };
    const late = AbortSignal.timeout(timeoutMs);
    const ended = AbortSignal.any([closing.signal, late]);
    const told = await askProcess<FromReport>({ environment }, 'report-main', start, ended);
    if (told.kind === 'made') return told.report;
    if (closing.signal.aborted) throw drained(experiment);
    if (late.aborted)
      throw new HeadraceError(
        'HR_DEADLINE',
        `the report of experiment "${experiment}" was not made within ${timeoutMs / 1000} s. ${elsewhere(experiment)}, or raise server.reportTimeoutMs.`,
      );
    // Whoever kills it is the system, mostly, for want of memory.
    throw new HeadraceError(
      'HR_JOB_LOST',
      `the process of the report of experiment "${experiment}" ended with ${told.how} before it was made. Ask again; where that does not help: ${elsewhere(experiment)}.`,
    );
  };

  return {
    make(experiment, phase) {
      const made = make(experiment, phase);
      const settled = made.catch(() => {}).finally(() => running.delete(settled));
      running.add(settled);
      return made;
    },
    async close() {
      closing.abort();
      await Promise.all(running);
    },
  };
}

/** What to do about a report that a server may not take the time or the memory for. */
export const elsewhere = (experiment: string): string =>
  `Make it where nothing is served, by \`headrace experiments report ${experiment}\``;

const drained = (experiment: string): HeadraceError =>
  new HeadraceError('HR_STOPPING', `the server stops, and the report of experiment "${experiment}" is not made.`);
