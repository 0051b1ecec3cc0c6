// So many requests a second and no more, in the order in which they came: Batch counts them for the whole account.

/**
 * A bucket of tokens that `burst` fit in and `perSecond` come to. Gives what resolves once there is a token for the caller.
 */
export function createPace(perSecond: number, burst = 1): () => Promise<void> {
  const gapMs = 1000 / perSecond;
  // When the bucket was, or will be, full: a token is there for whoever comes less than `burst` gaps before it.
  let fullAtMs = 0;
  return async () => {
    const now = performance.now();
    fullAtMs = Math.max(fullAtMs, now) + gapMs;
    const waitMs = fullAtMs - now - burst * gapMs;
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  };
}
