// Runs ask the writers for a cut, all views' together, so that each writer cuts once for all of them; then their answers
// are waited for, a moment.

import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLog, WriterRow } from '../../events/index.ts';
import type { RunRow, Runs } from '../../online/index.ts';
import { failRun } from './fail-run.ts';
import type { RunDeps, ViewRun } from './view-run.ts';

const POLL_MS = 50;

export interface AnsweredWriters {
  /** As the registry has them afterwards: with the cuts that the answers shipped. */
  readonly writers: readonly WriterRow[];
  readonly answered: ReadonlySet<number>;
}

export interface AskedRun {
  readonly run: ViewRun;
  readonly row: RunRow;
  readonly answers: AnsweredWriters;
}

/** Each of another version. A silent writer isn't waited for long: it is not covered past what it shipped. */
export async function askWriters(deps: RunDeps, asking: readonly ViewRun[]): Promise<readonly AskedRun[]> {
  const { log, runs, askTimeoutMs } = deps;
  const rows = await runs.askAll(asking.map(({ asks }) => asks));
  try {
    const answers = await waitForWriters(log, runs, rows, askTimeoutMs);
    // One of each for a run, in their order.
    return asking.map((run, i) => ({ run, row: rows[i] as RunRow, answers: answers[i] as AnsweredWriters }));
  } catch (error) {
    for (const row of rows) await failRun(runs, row, error);
    throw error;
  }
}

async function waitForWriters(
  log: EventLog | undefined,
  runs: Pick<Runs, 'answers'>,
  rows: readonly RunRow[],
  timeoutMs: number,
): Promise<AnsweredWriters[]> {
  if (log === undefined) return rows.map(() => ({ writers: [], answered: new Set() }));
  const deadline = performance.now() + timeoutMs;
  const answers: AnsweredWriters[] = [];
  // One row after the other: writers answer together what asked together.
  for (const { number } of rows) {
    for (;;) {
      const answered = await runs.answers(number);
      // After the answers: what they shipped is seen.
      const writers = await log.writers();
      const isSilent = writers.some((writer) => writer.state === 'open' && !answered.has(writer.number));
      if (!isSilent || performance.now() >= deadline) {
        answers.push({ writers, answered });
        break;
      }
      await sleep(Math.min(POLL_MS, Math.max(0, deadline - performance.now())));
    }
  }
  return answers;
}
