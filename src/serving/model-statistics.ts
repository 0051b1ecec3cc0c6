// What the models in memory have counted, for whoever holds them: told while they are held, and after that until they have
// nothing left to count.

import type { LoadedModel, NodeCounts } from '../models/index.ts';
import type { ModelStatistics } from '../monitoring/index.ts';

export interface ModelHolders {
  /**
   * From now on the model is told as this version; the call that it gives ends that. `nodes`: of one that is made of others,
   * what those have counted.
   */
  hold(loaded: LoadedModel, model: string, version: number, nodes?: () => readonly NodeCounts[]): () => void;
  /** Each model once, also where several hold it: as the version that has held it longest. */
  statistics(): readonly ModelStatistics[];
}

interface Version {
  readonly model: string;
  readonly version: number;
  readonly nodes: (() => readonly NodeCounts[]) | undefined;
}

export function createModelHolders(): ModelHolders {
  const held = new Map<LoadedModel, Set<Version>>();
  /** Those that nobody holds any more, by the version that held them last. */
  const released = new Map<LoadedModel, Version>();
  return {
    hold(loaded, model, version, nodes) {
      const own = { model, version, nodes };
      let holders = held.get(loaded);
      if (holders === undefined) held.set(loaded, (holders = new Set()));
      holders.add(own);
      released.delete(loaded);
      return () => {
        if (!holders.delete(own) || holders.size > 0) return;
        held.delete(loaded);
        released.set(loaded, own);
      };
    },
    statistics() {
      const told: ModelStatistics[] = [];
      const tell = (loaded: LoadedModel, { model, version, nodes }: Version): boolean => {
        const { runs, rows, failures, refused, queuedRows, runningRows, waitMicros } = loaded.statistics();
        const counted = { runs, rows, failures, refused: { ...refused }, queuedRows, waitMicros };
        told.push({
          loaded,
          model,
          version,
          ...counted,
          memoryBytes: loaded.memoryBytes,
          nodesByProvider: loaded.nodesByProvider,
          ...(nodes === undefined ? {} : { nodes: nodes() }),
        });
        return queuedRows + runningRows === 0;
      };
      for (const [loaded, holders] of held) for (const one of [...holders].slice(0, 1)) tell(loaded, one);
      // Rows that their requests no longer wait for may still wait and run.
      for (const [loaded, version] of released) if (tell(loaded, version)) released.delete(loaded);
      return told;
    },
  };
}
