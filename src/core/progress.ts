// How long work tells of itself: a bar on a terminal, plain lines elsewhere; drawn by `cli`, reported by whoever works.

export interface Progress {
  /** A step begins, within the one that is under way; `total` (of `unit`) and the bytes of all that, where they are known. */
  start(step: string, total?: number, unit?: string, bytes?: number): void;
  /** So much of the step is done in all, and so many of its bytes. */
  advance(done: number, bytes?: number): void;
  /** The step that began last ended, with a few words of result. */
  done(summary?: string): void;
}

export const silentProgress: Progress = { start() {}, advance() {}, done() {} };
