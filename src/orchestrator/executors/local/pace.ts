// How long tasks take, as a mean in which the newest weigh most: by it batches are made as large as fits into a moment.

export interface PaceMeter {
  /** Undefined before the first. */
  readonly ms: number | undefined;
  add(ms: number): void;
}

export function createPaceMeter(): PaceMeter {
  let mean: number | undefined;
  return {
    get ms() {
      return mean;
    },
    add(ms) {
      mean = mean === undefined ? ms : mean * 0.25 + ms * 0.75;
    },
  };
}
