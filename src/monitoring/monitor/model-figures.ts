// What is told of each loaded model: runs and rows that add up, and how much waits for it now.

/** What a model says of itself, counted since it was loaded. */
export interface ModelStatistics {
  /** The model in memory that counted: a version may be loaded several times, at once and one after the other. */
  readonly loaded: object;
  readonly model: string;
  readonly version: number;
  readonly runs: number;
  /** Rows that a model answered. */
  readonly rows: number;
  /** Rows that no run of a model answered: its runtime failed on them, or on others that ran with them. */
  readonly failures: number;
  /** Rows that were not run, or not to their end, by reason: `full`, `deadline`, `cancelled`, … */
  readonly refused: Readonly<Record<string, number>>;
  /** Sum of the times that rows waited until their run began. */
  readonly waitMicros: number;
  /** Rows that wait. */
  readonly queuedRows: number;
  /** 0 where it is not known. */
  readonly memoryBytes: number;
  /** How many of its nodes were seen to run on each execution provider. */
  readonly nodesByProvider?: Readonly<Record<string, number>> | undefined;
  /** Of one that is made of others. */
  readonly nodes?: readonly NodeStatistics[];
}

/** What a node of a graph has counted since the graph was loaded. */
export interface NodeStatistics {
  readonly node: string;
  /** Times that it was given rows. */
  readonly runs: number;
  readonly rows: number;
  /** Rows that it failed itself, whatever became of them. */
  readonly failures: number;
  readonly micros: number;
}

export interface ModelCounts {
  readonly model: string;
  readonly version: number;
  readonly runs: number;
  readonly rows: number;
  readonly failures: number;
  readonly waitMicros: number;
  readonly refused: readonly (readonly [reason: string, count: number])[];
  /** Left out for none. */
  readonly nodes?: readonly NodeStatistics[];
}

export type ModelReading = Pick<
  ModelStatistics,
  'model' | 'version' | 'queuedRows' | 'memoryBytes' | 'nodesByProvider'
>;

export const modelKey = ({ model, version }: Pick<ModelStatistics, 'model' | 'version'>): string =>
  JSON.stringify([model, version]);

/** Gives what was added since the last time, however long a model was not told of meanwhile. */
export function createModelDeltas(): (statistics: readonly ModelStatistics[]) => ModelCounts[] {
  const last = new WeakMap<object, ModelStatistics>();
  return (statistics) =>
    statistics.map((one) => {
      const added = addedSince(one, last.get(one.loaded));
      last.set(one.loaded, one);
      return added;
    });
}

function addedSince(now: ModelStatistics, before: ModelStatistics | undefined): ModelCounts {
  const nodes = now.nodes?.map(({ node, runs, rows, failures, micros }, at): NodeStatistics => {
    // A graph's nodes never change while it is loaded.
    const was = before?.nodes?.[at];
    return {
      node,
      runs: runs - (was?.runs ?? 0),
      rows: rows - (was?.rows ?? 0),
      failures: failures - (was?.failures ?? 0),
      micros: micros - (was?.micros ?? 0),
    };
  });
  return {
    model: now.model,
    version: now.version,
    runs: now.runs - (before?.runs ?? 0),
    rows: now.rows - (before?.rows ?? 0),
    failures: now.failures - (before?.failures ?? 0),
    waitMicros: now.waitMicros - (before?.waitMicros ?? 0),
    refused: Object.entries(now.refused).map(([reason, count]) => [reason, count - (before?.refused[reason] ?? 0)]),
    ...(nodes === undefined ? {} : { nodes }),
  };
}
