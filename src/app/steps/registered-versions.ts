// The versions of a model that the steps before registered, found among the results that a step needs.

import { HeadraceError } from '../../core/index.ts';

/** Ascending, each once: a version may come by its registration and by its evaluation. */
export function registeredVersions(needs: Readonly<Record<string, unknown>>, model: string): readonly number[] {
  const results = Object.values(needs).flatMap((need): readonly unknown[] => (Array.isArray(need) ? need : [need]));
  const versions = results.flatMap((result) => {
    if (result === null || typeof result !== 'object' || !('model' in result) || !('version' in result)) return [];
    return result.model === model && Number.isInteger(result.version) ? [Number(result.version)] : [];
  });
  return [...new Set(versions)].toSorted((a, b) => a - b);
}

/** Throws HR_STEP_FAILED for none and for several: which would it be? */
export function onlyRegisteredVersion(
  needs: Readonly<Record<string, unknown>>,
  { kind, model }: { readonly kind: string; readonly model: string },
): number {
  const [version, ...others] = registeredVersions(needs, model);
  if (version === undefined) {
    const sentence = `${kind} needs a step that registered a version of model "${model}": need its registerModel(…), or a task that gives { model: "${model}", version }`;
    throw new HeadraceError('HR_STEP_FAILED', sentence);
  }
  if (others.length === 0) return version;
  const sentence = `${kind} takes one version of model "${model}", and its needs have versions ${[version, ...others].join(', ')}: let a task choose one of them`;
  throw new HeadraceError('HR_STEP_FAILED', sentence);
}
