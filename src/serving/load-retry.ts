// When a load that failed is tried again: 1 s after the first time, doubling to 60 s, for ever. Servers that failed together do
// not come again together.

const FIRST_RETRY_MS = 1000;
const MOST_RETRY_MS = 60_000;
const JITTER = 0.2;

/** How long to wait, in milliseconds. `tries`: how many have failed before this one; `random`: from 0 to 1. */
export function retryDelayMs(tries: number, random: number): number {
  return Math.min(MOST_RETRY_MS, FIRST_RETRY_MS * 2 ** tries) * (1 + JITTER * (random * 2 - 1));
}
