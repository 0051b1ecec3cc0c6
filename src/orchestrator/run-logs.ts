// What a run's tasks printed: live from this machine's files while they run, from the object store afterwards.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunsDeps } from './orchestrator-deps.ts';
import { openRunStore } from './rows/open-run-store.ts';
import type { RunStore, StoredEvent } from './rows/run-store.ts';

/** What one attempt printed. */
export interface TaskLog {
  readonly step: string;
  /** The item of each group around it, as '17/3'; '' at the top. */
  readonly scope: string;
  readonly index: number;
  readonly attempt: number;
  readonly text: string;
}

export type Attempt = Pick<TaskLog, 'step' | 'index' | 'attempt'> & {
  readonly runId: string;
  /** Of a step in groups: the item of each, as '17/3'. */
  readonly scope?: string;
};

/** Lines of the log of a task that failed, in the error of its run. */
const TAIL_LINES = 15;

/** The logs of every attempt, in the order in which they were claimed. Throws HR_UNKNOWN_RUN. */
export async function* runLogs(
  deps: RunsDeps,
  runId: string,
  { step }: { readonly step?: string } = {},
): AsyncGenerator<TaskLog> {
  const store = await openRunStore(deps.database, deps.clock);
  await store.get(runId);
  for await (const event of eventsOf(store, runId)) {
    if (event.kind !== 'claimed' || event.step === null || event.index === null || event.attempt === null) continue;
    if (step !== undefined && step !== event.step) continue;
    for (let index = event.index; index < event.index + (event.count ?? 1); index++) {
      const at = { step: event.step, scope: event.scope ?? '', index, attempt: event.attempt };
      const text = await readLog(deps, { runId, ...at });
      if (text !== undefined) yield { ...at, text };
    }
  }
}

/**
 * The end of what the first task that failed since the run was last resumed had printed, after a line break; empty where it printed
 * nothing, or none failed.
 */
export async function failureTail(deps: RunsDeps, store: RunStore, runId: string): Promise<string> {
  let failed: Attempt | undefined;
  for await (const { kind, step, scope, index, attempt } of eventsOf(store, runId)) {
    if (kind === 'resumed') failed = undefined;
    if (kind !== 'failed' || step === null || index === null || attempt === null) continue;
    failed ??= { runId, step, scope: scope ?? '', index, attempt };
  }
  const text = (failed === undefined ? undefined : await readLog(deps, failed))?.trimEnd() ?? '';
  return text === '' ? '' : `\n${text.split('\n').slice(-TAIL_LINES).join('\n')}`;
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

async function* eventsOf(store: RunStore, runId: string): AsyncGenerator<StoredEvent> {
  for (let after = 0; ; ) {
    const events = await store.events(runId, after);
    yield* events;
    const last = events.at(-1);
    if (last === undefined) return;
    after = last.number;
  }
}

async function readLog(deps: RunsDeps, attempt: Attempt): Promise<string | undefined> {
  try {
    return await readFile(join(taskDirectory(deps.workDirectory, attempt), 'log.txt'), 'utf8');
  } catch {
    return await readStoredLog(deps, attempt); // made on another machine, or cleaned up here
  }
}

export async function readStoredLog(
  { objects }: Pick<RunsDeps, 'objects'>,
  attempt: Attempt,
): Promise<string | undefined> {
  const stored = await objects.get(logKey(attempt));
  return stored === undefined ? undefined : Buffer.from(stored).toString();
}
