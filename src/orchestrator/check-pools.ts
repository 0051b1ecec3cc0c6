// Pools that steps name, beside those that the settings have: a step whose pool nobody gave a size is refused before anything runs.

import { HeadraceError } from '../core/index.ts';
import type { PipelineSpec } from '../definitions/index.ts';
import type { PoolSizes } from './driver/ask-for-slots.ts';

/** Throws HR_INVALID that names each such step, and what to write. */
export function checkPools({ name, steps }: Pick<PipelineSpec, 'name' | 'steps'>, sizes: PoolSizes): void {
  const found = steps.flatMap(({ name: step, pool }) =>
    pool === undefined || Object.hasOwn(sizes, pool) ? [] : [{ step, pool }],
  );
  if (found.length === 0) return;
  const asked = found.map(({ step, pool }) => `step "${step}" asks for the pool "${pool}"`).join('; ');
  const known = Object.entries(sizes);
  const missing = [...new Set(found.map(({ pool }) => pool))].map((pool) => [pool, 4] as const);
  const has = known.length === 0 ? 'has none' : `has ${known.map(([pool]) => `"${pool}"`).join(', ')} alone`;
  const counts = [...known, ...missing].map(([pool, size]) => `${/-/.test(pool) ? `'${pool}'` : pool}: ${size}`);
  const sentence = `pipeline "${name}" can not be run: ${asked}, and the setting orchestrator.pools ${has}. Write in headrace.config.ts how many of its tasks may run at once, over all runs, such as orchestrator: { pools: { ${counts.join(', ')} } }.`;
  throw new HeadraceError('HR_INVALID', sentence);
}
