// What of a graph's rows waits for the models of its nodes: a graph has no queue of its own.

export interface GraphQueue {
  /** Waiting now; a row that waits for two models counts at each. */
  rows: number;
  /** Times that rows waited at the models until their run began, added up; shadows' rows are left out. */
  waitMs: number;
  /** Rows that those times are of, each at each model. */
  waitedRows: number;
}
