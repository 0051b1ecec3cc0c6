// A report of an experiment in a process of its own: the same program in another role, with the server's configuration. It reads
// the whole log and sources beside, and requests must not wait behind it.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { AskedPhase } from '../control/index.ts';
import { type ErrorCode, type ErrorDetail, HeadraceError } from '../core/index.ts';
import type { ExperimentReport } from '../rollouts/index.ts';
import type { App } from './open-app.ts';
import { roleFile } from './role-file.ts';

/** What the process is told: its one argument, as JSON. */
export interface ReportStart {
  readonly config: string;
  readonly experiment: string;
  /** The last one when left out. */
  readonly phase?: number | 'all';
}

/** What it tells, once. */
export type FromReport =
  | { readonly kind: 'made'; readonly report: ExperimentReport }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: readonly ErrorDetail[];
    };

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
    // What it logs is the server's log; a signal to the server's group is for the server to pass on.
    const child = fork(roleFile('report-main'), [JSON.stringify(start)], {
      stdio: ['ignore', 2, 2, 'ipc'],
      detached: true,
      env: { ...process.env, ...environment.variables },
    });
    let told: FromReport | undefined;
    child.on('message', (message: FromReport) => (told = message));
    const late = AbortSignal.timeout(timeoutMs);
    const ended = AbortSignal.any([closing.signal, late]);
    const kill = (): void => void child.kill('SIGKILL');
    ended.addEventListener('abort', kill);
    try {
      const [code, killedBy] = (await once(child, 'close')) as [number | null, string | null];
      if (told?.kind === 'made') return told.report;
      if (told?.kind === 'failed') throw new HeadraceError(told.code, told.message, { details: told.details });
      if (closing.signal.aborted) throw drained(experiment);
      if (late.aborted)
        throw new HeadraceError(
          'HR_DEADLINE',
          `the report of experiment "${experiment}" was not made within ${timeoutMs / 1000} s. ${elsewhere(experiment)}, or raise server.reportTimeoutMs.`,
        );
      // Whoever kills it is the system, mostly, for want of memory.
      throw new HeadraceError(
        'HR_JOB_LOST',
        `the process of the report of experiment "${experiment}" ended with ${killedBy ?? `code ${code}`} before it was made. Ask again; where that does not help: ${elsewhere(experiment)}.`,
      );
    } finally {
      ended.removeEventListener('abort', kill);
    }
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
