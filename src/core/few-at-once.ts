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

/**
 * Does `work` for each of `things`, which are asked for as there is room, at most `most` at once. After a failure no more are begun;
 * throws it, the first, once all that were under way have ended.
 */
export async function eachFewAtOnce<T>(
  most: number,
  things: AsyncIterable<T> | Iterable<T>,
  work: (thing: T) => Promise<void>,
): Promise<void> {
  const iterator = (async function* () {
    yield* things;
  })();
  const failures: unknown[] = [];
  const inTurn = async (): Promise<void> => {
    try {
      while (failures.length === 0) {
        const next = await iterator.next();
        if (next.done === true) return;
        await work(next.value);
      }
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(Array.from({ length: most }, inTurn));
  if (failures.length === 0) return;
  await iterator.return();
  throw failures[0];
}
