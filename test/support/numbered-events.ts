// Events of which each has a record of its own, so that a read tells how often one event is counted.

import { formatTimestamp, type Micros } from '../../src/core/index.ts';
import type { EventLog } from '../../src/events/index.ts';
import { eventDefinitions } from './event-definitions.ts';
import type { IngestionWorld } from './ingestion-world.ts';

export const definitions = eventDefinitions();
const { manifest } = definitions;
export const source = manifest.sources['events'] as (typeof manifest.sources)[string];

export const recordOf = (number: number): string => `event ${number}`;

export function numberedEvent(number: number, at: Micros) {
  return { k: recordOf(number), happened: formatTimestamp(at), n: number };
}

/** How often each event is counted online. */
export async function countedOnline(world: IngestionWorld, numbers: readonly number[]): Promise<number[]> {
  const index = manifest.views['v']?.features.findIndex(({ name }) => name === 'rows') as number;
  const reads = await world.read(manifest, numbers.map(recordOf));
  return reads.map(({ values }) => Number(values[index] ?? 0));
}

/** How often each event lies in what every machine can read of the logs. */
export async function countedInLogs(log: EventLog): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  for (const { number: writer } of await log.writers())
    for await (const entry of log.read(writer, 1, Infinity))
      for (const { row } of entry.rows(source)) {
        const n = Number(row['n']);
        counts.set(n, (counts.get(n) ?? 0) + 1);
      }
  return counts;
}
