// What the nodes of a graph have counted since it was loaded, whoever asked for them.

/** Never backwards. */
export interface NodeCounts {
  readonly node: string;
  /** Of a model node, the version that it runs; else null. */
  readonly version: number | null;
  /** Times that it was given rows. */
  readonly runs: number;
  /** Rows that it answered itself. */
  readonly rows: number;
  /** Rows that it failed itself, whatever became of them. */
  readonly failures: number;
  /** From rows' coming to the node to their answer, its waiting for a model's queue with it. */
  readonly micros: number;
}

export interface NodeMeter {
  ran(answered: number, failures: number, tookMs: number): void;
  counts(): NodeCounts;
}

export function createNodeMeter(node: string, version: number | null): NodeMeter {
  let [runs, rows, failures, tookMs] = [0, 0, 0, 0];
  return {
    ran(answered, failed, ms) {
      runs++;
      rows += answered;
      failures += failed;
      tookMs += ms;
    },
    counts: () => ({ node, version, runs, rows, failures, micros: Math.round(tookMs * 1000) }),
  };
}
