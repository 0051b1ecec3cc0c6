// A run asks the writers for a cut; their answers are waited for, a moment.

import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLog, WriterRow } from '../../events/index.ts';
import { askForRun, isOpened, noteLostWriters, type RunRow, type Runs } from '../../online/index.ts';
import { failRun } from './fail-run.ts';
import type { SeenLog } from './seen-log.ts';
import type { ViewRun } from './view-run.ts';

/** How long writers are waited for where nobody says otherwise. */
export const ASK_TIMEOUT_MS = 3000;
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

/**
 * A silent writer isn't waited for long: it is not covered past what it shipped. Nor is any where another run of the command
 * has waited already and the boundary stays: what was pushed before the command is shipped.
 */
export async function askWriters(run: ViewRun, { hasAsked }: Pick<SeenLog, 'hasAsked'>): Promise<AskedRun> {
  const { log, runs, askTimeoutMs } = run.deps;
  const row = await askForRun(run.deps, run.asks);
  try {
    await noteLostWriters(run.deps);
    const timeoutMs = hasAsked && (await keepsBoundary(run, row)) ? 0 : askTimeoutMs;
    return { run, row, answers: await waitForWriters(log, runs, row.number, timeoutMs) };
  } catch (error) {
    throw await failRun(runs, row, error);
  }
}

/** To be asked once the row is there: those before it change no more. A version that is being filled may wait for the cut. */
async function keepsBoundary({ deps, request, codec }: ViewRun, row: RunRow): Promise<boolean> {
  if (request.isDue) return false;
  const earlier = (await deps.runs.inForce(row.version)).filter(({ number }) => number < row.number);
  const last = earlier.findLast(isOpened);
  return last?.state === 'finished' && (codec.source.pushes === 'keep' || last.boundary === row.proposed);
}

/** Until every writer has answered the run, `timeoutMs` at most. */
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
    const isSilent = writers.some((writer) => writer.state === 'open' && !answered.has(writer.number));
    if (!isSilent || performance.now() >= deadline) return { writers, answered };
    await sleep(Math.min(POLL_MS, Math.max(0, deadline - performance.now())));
  }
}
