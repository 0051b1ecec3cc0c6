// How long work tells of itself: a bar on a terminal, plain lines elsewhere; drawn by `cli`, reported by whoever works.

export interface Progress {
  /** A step begins; `total` (of `unit`) when it is known. */
  start(step: string, total?: number, unit?: string): void;
  /** So much of the step is done in all. */
  advance(done: number): void;
  /** The step ended, with a few words of result. */
  done(summary?: string): void;
}

export const silentProgress: Progress = { start() {}, advance() {}, done() {} };
