// The executors of one run: this machine's always, the fleet's and those of clusters where a step asks for them, the fleet's too where
// it has tasks from before.

import { contentHash, stringifyJson } from '../../core/index.ts';
import type { ClusterSpec, StepSpec } from '../../definitions/index.ts';
import { isBuiltIn } from '../executors/local/built-in-tasks.ts';
import type { OrchestratorDeps } from '../orchestrator-deps.ts';
import type { LoadedRun } from '../rows/run-store.ts';
import type { KnownExecutors, NamedExecutor } from './handed-slices.ts';

const FLEET = 'fleet';

type Deps = Pick<OrchestratorDeps, 'executor' | 'openExecutor' | 'openFleet' | 'clusters'>;

export async function openExecutors(
  deps: Deps,
  driver: string,
  { run, slices }: Pick<LoadedRun, 'run' | 'slices'>,
): Promise<KnownExecutors & { readonly close: () => Promise<void> }> {
  const places = new Map(
    run.spec.steps.map((spec) => [stringifyJson(placeOf(spec, deps.executor)), placeOf(spec, deps.executor)]),
  );
  if (slices.some(({ executor }) => executor === FLEET)) places.set(stringifyJson(FLEET), FLEET);
  const opened = new Map<string, NamedExecutor>();
  const closeAll = async (executors: Iterable<NamedExecutor>): Promise<void> =>
    void (await Promise.all([...executors].map(({ executor }) => executor.close())));
  try {
    for (const [key, place] of places) {
      if (place === 'local') continue;
      const executor = await (place === FLEET ? deps.openFleet(driver) : deps.clusters.open(place, run.id, driver));
      opened.set(key, { name: place === FLEET ? FLEET : nameOf(place, run.id), executor });
    }
  } catch (error) {
    await closeAll(opened.values()).catch(() => {}); // what went wrong first is what counts
    throw error;
  }
  const local: NamedExecutor = { name: `local:${driver}`, executor: deps.openExecutor(driver) };
  const known = new Map<StepSpec, NamedExecutor>();
  return {
    executorOf(spec) {
      const named = known.get(spec) ?? opened.get(stringifyJson(placeOf(spec, deps.executor))) ?? local;
      known.set(spec, named);
      return named;
    },
    // Those of other drivers on this machine are its own executor's to look for.
    executorNamed: (name) =>
      name.startsWith('local:') ? local : [...opened.values()].find((named) => named.name === name),
    close: () => closeAll([local, ...opened.values()]),
  };
}

/** A run may have several clusters of a kind: each knows of its own slices alone. */
function nameOf(cluster: ClusterSpec, run: string): string {
  return `${cluster.kind}:${run}/${contentHash(cluster).slice(0, 8)}`;
}

/** What Headrace itself knows how to do takes the project's own stores, which no other machine has. */
export function placeOf(
  { action, executor }: Pick<StepSpec, 'action' | 'executor'>,
  configured: OrchestratorDeps['executor'],
): 'local' | 'fleet' | ClusterSpec {
  return isBuiltIn(action) ? 'local' : (executor ?? configured);
}
