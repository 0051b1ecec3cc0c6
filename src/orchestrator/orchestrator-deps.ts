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
  /** Reads the parts of a cached step's key that are not in its order. Left out: this machine's platform and version of Node alone. */
  readonly cacheReads?: CacheReader;
  /** How many slots each pool has; none where it is left out. */
  readonly pools?: PoolSizes;
  /** On abort running tasks are stopped and the run's lease is released, so that it can be resumed. */
  readonly signal?: AbortSignal;
  /** Called for each task as it ends. */
  readonly onTask?: (report: TaskReport) => void;
  /** Called with the progress of the run's steps when it changes, at most ten times a second. */
  readonly onProgress?: (steps: readonly StepProgress[]) => void;
  /** Called, when a run is resumed, with a sentence for each edited step, and later for its items. */
  readonly onEdited?: (sentence: string) => void;
  /** Called once while another driver has the run: the sentence names it, and what is waited for. */
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
