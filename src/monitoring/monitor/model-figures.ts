// What is told of each loaded model: runs and rows that add up, and how much waits for it now.

/** What a model says of itself, counted since it was loaded. */
export interface ModelStatistics {
  readonly model: string;
  readonly version: number;
  readonly runs: number;
  readonly rows: number;
  /** Rows that its runtime failed on. */
  readonly failures: number;
  /** Rows that were not run, by reason: `overloaded`, `deadline`, `cancelled`, … */
  readonly refused: Readonly<Record<string, number>>;
  /** Rows that wait. */
  readonly queuedRows: number;
  /** 0 where it is not known. */
  readonly memoryBytes: number;
}

export interface ModelCounts {
  readonly model: string;
  readonly version: number;
  readonly runs: number;
  readonly rows: number;
  readonly failures: number;
  readonly refused: readonly (readonly [reason: string, count: number])[];
}

export type ModelReading = Pick<ModelStatistics, 'model' | 'version' | 'queuedRows' | 'memoryBytes'>;

export const modelKey = ({ model, version }: Pick<ModelStatistics, 'model' | 'version'>): string =>
  JSON.stringify([model, version]);

/** Gives what was added since the last time. A version that was away counts from zero; one that counts backwards adds nothing. */
export function createModelDeltas(): (statistics: readonly ModelStatistics[]) => ModelCounts[] {
  let last = new Map<string, ModelStatistics>();
  return (statistics) => {
    const now = new Map(joinVersions(statistics).map((one) => [modelKey(one), one]));
    const added = [...now].map(([key, one]) => addedSince(one, last.get(key)));
    last = now;
    return added;
  };
}

function addedSince(now: ModelStatistics, before: ModelStatistics | undefined): ModelCounts {
  const added = (count: number, earlier = 0): number => Math.max(0, count - earlier);
  return {
    model: now.model,
    version: now.version,
    runs: added(now.runs, before?.runs),
    rows: added(now.rows, before?.rows),
    failures: added(now.failures, before?.failures),
    refused: Object.entries(now.refused).map(([reason, count]) => [reason, added(count, before?.refused[reason])]),
  };
}

// A version that is loaded twice, as while its traffic changes, is told of once.
export function joinVersions(statistics: readonly ModelStatistics[]): ModelStatistics[] {
  const joined = new Map<string, ModelStatistics>();
  for (const one of statistics) {
    const other = joined.get(modelKey(one));
    if (other === undefined) joined.set(modelKey(one), one);
    else {
      const refused = { ...other.refused };
      for (const [reason, count] of Object.entries(one.refused)) refused[reason] = (refused[reason] ?? 0) + count;
      joined.set(modelKey(one), {
        ...one,
        runs: one.runs + other.runs,
        rows: one.rows + other.rows,
        failures: one.failures + other.failures,
        refused,
        queuedRows: one.queuedRows + other.queuedRows,
        memoryBytes: one.memoryBytes + other.memoryBytes,
      });
    }
  }
  return [...joined.values()];
}
