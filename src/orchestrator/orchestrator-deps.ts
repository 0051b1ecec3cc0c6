// What the orchestrator works with; the composition root brings it.

import type { Clock, Logger } from '../core/index.ts';
import type { ClusterSpec, Definitions, ExecutorSpec } from '../definitions/index.ts';
import type { Database, ObjectStore } from '../storage/index.ts';
import type { PoolSizes } from './driver/ask-for-slots.ts';
import type { CacheReader } from './driver/prepare-step.ts';
import type { Executor } from './executors/executor.ts';
import type { StepProgress } from './run-progress.ts';

/** What it takes to look at runs. */
export interface RunsDeps {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  /** Scratch files and logs of this machine's tasks. */
  readonly workDirectory: string;
}

/** Executors of clusters, each opened where a run has a step for it. */
export interface Clusters {
  /** Throws HR_CONFIG where its containers would not find what they are to run. */
  check(spec: ClusterSpec): void;
  open(spec: ClusterSpec, run: string, driver: string): Promise<Executor>;
}

/** What it takes to drive one. */
export interface OrchestratorDeps extends RunsDeps {
  readonly definitions: Definitions;
  readonly logger: Logger;
  /** Opens this machine's executor for a driver, by whose id its processes are marked. */
  readonly openExecutor: (driver: string) => Executor;
  /** The one that hands tasks to workers elsewhere. */
  readonly openFleet: (driver: string, run: string) => Promise<Executor>;
  readonly clusters: Clusters;
  /** Where steps run that name no executor. */
  readonly executor: ExecutorSpec;
  /** What the outputs of cached steps go by outside of their orders. Left out: this machine's platform and version of Node alone. */
  readonly cacheReads?: CacheReader;
  /** How many slots each pool has; none where it is left out. */
  readonly pools?: PoolSizes;
  /** On abort what runs is stopped and the run let go, to be resumed. */
  readonly signal?: AbortSignal;
  /** Told of each task as it ends, for those who watch. */
  readonly onTask?: (report: TaskReport) => void;
  /** Told how far the run is: as it changes, ten times a second at most. */
  readonly onProgress?: (steps: readonly StepProgress[]) => void;
  /** Told what became of steps and items that were edited, as a run goes on: sentences. */
  readonly onEdited?: (sentence: string) => void;
  /** Told once while somebody else drives the run: whose it is, and what is waited for. */
  readonly onWait?: (sentence: string) => void;
}

export interface TaskReport {
  readonly runId: string;
  readonly step: string;
  /** The item of each group around it, as '17/3'; '' at the top. */
  readonly scope: string;
  readonly index: number;
  /** Whether the step is one of a `foreach`. */
  readonly isChild: boolean;
  readonly attempt: number;
  readonly event: 'succeeded' | 'failed' | 'will retry' | 'stopped';
  readonly seconds?: number;
  readonly reason?: string;
}
