// The metrics of response caches: rows that they answered, rows that they did not, and what they hold.

import type { CacheCounts, CacheReading } from './cache-figures.ts';
import type { Figures } from './figures.ts';
import type { Metric } from './metric.ts';

/** Those without points too. */
export function cacheMetrics({ caches, processes }: Figures): Metric[] {
  const rows = (one: CacheCounts): readonly (readonly [result: string, rows: number])[] => [
    ['hit', one.hits],
    ['miss', one.misses],
    ['shared', one.shared],
  ];
  const held = (name: string, unit: Metric['unit'], help: string, pick: (one: CacheReading) => number): Metric => ({
    name,
    unit,
    help,
    kind: 'gauge',
    points: processes.caches.map((one) => ({ labels: { endpoint: one.endpoint }, value: pick(one) })),
  });
  return [
    {
      name: 'headrace.cache.rows',
      unit: '{row}',
      help: 'Rows that were looked for in an endpoint’s cache: found there (hit), not (miss), or answered by the run of an equal row that was under way (shared).',
      kind: 'counter',
      points: caches.flatMap((one) =>
        rows(one).map(([result, value]) => ({ labels: { endpoint: one.endpoint, result }, value })),
      ),
    },
    {
      name: 'headrace.cache.evictions',
      unit: '{entry}',
      help: 'Answers that left an endpoint’s cache since there was no room, before they were too old.',
      kind: 'counter',
      points: caches.map(({ endpoint, evictions }) => ({ labels: { endpoint }, value: evictions })),
    },
    held('headrace.cache.entries', '{entry}', 'Answers that are kept, in all processes.', ({ entries }) => entries),
    held('headrace.cache.size', 'By', 'Memory of the answers that are kept, in all processes.', ({ bytes }) => bytes),
  ];
}
