// Work that is given a while: whoever waits for it goes on when the time is up.

/** What `work` gives, or undefined when that takes longer; what it then comes to, a failure too, is dropped. */
export function within<T>(work: PromiseLike<T>, limitMs: number): Promise<T | undefined>;
/** `late` is called when the time is up, at most once: what it gives, or throws, is the answer then. */
export function within<T, Late>(work: PromiseLike<T>, limitMs: number, late: () => Late): Promise<T | Late>;
export async function within<T>(work: PromiseLike<T>, limitMs: number, late?: () => unknown): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)));
  try {
    return await Promise.race([work, limit.then(late)]);
  } finally {
    clearTimeout(timer);
  }
}
