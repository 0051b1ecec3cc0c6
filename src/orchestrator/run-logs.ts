// What a run's tasks printed: live from this machine's files while they run, from the object store afterwards.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunsDeps } from './orchestrator-deps.ts';
import { migrateRuns, requireRun, tables } from './run-rows.ts';

/** What one attempt printed. */
export interface TaskLog {
  readonly step: string;
  readonly index: number;
  readonly attempt: number;
  readonly text: string;
}

export type Attempt = Pick<TaskLog, 'step' | 'index' | 'attempt'> & {
  readonly runId: string;
  /** Of a step in groups: the item of each, as '17/3'. */
  readonly scope?: string;
};

/** The logs of every attempt, in the order in which they started. Throws HR_UNKNOWN_RUN. */
export async function runLogs(deps: RunsDeps, runId: string): Promise<readonly TaskLog[]> {
  const db = tables(await migrateRuns(deps.database));
  await requireRun(db, runId);
  const claims = await db
    .selectFrom('orchestrator_events')
    .select(['step', 'item_index', 'attempt'])
    .where('run_id', '=', runId)
    .where('kind', '=', 'claimed')
    .orderBy('id')
    .execute();
  const logs: TaskLog[] = [];
  for (const { step, item_index: index, attempt } of claims) {
    if (step === null || index === null || attempt === null) continue;
    logs.push({ step, index, attempt, text: (await readLog(deps, { runId, step, index, attempt })) ?? '' });
  }
  return logs;
}

/** The last lines that an attempt printed; empty when it printed none. */
export async function logTail(deps: RunsDeps, attempt: Attempt, lines: number): Promise<string> {
  const text = ((await readLog(deps, attempt)) ?? '').trimEnd();
  return text.split('\n').slice(-lines).join('\n');
}

/** The folder of one attempt on this machine. */
export function taskDirectory(workDirectory: string, at: Attempt): string {
  return join(workDirectory, 'runs', at.runId, at.step, at.scope ?? '', String(at.index), String(at.attempt));
}

/** Where an attempt's log is kept in the object store once it has ended. */
export function logKey(at: Attempt): string {
  const scope = at.scope === undefined || at.scope === '' ? '' : `${at.scope}/`;
  return `runs/${at.runId}/logs/${at.step}/${scope}${at.index}/${at.attempt}.txt`;
}

async function readLog(deps: RunsDeps, attempt: Attempt): Promise<string | undefined> {
  try {
    return await readFile(join(taskDirectory(deps.workDirectory, attempt), 'log.txt'), 'utf8');
  } catch {
    const stored = await deps.objects.get(logKey(attempt)); // made on another machine, or cleaned up here
    return stored === undefined ? undefined : Buffer.from(stored).toString();
  }
}
