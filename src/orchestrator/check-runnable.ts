// What a pipeline may say by its definition, and this version does not do yet: refused before anything runs, never left out in silence.

import { HeadraceError } from '../core/index.ts';
import type { PipelineSpec } from '../definitions/index.ts';

/** Throws HR_INVALID that names each step and what of it. */
export function checkRunnable({ name, steps }: PipelineSpec): void {
  const found = steps.flatMap(({ name: step, executor }) =>
    typeof executor === 'object' ? [`step "${step}" asks for the executor ${executor.kind}`] : [],
  );
  if (found.length === 0) return;
  const sentence = `pipeline "${name}" can not be run by this version: ${found.join('; ')}. It runs steps on this machine ('local') and on one's own machines ('fleet').`;
  throw new HeadraceError('HR_INVALID', sentence);
}
