// The executors of one run: this machine's always, the fleet's and those of clusters where a step asks for them, or where they have
// tasks from before.

import { parseJson, stringifyJson } from '../../core/index.ts';
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
  for (const { executor } of slices) {
    const place = placeNamed(executor);
    if (place !== undefined) places.set(stringifyJson(place), place);
  }
  const opened = new Map<string, NamedExecutor>();
  const closeAll = async (executors: Iterable<NamedExecutor>): Promise<void> =>
    void (await Promise.all([...executors].map(({ executor }) => executor.close())));
  try {
    for (const [key, place] of places) {
      if (place === 'local') continue;
      const named =
        place === FLEET
          ? { name: FLEET, executor: await deps.openFleet(driver, run.id) }
          : { name: clusterName(place), executor: await deps.clusters.open(place, run.id, driver), isCluster: true };
      opened.set(key, named);
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

const CLUSTER = 'cluster:';

/** All of it, since a step may be sent elsewhere while its jobs run: whoever drives the run next finds them by this alone. */
function clusterName(place: ClusterSpec): string {
  return `${CLUSTER}${stringifyJson(place)}`;
}

/** The place that slices of this executor's name are at; undefined for this machine's. */
function placeNamed(executor: string): typeof FLEET | ClusterSpec | undefined {
  if (executor === FLEET) return FLEET;
  if (!executor.startsWith(CLUSTER)) return undefined;
  return parseJson(executor.slice(CLUSTER.length)) as unknown as ClusterSpec; // put there above alone
}

/**
 * What Headrace itself knows how to do takes the project's own stores, which no other machine has. A batch may be sent to
 * machines that have them, by its step alone.
 */
export function placeOf(
  { action, executor }: Pick<StepSpec, 'action' | 'executor'>,
  configured: OrchestratorDeps['executor'],
): 'local' | 'fleet' | ClusterSpec {
  if (action.kind === 'predict') return executor ?? 'local';
  return isBuiltIn(action) ? 'local' : (executor ?? configured);
}
