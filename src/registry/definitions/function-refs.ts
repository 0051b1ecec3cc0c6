// What the code of a manifest's functions is, apart from the bundles that carry it.

import { functionsOf, type Manifest, mapFunctions } from '../../definitions/index.ts';

/**
 * The manifest by the bundles that are applied, where a function is the same: another bundler's other bytes change nothing,
 * and need not be told, stored or loaded. Those that are lost are not kept.
 */
export function keepBundles(before: Manifest | undefined, after: Manifest, lost?: ReadonlySet<string>): Manifest {
  if (before === undefined) return after;
  const applied = new Map(functionsOf(before).map((ref) => [ref.id, ref]));
  return mapFunctions(after, (ref) => {
    const known = applied.get(ref.id);
    // What was applied without a bundle gets one.
    const isKept = known?.hash === ref.hash && known.bundle !== undefined && lost?.has(known.bundle) !== true;
    return isKept ? known : ref;
  });
}

/** With nothing left of each function but what it is: two that compare alike have the same code. */
export function withCodeAlone(manifest: Manifest): Manifest {
  return mapFunctions(manifest, ({ hash }) => ({ id: '', hash }));
}
