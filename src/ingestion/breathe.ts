// Long work in small pieces: requests get their turn in between.

/** A piece of work of this length is hardly felt by whoever waits behind it. */
const SLICE_MS = 1;

/** Pieces are smaller than a hundredth of a slice: the clock is looked at now and then. */
const PIECES_A_LOOK = 8;

/** Call between pieces: waits a turn of the event loop whenever the slice is used up. */
export type Breather = () => Promise<void> | undefined;

export function createBreather(): Breather {
  let until = performance.now() + SLICE_MS;
  let pieces = 0;
  return () => {
    if (++pieces % PIECES_A_LOOK !== 0 || performance.now() < until) return undefined;
    return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      until = performance.now() + SLICE_MS;
    });
  };
}
