// Where a request's time went at a variant, as headrace.v1.ArmTimings.

import type { TimedArm } from '../../arm-timing.ts';
import type { WireWriter } from '../wire/wire-writer.ts';

const ARM = {
  variant: 1,
  model: 2,
  version: 3,
  rows: 4,
  features: 5,
  queue: 6,
  inference: 7,
  nodes: 8,
  cachedRows: 9,
} as const;
const NODE = { node: 1, version: 2, runs: 3, rows: 4, failures: 5, standIns: 6, ms: 7 } as const;

/** `field` is an ArmTimings of the message that is written. */
export function writeTimings(out: WireWriter, field: number, { arm, rows, timing }: TimedArm): void {
  const place = out.begin(field);
  out.text(ARM.variant, arm.name);
  out.text(ARM.model, arm.graph.model.spec.name);
  out.int(ARM.version, arm.version);
  out.int(ARM.rows, rows);
  out.double(ARM.features, timing.featuresMs);
  out.double(ARM.queue, timing.queueMs);
  out.double(ARM.inference, timing.inferenceMs);
  for (const { node, version, runs, rows: nodeRows, failures, standIns, tookMs } of timing.nodes.values()) {
    const one = out.begin(ARM.nodes);
    out.text(NODE.node, node);
    if (version !== null) out.int(NODE.version, version);
    out.int(NODE.runs, runs);
    out.int(NODE.rows, nodeRows);
    out.int(NODE.failures, failures);
    out.int(NODE.standIns, standIns);
    out.double(NODE.ms, tookMs);
    out.end(one);
  }
  out.int(ARM.cachedRows, timing.cachedRows);
  out.end(place);
}
