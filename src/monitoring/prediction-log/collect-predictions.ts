// Hours of the prediction log that are past its retention.

import { rm, stat } from 'node:fs/promises';
import { relative } from 'node:path';
import { formatTimestamp, type Micros, MICROS_PER_HOUR } from '../../core/index.ts';
import type { Collector, Removable } from '../../storage/index.ts';
import { listParquet } from './segments.ts';

export interface PredictionCollectorDeps {
  readonly directory: string;
  readonly nowMicros: () => Micros;
  /** Undefined keeps all. */
  readonly keepMicros: Micros | undefined;
}

export function collectPredictions({ directory, nowMicros, keepMicros }: PredictionCollectorDeps): Collector {
  return {
    name: 'prediction file',
    async plan() {
      if (keepMicros === undefined) return { items: [] };
      const files = [...(await listParquet(directory, 'predictions')), ...(await listParquet(directory, 'outcomes'))];
      const items: Removable[] = [];
      for (const { path, hour } of files) {
        const end = hour + MICROS_PER_HOUR;
        const found = nowMicros() - end < keepMicros ? undefined : await stat(path).catch(() => undefined);
        if (found === undefined) continue;
        const what = relative(directory, path);
        const why = `of the hour from ${formatTimestamp(hour).slice(0, 13)}, past retention.predictionLog`;
        items.push({ id: path, what, why, bytes: found.size, sinceMicros: end });
      }
      return { items };
    },
    async forget(_trx, items) {
      const going: Removable[] = [];
      for (const item of items) if ((await stat(item.id).catch(() => undefined)) !== undefined) going.push(item);
      return going;
    },
    erase: ({ id }) => rm(id, { force: true }),
  };
}
