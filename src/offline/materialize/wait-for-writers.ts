// A run asks the writers for a cut, and waits a moment for their answers.

import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLog, WriterRow } from '../../events/index.ts';
import type { Runs } from '../../online/index.ts';

const POLL_MS = 50;

export interface AnsweredWriters {
  /** As the registry has them afterwards: with the cuts that the answers shipped. */
  readonly writers: readonly WriterRow[];
  readonly answered: ReadonlySet<number>;
}

/** A silent writer isn't waited for longer than `timeoutMs`: it is not covered past what it shipped. */
export async function waitForWriters(
  log: EventLog | undefined,
  runs: Pick<Runs, 'answers'>,
  run: number,
  timeoutMs: number,
): Promise<AnsweredWriters> {
  if (log === undefined) return { writers: [], answered: new Set() };
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answered = await runs.answers(run);
    // After the answers: what they shipped is seen.
    const writers = await log.writers();
    const isSilent = writers.some(({ number, state }) => state === 'open' && !answered.has(number));
    if (!isSilent || performance.now() >= deadline) return { writers, answered };
    await sleep(Math.min(POLL_MS, Math.max(0, deadline - performance.now())));
  }
}
