// What the orchestrator works with; the composition root brings it.

import type { Clock, Logger, Progress } from '../core/index.ts';
import type { Definitions } from '../definitions/index.ts';
import type { Database, ObjectStore } from '../storage/index.ts';
import type { BuiltIns } from './built-ins.ts';
import type { Executor } from './executor.ts';

/** What it takes to look at runs. */
export interface RunsDeps {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  /** Scratch files and logs of this machine's tasks. */
  readonly workDirectory: string;
}

/** What it takes to drive one. */
export interface OrchestratorDeps extends RunsDeps {
  readonly definitions: Definitions;
  readonly logger: Logger;
  readonly progress: Progress;
  readonly builtIns: BuiltIns;
  readonly executor: Executor;
  /** How many CPUs the steps of a run may use at once. Default: this machine's. */
  readonly cpus?: number;
  /** How many bytes of memory they may ask for at once. Default: this machine's. */
  readonly memoryBytes?: number;
  /** The wait before a task is tried again, after so many failures. Default: 1 s, doubled each time, at most 1 min. */
  readonly retryDelayMs?: (failures: number) => number;
  /** On abort what runs is stopped and the run let go, to be resumed. */
  readonly signal?: AbortSignal;
  /** Told of each task as it starts and ends, for those who watch. */
  readonly onTask?: (report: TaskReport) => void;
}

export interface TaskReport {
  readonly runId: string;
  readonly step: string;
  readonly index: number;
  /** Whether the step is one of a `foreach`. */
  readonly isChild: boolean;
  readonly attempt: number;
  readonly event: 'started' | 'succeeded' | 'failed' | 'will retry' | 'stopped';
  readonly seconds?: number;
  readonly reason?: string;
}
