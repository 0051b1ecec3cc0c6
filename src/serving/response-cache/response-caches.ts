// What models have answered, kept by endpoint, arm and model input: each endpoint within bounds of its own, all of a process
// within one. What an arm answered goes with the last plan that has the arm.

import type { Value } from '../../core/index.ts';
import type { CacheSpec } from '../../definitions/index.ts';
import type { CacheStatistics } from '../../monitoring/index.ts';
import { entryBytes } from './entry-bytes.ts';
import type { Flight } from './flight.ts';
import { createRecency, type Linked, type Recency } from './recency.ts';

/** What one arm of an endpoint has answered. */
export interface ArmCache {
  /** The outputs that were kept for the model's input, unless they are too old. */
  get(key: string): readonly Value[] | undefined;
  put(key: string, outputs: readonly Value[]): void;
  /** Rows whose runs are under way, by their key. */
  readonly flights: Map<string, Flight>;
  /** A row runs, since nothing is kept for it. */
  missed(): void;
  /** A row was answered by the run of an equal one. */
  shared(): void;
  /** The last one of an arm drops what is kept, some thousand entries at once and the rest as `sweep` is called. A second call does nothing. */
  release(): void;
}

export interface ResponseCaches {
  /** What is kept of the arm, whoever else holds it; the bounds are the endpoint's from now on. */
  hold(of: { readonly endpoint: string; readonly arm: string }, spec: CacheSpec): ArmCache;
  /** Drops entries of arms that nobody holds any more, and those that are too old: some thousands at the most. */
  sweep(): void;
  statistics(): readonly CacheStatistics[];
}

interface Entry extends Linked<Entry> {
  readonly key: string;
  readonly outputs: readonly Value[];
  readonly bytes: number;
  readonly storedMs: number;
  readonly of: KeptArm;
  /** Of all endpoints: a greater one is later. */
  used: number;
}

interface KeptArm {
  readonly endpoint: KeptEndpoint;
  /** In the order that they were stored in. */
  readonly entries: Map<string, Entry>;
  readonly flights: Map<string, Flight>;
  holders: number;
}

interface KeptEndpoint {
  readonly name: string;
  readonly arms: Map<string, KeptArm>;
  readonly recency: Recency<Entry>;
  spec: CacheSpec;
  entries: number;
  bytes: number;
  hits: number;
  misses: number;
  shared: number;
  evictions: number;
}

/** Neither a sweep nor the end of an arm may keep the event loop. */
const MOST_SWEPT = 4096;

/** `maxBytes`: of all endpoints. `nowMs`: a clock that only goes forward. */
export function createResponseCaches({
  maxBytes,
  nowMs = () => performance.now(),
}: {
  readonly maxBytes: number;
  readonly nowMs?: () => number;
}): ResponseCaches {
  const endpoints = new Map<string, KeptEndpoint>();
  /** Nobody holds them, and they still have entries. */
  const leaving = new Set<KeptArm>();
  let bytes = 0;
  let uses = 0;

  const isOld = ({ storedMs, of }: Entry): boolean => (nowMs() - storedMs) * 1000 >= of.endpoint.spec.ttlMicros;

  const remove = (entry: Entry): void => {
    const { of, key } = entry;
    const { endpoint } = of;
    of.entries.delete(key);
    endpoint.recency.remove(entry);
    endpoint.entries--;
    endpoint.bytes -= entry.bytes;
    bytes -= entry.bytes;
  };

  /** Drops as many at the most; gives how many more it might have. */
  const clear = (arm: KeptArm, most: number): number => {
    let left = most;
    for (const entry of arm.entries.values()) {
      if (left === 0) break;
      remove(entry);
      left--;
    }
    if (arm.entries.size === 0) leaving.delete(arm);
    else leaving.add(arm);
    return left;
  };

  const evict = (entry: Entry | undefined): void => {
    if (entry === undefined) return;
    entry.of.endpoint.evictions++;
    remove(entry);
  };
  /** Of all endpoints. */
  const oldest = (): Entry | undefined => {
    let found: Entry | undefined;
    for (const { recency } of endpoints.values()) {
      const { last } = recency;
      if (last !== undefined && (found === undefined || last.used < found.used)) found = last;
    }
    return found;
  };

  /** Makes room for so much more. */
  const fit = (endpoint: KeptEndpoint, moreEntries: number, moreBytes: number): void => {
    const { spec, recency } = endpoint;
    const isPast = (): boolean =>
      endpoint.entries + moreEntries > spec.maxEntries || endpoint.bytes + moreBytes > spec.maxBytes;
    while (endpoint.entries > 0 && isPast()) evict(recency.last);
    while (bytes > 0 && bytes + moreBytes > maxBytes) evict(oldest());
  };

  const endpointOf = (name: string, spec: CacheSpec): KeptEndpoint => {
    let endpoint = endpoints.get(name);
    if (endpoint === undefined) {
      const counts = { entries: 0, bytes: 0, hits: 0, misses: 0, shared: 0, evictions: 0 };
      endpoint = { name, arms: new Map(), recency: createRecency(), spec, ...counts };
      endpoints.set(name, endpoint);
    }
    endpoint.spec = spec;
    fit(endpoint, 0, 0);
    return endpoint;
  };

  return {
    hold({ endpoint: name, arm: id }, spec) {
      const endpoint = endpointOf(name, spec);
      let held = endpoint.arms.get(id);
      if (held === undefined)
        endpoint.arms.set(id, (held = { endpoint, entries: new Map(), flights: new Map(), holders: 0 }));
      held.holders++;
      const arm = held;
      let isHeld = true;
      return {
        flights: arm.flights,
        get(key) {
          const entry = arm.entries.get(key);
          if (entry === undefined) return undefined;
          if (isOld(entry)) {
            remove(entry);
            return undefined;
          }
          endpoint.hits++;
          entry.used = ++uses;
          endpoint.recency.touch(entry);
          return entry.outputs;
        },
        put(key, outputs) {
          // A run may end after all who wait for it have left, the plan too.
          if (arm.holders === 0) return;
          const before = arm.entries.get(key);
          if (before !== undefined) remove(before);
          const own = entryBytes(key, outputs);
          if (own > endpoint.spec.maxBytes || own > maxBytes) return;
          fit(endpoint, 1, own);
          const entry: Entry = {
            key,
            outputs,
            bytes: own,
            storedMs: nowMs(),
            of: arm,
            used: ++uses,
            before: undefined,
            after: undefined,
          };
          arm.entries.set(key, entry);
          endpoint.recency.add(entry);
          endpoint.entries++;
          endpoint.bytes += own;
          bytes += own;
        },
        missed: () => void endpoint.misses++,
        shared: () => void endpoint.shared++,
        release() {
          if (!isHeld) return;
          isHeld = false;
          if (--arm.holders > 0) return;
          endpoint.arms.delete(id);
          clear(arm, MOST_SWEPT);
        },
      };
    },
    sweep() {
      let left = MOST_SWEPT;
      for (const arm of leaving) left = clear(arm, left);
      for (const { arms } of endpoints.values())
        for (const { entries } of arms.values())
          for (const entry of entries.values()) {
            if (left === 0 || !isOld(entry)) break;
            remove(entry);
            left--;
          }
    },
    statistics: () =>
      Array.from(endpoints.values(), ({ name, hits, misses, shared, evictions, entries, bytes: own }) => ({
        endpoint: name,
        hits,
        misses,
        shared,
        evictions,
        entries,
        bytes: own,
      })),
  };
}
