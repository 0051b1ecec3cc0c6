// Work that comes all at once, done a few at a time, in the order in which it came.

/** The function that it gives starts what it is handed as soon as fewer than `most` are under way. */
export function fewAtOnce(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = most;
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      // Its turn is handed on: nobody who comes now is before it.
      else next();
    }
  };
}
