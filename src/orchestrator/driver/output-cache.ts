// Outputs of cached steps: found again for tasks that are next, and kept of those that ended.

import { canonicalJson, eachFewAtOnce } from '../../core/index.ts';
import { getBlob, hasBlob, type ObjectStore, unlessUnreadable } from '../../storage/index.ts';
import type { Batch, CachedOutput, TaskOutput } from '../engine/batch.ts';
import type { CacheHit, Command, EngineEvent } from '../engine/events.ts';
import type { RunInHand } from '../engine/run-in-hand.ts';
import type { RunStore } from '../rows/run-store.ts';
import { readOrder, type StepOrder } from '../step/order.ts';
import { cacheKeys } from './cache-keys.ts';
import type { CacheReader } from './prepare-step.ts';

export interface OutputCache {
  lookUp(command: Extract<Command, { kind: 'look up' }>): Promise<EngineEvent>;
  /** Of a batch's tasks that succeeded by themselves: what was caught is no output to be taken again. */
  outputsOf(batch: Pick<Batch, 'tasks' | 'steps'>, at: number): Promise<readonly CachedOutput[]>;
}

export interface CacheDeps {
  readonly store: Pick<RunStore, 'cached'>;
  readonly objects: ObjectStore;
  readonly cacheReads: CacheReader;
}

interface KeyedOrder {
  readonly order: StepOrder;
  /** Undefined where the order says that its outputs are neither looked up nor kept. */
  readonly keyOf: ((index: number) => string) | undefined;
}

/** Orders that are held at a time; a step in a group has one for each of the group's items, which may be 100,000. */
export const MOST_ORDERS = 256;

/** Blobs that are looked for at once. */
const LOOKS_AT_ONCE = 16;
/** Of a file that Headrace stored. */
const FILE = /"uri":"blob:([0-9a-f]{64})"/g;

/** Whether an output and the files that it names are still in the artifact store. Of one that is not, the task runs again. */
async function isThere(objects: ObjectStore, output: TaskOutput): Promise<boolean> {
  const json = 'json' in output ? output.json : await unlessUnreadable(getBlob(objects, output.blob));
  if (json === undefined) return false;
  const text = typeof json === 'string' ? json : Buffer.from(json).toString();
  for (const [, name = ''] of text.matchAll(FILE)) if (!(await hasBlob(objects, name))) return false;
  return true;
}

export function createOutputCache(
  { store, objects, cacheReads }: CacheDeps,
  { graph }: Pick<RunInHand, 'graph'>,
): OutputCache {
  /** The keys of a step's tasks, by where its order lies, the one that was asked for last at the end. */
  const known = new Map<string, Promise<KeyedOrder>>();
  const read = async (name: string): Promise<KeyedOrder> => {
    const order = await readOrder(objects, name);
    return { order, keyOf: order.cache?.off === undefined ? cacheKeys(order) : undefined };
  };
  const keyed = (name: string): Promise<KeyedOrder> => {
    const held = known.get(name);
    const one = held ?? read(name);
    known.delete(name);
    known.set(name, one);
    const [oldest] = known.keys();
    if (known.size > MOST_ORDERS && oldest !== undefined) known.delete(oldest);
    if (held === undefined)
      one.catch(() => {
        if (known.get(name) === one) known.delete(name);
      });
    return one;
  };
  const cachedStep = (step: string) => {
    const node = graph.nodes.get(step);
    return node?.kind === 'step' && node.spec.cache === true ? node.spec : undefined;
  };
  return {
    async lookUp({ step, scope, order, from, count }) {
      const { keyOf } = await keyed(order);
      const hits: CacheHit[] = [];
      if (keyOf !== undefined) {
        // Equal items have one key.
        const wanted = new Map<string, number[]>();
        for (let index = from; index < from + count; index++) {
          const key = keyOf(index);
          const same = wanted.get(key);
          if (same === undefined) wanted.set(key, [index]);
          else same.push(index);
        }
        const found = await store.cached([...wanted.keys()]);
        await eachFewAtOnce(LOOKS_AT_ONCE, found, async ([key, { output, run }]) => {
          if (!(await isThere(objects, output))) return;
          for (const index of wanted.get(key) ?? []) hits.push({ index, output, run });
        });
        hits.sort((one, other) => one.index - other.index);
      }
      return { kind: 'looked up', step, scope, from, count, hits };
    },
    async outputsOf({ tasks, steps }, at) {
      const cached: CachedOutput[] = [];
      /** Whether what an order's tasks read is still what its keys say. */
      const unchanged = new Map<string, Promise<boolean>>();
      // A task that ends changes its step's row; what lies in an item that is done is in hand no more.
      const orders = new Map(steps.map(({ step, scope, order }) => [`${step} ${scope}`, order]));
      for (const { step, scope, index, state, output, error, from } of tasks) {
        if (state !== 'succeeded' || output === null || error !== null || from !== null) continue;
        const spec = cachedStep(step);
        const name = orders.get(`${step} ${scope}`) ?? null;
        if (spec === undefined || name === null) continue;
        const { order, keyOf } = await keyed(name);
        if (keyOf === undefined) continue;
        const isUnchanged =
          unchanged.get(name) ??
          cacheReads(order, spec).then((now) => canonicalJson(now) === canonicalJson(order.cache ?? { reads: {} }));
        unchanged.set(name, isUnchanged);
        // An output that may be of other data than its key says is not kept.
        if (await isUnchanged) cached.push({ key: keyOf(index), output, at });
      }
      return cached;
    },
  };
}
