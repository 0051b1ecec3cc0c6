// A run in hand: what the loop, the attempts and the heartbeat of one drive share.

import type { PipelineSpec, StepSpec } from '../definitions/index.ts';
import type { OrchestratorDeps } from './orchestrator-deps.ts';

/** Why everything that runs is being stopped. */
export type Stop = 'cancelled' | 'lost' | 'aborted';

export interface Drive {
  readonly deps: OrchestratorDeps;
  readonly runId: string;
  readonly owner: string;
  readonly pipeline: PipelineSpec;
  readonly params: Readonly<Record<string, unknown>>;
  readonly results: Map<string, unknown>;
  readonly running: Map<Promise<void>, StepSpec>;
  readonly stopAll: AbortController;
  /** How many attempts have ended. */
  ended: number;
  /** Called when one ends, while the loop waits for that. */
  onEnd?: (() => void) | undefined;
  /** The first failure for good; nothing new is claimed after it. */
  failure?: string;
  stop?: Stop;
  /** Something that is no step's fault, such as a database that is gone. */
  crash?: unknown;
}

/** Stops every task that runs; the first reason counts. */
export function stopEverything(drive: Drive, why: Stop): void {
  drive.stop ??= why;
  drive.stopAll.abort();
}

/** The steps whose results a step takes. */
export function needed(spec: StepSpec): readonly string[] {
  const over = spec.foreach?.kind === 'result' ? [spec.foreach.of] : [];
  return [...new Set([...Object.values(spec.needs), ...over])];
}

export function stepSpec(pipeline: PipelineSpec, name: string): StepSpec {
  // Step rows were made from this pipeline.
  return pipeline.steps.find((step) => step.name === name) as StepSpec;
}
