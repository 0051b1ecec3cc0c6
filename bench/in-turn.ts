// Loads taken in turn: short rounds of each, so that whatever slows the machine for a while slows all of them.

import { type Load, type LoadResult, medianLoad, postFor } from './load.ts';

const WARM_SECONDS = 2;

/** Of each load the median of the rounds; the first round of each warms it up. */
export async function inTurn(
  loads: readonly Pick<Load, 'url' | 'body' | 'headers'>[],
  connections: number,
  seconds: number,
  rounds: number,
): Promise<LoadResult[]> {
  const posts = loads.map((load) => (span: number) => postFor({ ...load, connections, seconds: span }));
  return takeTurns(posts, seconds, rounds);
}

/** The same of loads of any kind, each for so many seconds. */
export async function takeTurns(
  loads: readonly ((seconds: number) => Promise<LoadResult>)[],
  seconds: number,
  rounds: number,
): Promise<LoadResult[]> {
  const results: LoadResult[][] = loads.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [at, load] of loads.entries()) {
      const result = await load(round < 0 ? WARM_SECONDS : seconds);
      if (round >= 0) results[at]?.push(result);
    }
  }
  return results.map(medianLoad);
}

export function rateOf({ requestsPerSecond, p50Ms, p99Ms, failures }: LoadResult): string {
  const failed = failures === 0 ? '' : `, ${failures} FAILED`;
  return `${Math.round(requestsPerSecond).toLocaleString('en')}/s, p50 ${p50Ms} ms, p99 ${p99Ms} ms${failed}`;
}
