/** Functions by source, as `src/core/time.ts`: the offsets of their start and end, and 1 where they were executed, else 0. */
export type Executed = Record<string, [number, number, 0 | 1][]>;

export interface Cover {
  /** What was executed since the last `take` or `restart`, without what was given since the last `restart`. */
  take(): Executed;
  /** Forgets what was executed so far. */
  restart(): void;
}

export function coverSources(): Cover;
