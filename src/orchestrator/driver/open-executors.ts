// The executors of one run: this machine's always, the fleet's where a step asks for it.

import type { PipelineSpec, StepSpec } from '../../definitions/index.ts';
import { isBuiltIn } from '../executors/local/built-in-tasks.ts';
import type { OrchestratorDeps } from '../orchestrator-deps.ts';
import type { NamedExecutor } from './drive-run.ts';

export async function openExecutors(
  deps: Pick<OrchestratorDeps, 'executor' | 'openExecutor' | 'openFleet'>,
  driver: string,
  { steps }: PipelineSpec,
): Promise<{ readonly executorOf: (spec: StepSpec) => NamedExecutor; readonly close: () => Promise<void> }> {
  // What Headrace itself knows how to do takes the project's own stores, which workers have not.
  const isForFleet = ({ action, executor = deps.executor }: StepSpec): boolean =>
    executor === 'fleet' && !isBuiltIn(action);
  const fleet = steps.some(isForFleet) ? { name: 'fleet', executor: await deps.openFleet(driver) } : undefined;
  const local = { name: `local:${driver}`, executor: deps.openExecutor(driver) };
  return {
    executorOf: (spec) => (fleet !== undefined && isForFleet(spec) ? fleet : local),
    async close() {
      await Promise.all([local.executor.close(), fleet?.executor.close()]);
    },
  };
}
