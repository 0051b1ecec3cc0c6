// What a finished step gave, read back from its tasks' outputs.

import type { StepSpec } from '../definitions/index.ts';
import type { RunsDeps } from './orchestrator-deps.ts';
import { readOutput } from './run-task.ts';
import { stepOutputs } from './task-rows.ts';

/** A finished step's result: of a `foreach`, the array of its children's. */
export async function stepResult(
  deps: Pick<RunsDeps, 'database' | 'objects'>,
  runId: string,
  spec: StepSpec,
): Promise<unknown> {
  const outputs = await stepOutputs(deps.database, runId, spec.name);
  const results = await Promise.all(outputs.map((output) => readOutput(deps.objects, output)));
  return spec.foreach === undefined ? results[0] : results;
}
