// Where the time of one request went at an arm: made for requests that ask for it alone.

import type { NodeTiming } from '../models/index.ts';
import type { Arm } from './arm.ts';

/** Milliseconds; 0 for what was not come to. */
export interface ArmTiming {
  featuresMs: number;
  /** From the rows' coming to the model until it began with them. */
  queueMs: number;
  /** From then on, until all rows were told of. */
  inferenceMs: number;
  /** Rows that the model did not run for: it had run for equal ones. */
  cachedRows: number;
  /** By name, of a model that is made of others; a node's runs are one. */
  readonly nodes: Map<string, NodeSum>;
}

interface NodeSum extends NodeTiming {
  readonly runs: number;
}

export interface TimedArm {
  readonly arm: Arm;
  readonly rows: number;
  readonly timing: ArmTiming;
}

export function createArmTiming(): ArmTiming {
  return { featuresMs: 0, queueMs: 0, inferenceMs: 0, cachedRows: 0, nodes: new Map() };
}

export function addNodeTiming({ nodes }: ArmTiming, run: NodeTiming): void {
  const { node, version } = run;
  const before = nodes.get(node) ?? { runs: 0, rows: 0, failures: 0, standIns: 0, tookMs: 0 };
  nodes.set(node, {
    node,
    version,
    runs: before.runs + 1,
    rows: before.rows + run.rows,
    failures: before.failures + run.failures,
    standIns: before.standIns + run.standIns,
    tookMs: before.tookMs + run.tookMs,
  });
}

/** As an answer shows it. */
export function presentTimings(timed: readonly TimedArm[]): readonly object[] {
  return timed.map(({ arm, rows, timing }) => ({
    variant: arm.name,
    model: arm.graph.model.spec.name,
    version: arm.version,
    rows,
    cached_rows: timing.cachedRows,
    features_ms: round(timing.featuresMs),
    queue_ms: round(timing.queueMs),
    inference_ms: round(timing.inferenceMs),
    nodes: Array.from(timing.nodes.values(), ({ standIns, tookMs, ...node }) => ({
      ...node,
      stand_ins: standIns,
      ms: round(tookMs),
    })),
  }));
}

// What is below a microsecond says nothing.
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
