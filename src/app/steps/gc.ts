// Housekeeping as a step: what `headrace gc` does, by its schedule.

import { counted, HeadraceError, silentProgress } from '../../core/index.ts';
import type { BuiltInTaskContext } from '../../orchestrator/index.ts';
import type { App } from '../open-app.ts';
import { collectAll } from '../open-garbage.ts';

/** Gives how many items have gone, and their bytes. Throws HR_STEP_FAILED with what could not be looked at, once the rest is done. */
export async function runGc(
  app: App,
  { log }: Pick<BuiltInTaskContext, 'log'>,
): Promise<{ readonly items: number; readonly bytes: number }> {
  const { items, stayed, failures, notes } = await collectAll(app, { dryRun: false }, silentProgress);
  for (const { collector, what, why } of items) log(`${collector} ${what}: ${why}`);
  for (const { collector, what } of stayed) log(`${collector} ${what} stayed: it is needed again, or gone already`);
  for (const note of notes) log(note);
  const bytes = items.reduce((sum, item) => sum + (item.bytes ?? 0), 0);
  if (failures.length > 0) {
    const told = failures.map(({ collector, reason }) => `${collector} (${reason})`).join('; ');
    throw new HeadraceError(
      'HR_STEP_FAILED',
      `could not be looked at or removed: ${told}; of the rest ${counted(items.length, 'item')} went`,
    );
  }
  return { items: items.length, bytes };
}
