// Hours of the prediction log that are past its retention.

import { rm, stat } from 'node:fs/promises';
import { relative } from 'node:path';
import { formatTimestamp, type Micros, MICROS_PER_HOUR } from '../../core/index.ts';
import type { Collector, Removable } from '../../storage/index.ts';
import type { KeepRules } from './keep-rules.ts';
import { listGoing } from './log-retention.ts';

export interface PredictionCollectorDeps {
  readonly directory: string;
  readonly nowMicros: () => Micros;
  /** By the setting `predictionLog.keep`. */
  readonly keep: KeepRules;
}

export function collectPredictions({ directory, nowMicros, keep }: PredictionCollectorDeps): Collector {
  return {
    name: 'prediction file',
    async plan() {
      const going = await listGoing(directory, keep, nowMicros());
      return {
        items: going.map(({ file, bytes, by }): Removable => {
          const hour = `of the hour from ${formatTimestamp(file.hour).slice(0, 13)}`;
          const why = by === 'unneeded' ? 'whose outcomes are of predictions that are gone' : 'past predictionLog.keep';
          const what = relative(directory, file.path);
          return { id: file.path, what, why: `${hour}, ${why}`, bytes, sinceMicros: file.hour + MICROS_PER_HOUR };
        }),
      };
    },
    async forget(_trx, items) {
      const going: Removable[] = [];
      for (const item of items) if ((await stat(item.id).catch(() => undefined)) !== undefined) going.push(item);
      return going;
    },
    erase: ({ id }) => rm(id, { force: true }),
  };
}
