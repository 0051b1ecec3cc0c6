// The port through which a server tells its figures: one worker's own, or those of all workers together.

export interface LiveStats {
  /** Prometheus' text format. */
  prometheus(): Promise<string>;
  /** The figures of now as plain JSON data, for the stream. */
  live(): Promise<unknown>;
}
