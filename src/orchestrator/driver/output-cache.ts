// Outputs of cached steps: found again for tasks that are next, and kept of those that ended.

import type { ObjectStore } from '../../storage/index.ts';
import type { Batch, CachedOutput } from '../engine/batch.ts';
import type { CacheHit, Command, EngineEvent } from '../engine/events.ts';
import type { RunInHand } from '../engine/run-in-hand.ts';
import type { RunStore } from '../rows/run-store.ts';
import { readOrder } from '../step/order.ts';
import { cacheKeys, runsPython } from './cache-keys.ts';

export interface OutputCache {
  lookUp(command: Extract<Command, { kind: 'look up' }>): Promise<EngineEvent>;
  /** Of a batch's tasks that succeeded by themselves: what was caught is no output to be taken again. */
  outputsOf(batch: Pick<Batch, 'tasks' | 'steps'>, at: number): Promise<readonly CachedOutput[]>;
}

export interface CacheDeps {
  readonly store: Pick<RunStore, 'cached'>;
  readonly objects: ObjectStore;
  /** Of the Python that this machine runs steps by; null where it has none. */
  readonly pythonVersion?: (() => Promise<string | null>) | undefined;
}

export function createOutputCache(
  { store, objects, pythonVersion = async () => null }: CacheDeps,
  { graph }: Pick<RunInHand, 'graph'>,
): OutputCache {
  /** The keys of a step's tasks, by its order. */
  const keys = new Map<string, Promise<(index: number) => string>>();
  const keysBy = async (name: string) => {
    const order = await readOrder(objects, name);
    return cacheKeys(order, runsPython(order.action) ? await pythonVersion() : null);
  };
  const keysOf = (order: string): Promise<(index: number) => string> => {
    const known = keys.get(order) ?? keysBy(order);
    keys.set(order, known);
    known.catch(() => keys.delete(order));
    return known;
  };
  const isCached = (step: string): boolean => {
    const node = graph.nodes.get(step);
    return node?.kind === 'step' && node.spec.cache === true;
  };
  return {
    async lookUp({ step, scope, order, from, count }) {
      const keyOf = await keysOf(order);
      const wanted = new Map(Array.from({ length: count }, (_, at) => [keyOf(from + at), from + at]));
      const hits: CacheHit[] = [];
      for (const [key, { output, run }] of await store.cached([...wanted.keys()])) {
        const index = wanted.get(key);
        if (index !== undefined) hits.push({ index, output, run });
      }
      return { kind: 'looked up', step, scope, from, count, hits };
    },
    async outputsOf({ tasks, steps }, at) {
      const cached: CachedOutput[] = [];
      // A task that ends changes its step's row; what lies in an item that is done is in hand no more.
      const orders = new Map(steps.map(({ step, scope, order }) => [`${step} ${scope}`, order]));
      for (const { step, scope, index, state, output, error, from } of tasks) {
        if (state !== 'succeeded' || output === null || error !== null || from !== null || !isCached(step)) continue;
        const order = orders.get(`${step} ${scope}`) ?? null;
        if (order !== null) cached.push({ key: (await keysOf(order))(index), output, at });
      }
      return cached;
    },
  };
}
