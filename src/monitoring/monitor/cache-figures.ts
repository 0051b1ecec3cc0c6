// What is told of each endpoint's cache: counts that add up, and how much it holds now.

/** What a process has counted of an endpoint's cache; never backwards, but for `entries` and `bytes`. */
export interface CacheStatistics {
  readonly endpoint: string;
  /** Rows that were answered by what was kept. */
  readonly hits: number;
  /** Rows that ran, since nothing was kept for them. */
  readonly misses: number;
  /** Rows that were answered by the run of an equal one that was under way. */
  readonly shared: number;
  /** Answers that gave their place to others. */
  readonly evictions: number;
  readonly entries: number;
  readonly bytes: number;
}

export type CacheCounts = Omit<CacheStatistics, 'entries' | 'bytes'>;
export type CacheReading = Pick<CacheStatistics, 'endpoint' | 'entries' | 'bytes'>;

const NOTHING: CacheCounts = { endpoint: '', hits: 0, misses: 0, shared: 0, evictions: 0 };

/** Gives what was added since the last time. */
export function createCacheDeltas(): (statistics: readonly CacheStatistics[]) => CacheCounts[] {
  const last = new Map<string, CacheCounts>();
  return (statistics) =>
    statistics.map((now) => {
      const before = last.get(now.endpoint);
      last.set(now.endpoint, now);
      return combine(now, before ?? NOTHING, (a, b) => a - b);
    });
}

export function addCache(caches: Map<string, CacheCounts>, added: CacheCounts): void {
  const known = caches.get(added.endpoint);
  caches.set(added.endpoint, known === undefined ? added : combine(known, added, (a, b) => a + b));
}

/** Of all processes. */
export function sumCacheReadings(readings: readonly CacheReading[]): CacheReading[] {
  const sums = new Map<string, CacheReading>();
  for (const { endpoint, entries, bytes } of readings) {
    const known = sums.get(endpoint);
    sums.set(endpoint, { endpoint, entries: entries + (known?.entries ?? 0), bytes: bytes + (known?.bytes ?? 0) });
  }
  return [...sums.values()];
}

function combine(one: CacheCounts, other: CacheCounts, by: (a: number, b: number) => number): CacheCounts {
  return {
    endpoint: one.endpoint,
    hits: by(one.hits, other.hits),
    misses: by(one.misses, other.misses),
    shared: by(one.shared, other.shared),
    evictions: by(one.evictions, other.evictions),
  };
}
