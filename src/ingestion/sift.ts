// Which rows of a batch can't be taken, each with why: for whoever sets them aside and pushes the rest.

import { HeadraceError, messageOf, type Micros, type Row } from '../core/index.ts';
import { checkPush } from './push-checks.ts';
import { checkDerivedTimes, parsePush, type PushLimits } from './parse-push.ts';
import type { SourcePlan } from './source-plan.ts';

/** By index, why the row would be refused. `rows` is JSON. */
export async function siftRows(
  plan: SourcePlan,
  rows: readonly unknown[],
  now: Micros,
  limits: PushLimits,
): Promise<ReadonlyMap<number, string>> {
  const refused = new Map<number, string>();
  const good: { readonly index: number; readonly row: Row }[] = [];
  for (const [index, row] of rows.entries()) {
    try {
      const [parsed] = parsePush(plan, [row], now, limits);
      good.push({ index, row: parsed as Row });
    } catch (error) {
      refused.set(index, reasonOf(error));
    }
  }
  const [lens] = plan.lenses;
  const refusing = lens.checks.filter(({ onFail }) => onFail === 'fail');
  const derive = async (some: typeof good): Promise<void> => {
    if (some.length === 0) return;
    try {
      const derived = await lens.derive(lens.convert(some.map(({ row }) => row)));
      checkDerivedTimes(lens.source, derived, now, limits);
      checkPush(refusing, derived, false);
    } catch (error) {
      if (!isOfRows(error)) throw error;
      if (some.length === 1) {
        refused.set((some[0] as { index: number }).index, reasonOf(error));
        return;
      }
      // Halves: of many rows few are wrong, and a query of its own for each takes long.
      const middle = some.length >> 1;
      await derive(some.slice(0, middle));
      await derive(some.slice(middle));
    }
  };
  await derive(good);
  return refused;
}

const OF_ROWS: ReadonlySet<string> = new Set(['HR_INVALID', 'HR_TRANSFORM_FAILED', 'HR_EXPECTATION']);

/** Whether rows are wrong, and not what they go into. */
export function isOfRows(error: unknown): boolean {
  return error instanceof HeadraceError && OF_ROWS.has(error.code);
}

function reasonOf(error: unknown): string {
  if (!isOfRows(error)) throw error;
  // Of one row that came alone its index says nothing.
  const { details } = error as HeadraceError;
  const told = details.map(({ path, message }) => `${path.replace(/^rows\[0\]\.?/, '')} ${message}`.trim());
  return told.length > 0 ? told.join('; ') : messageOf(error);
}
