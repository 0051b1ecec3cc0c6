// What versions of models can be called, and kept with: the same of models with features and of plain ones.

import { describe, HeadraceError } from '../core/index.ts';
import { LATEST } from './model-versions.ts';

/** Throws HR_INVALID. */
export function checkAlias(alias: string): void {
  if (/^[A-Za-z][\w.-]{0,62}$/.test(alias) && alias !== LATEST) return;
  const expected = 'an alias begins with a letter, has at most 63 letters, digits, "_", "-", ".", and is not "latest"';
  throw new HeadraceError('HR_INVALID', `${expected}; got ${JSON.stringify(alias.slice(0, 80))}`);
}

/** Throws HR_INVALID. */
export function checkMetrics(metrics: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(metrics)) {
    if (Number.isFinite(value)) continue;
    throw new HeadraceError('HR_INVALID', `metric "${name}" is a finite number, got ${describe(value)}`);
  }
}
