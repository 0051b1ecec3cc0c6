// How often each task of a run was committed, by its events.

import type { RunsDeps } from '../../src/orchestrator/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';

/** `tasks`: how many have succeeded; `twice`: those that were told of more than once, as `step scope index`. */
export async function commitsOf(
  { database, clock }: Pick<RunsDeps, 'database' | 'clock'>,
  run: string,
): Promise<{ readonly tasks: number; readonly twice: readonly string[] }> {
  const store = await openRunStore(database, clock);
  const commits = new Map<string, number>();
  for (let after = 0; ; ) {
    const events = await store.events(run, after);
    for (const { kind, step, scope, index, count } of events) {
      if (kind !== 'succeeded' || step === null || index === null) continue;
      for (let at = index; at < index + (count ?? 1); at++) {
        const task = `${step} ${scope ?? ''} ${at}`;
        commits.set(task, (commits.get(task) ?? 0) + 1);
      }
    }
    const last = events.at(-1);
    if (last === undefined) break;
    after = last.number;
  }
  return { tasks: commits.size, twice: [...commits].filter(([, count]) => count > 1).map(([task]) => task) };
}
