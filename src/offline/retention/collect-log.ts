// Cuts of the event log that retention lets go of, as `headrace log prune` and each materialize do: an item a writer.

import { counted, MICROS_PER_DAY } from '../../core/index.ts';
import type { Collector, Removable } from '../../storage/index.ts';
import type { WriterRemoval } from './plan-removal.ts';
import { planPrune, removePruned, type RetentionDeps } from './prune-log.ts';

/** `open` is asked only where something is shipped that could go. */
export function collectLog({ log }: Pick<RetentionDeps, 'log'>, open: () => Promise<RetentionDeps>): Collector {
  /** The plan of this moment, by the first cuts that it would take. */
  const look = async (): Promise<ReadonlyMap<string, WriterRemoval>> => {
    if (log === undefined || (await log.contents()).length === 0) return new Map();
    const { writers } = await planPrune(await open());
    return new Map(writers.filter(({ from, through }) => through >= from).map((one) => [idOf(one), one]));
  };
  return {
    name: 'log segment',
    async plan() {
      const found = [...(await look())];
      if (found.length === 0) return { items: [] };
      const seen = new Map((await log?.writers())?.map(({ number, seenMicros }) => [number, seenMicros]));
      return {
        items: found.map(([id, { writer, from, through, rows }]): Removable => {
          const events = [...rows.values()].reduce((sum, count) => sum + count, 0);
          return {
            id,
            what: `cuts ${from} to ${through} of writer ${writer}, ${counted(events, 'event')}`,
            why: 'its files hold them by now, or they are past pushLog.retention',
            bytes: null,
            sinceMicros: Math.floor((seen.get(writer) ?? 0) / MICROS_PER_DAY) * MICROS_PER_DAY,
            data: { writer, from, through },
          };
        }),
      };
    },
    async recheck(items) {
      const found = await look();
      return items.filter(({ id }) => found.has(id));
    },
    // The log's rows go with its objects, by their own transaction: a note is all that is written here.
    forget: async (_trx, items) => items,
    async erase(item) {
      const found = (await look()).get(item.id);
      // What is needed by now, by a view that came since, is not in the plan any more.
      if (found !== undefined) await removePruned(await open(), [found]);
    },
  };
}

const idOf = ({ writer, from, through }: WriterRemoval): string => `${writer}/${from}-${through}`;
