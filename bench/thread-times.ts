// What calls take of the thread's own time, in rounds taken in turn: what others do on the machine is no cost of theirs.

import { createScope, type Scope } from '../src/core/index.ts';

/** Milliseconds for one call of each, by round. */
export async function threadTimes(
  a: () => Promise<unknown>,
  b: () => Promise<unknown>,
  rounds: number,
  roundMs: number,
): Promise<readonly (readonly [number, number])[]> {
  const found: (readonly [number, number])[] = [];
  for (let round = -2; round < rounds; round++) {
    const pair = [await timed(a, roundMs), await timed(b, roundMs)] as const;
    // The first two warm up.
    if (round >= 0) found.push(pair);
  }
  return found;
}

async function timed(work: () => Promise<unknown>, ms: number): Promise<number> {
  const startMs = performance.now();
  const before = process.threadCpuUsage();
  let calls = 0;
  do {
    await work();
    calls++;
  } while (performance.now() - startMs < ms);
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000 / calls;
}

export async function together(count: number, work: () => Promise<unknown>): Promise<void> {
  if (count === 1) await work();
  else await Promise.all(Array.from({ length: count }, work));
}

/** Ten seconds and online. */
export function benchScope(): Scope {
  return createScope({
    requestId: 'bench',
    traceId: null,
    actor: ACTOR,
    deadlineMs: performance.now() + 10_000,
    priority: 'online',
    span: undefined,
  });
}

const ACTOR = { name: 'bench', roles: new Set<never>(), endpoints: null };
