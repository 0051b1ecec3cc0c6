// The executors of one run: this machine's always, the fleet's and those of clusters where a step asks for them.

import { stringifyJson } from '../../core/index.ts';
import type { ClusterSpec, PipelineSpec, StepSpec } from '../../definitions/index.ts';
import { isBuiltIn } from '../executors/local/built-in-tasks.ts';
import type { OrchestratorDeps } from '../orchestrator-deps.ts';
import type { NamedExecutor } from './drive-run.ts';

type Deps = Pick<OrchestratorDeps, 'executor' | 'openExecutor' | 'openFleet' | 'clusters'>;

export async function openExecutors(
  deps: Deps,
  run: string,
  driver: string,
  { steps }: PipelineSpec,
): Promise<{ readonly executorOf: (spec: StepSpec) => NamedExecutor; readonly close: () => Promise<void> }> {
  const opened = new Map<string, NamedExecutor>();
  for (const spec of steps) {
    const place = placeOf(spec, deps.executor);
    if (place === 'local' || opened.has(stringifyJson(place))) continue;
    const named =
      place === 'fleet'
        ? { name: 'fleet', executor: await deps.openFleet(driver) }
        : { name: `${place.kind}:${run}`, executor: await deps.clusters.open(place, run, driver) };
    opened.set(stringifyJson(place), named);
  }
  const local = { name: `local:${driver}`, executor: deps.openExecutor(driver) };
  const known = new Map<StepSpec, NamedExecutor>();
  return {
    executorOf(spec) {
      const named = known.get(spec) ?? opened.get(stringifyJson(placeOf(spec, deps.executor))) ?? local;
      known.set(spec, named);
      return named;
    },
    async close() {
      await Promise.all([local, ...opened.values()].map(({ executor }) => executor.close()));
    },
  };
}

/** What Headrace itself knows how to do takes the project's own stores, which no other machine has. */
export function placeOf(
  { action, executor }: Pick<StepSpec, 'action' | 'executor'>,
  configured: OrchestratorDeps['executor'],
): 'local' | 'fleet' | ClusterSpec {
  return isBuiltIn(action) ? 'local' : (executor ?? configured);
}
