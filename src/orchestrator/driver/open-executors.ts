// The executors of one run: this machine's always, the fleet's where a step asks for it or has tasks there from before.

import type { StepSpec } from '../../definitions/index.ts';
import { isBuiltIn } from '../executors/local/built-in-tasks.ts';
import type { OrchestratorDeps } from '../orchestrator-deps.ts';
import type { LoadedRun } from '../rows/run-store.ts';
import type { DriveDeps, NamedExecutor } from './drive-run.ts';

const FLEET = 'fleet';

export async function openExecutors(
  deps: Pick<OrchestratorDeps, 'executor' | 'openExecutor' | 'openFleet'>,
  driver: string,
  { run, slices }: Pick<LoadedRun, 'run' | 'slices'>,
): Promise<Pick<DriveDeps, 'executorOf' | 'executorNamed'> & { readonly close: () => Promise<void> }> {
  // What Headrace itself knows how to do takes the project's own stores, which workers have not.
  const isForFleet = ({ action, executor = deps.executor }: StepSpec): boolean =>
    executor === 'fleet' && !isBuiltIn(action);
  const isFleetAsked = run.spec.steps.some(isForFleet) || slices.some(({ executor }) => executor === FLEET);
  const fleet: NamedExecutor | undefined = isFleetAsked
    ? { name: FLEET, executor: await deps.openFleet(driver) }
    : undefined;
  const local: NamedExecutor = { name: `local:${driver}`, executor: deps.openExecutor(driver) };
  return {
    executorOf: (spec) => (fleet !== undefined && isForFleet(spec) ? fleet : local),
    // Those of other drivers on this machine are its own executor's to look for.
    executorNamed: (name) => (name === FLEET ? fleet : name.startsWith('local:') ? local : undefined),
    async close() {
      await Promise.all([local.executor.close(), fleet?.executor.close()]);
    },
  };
}
