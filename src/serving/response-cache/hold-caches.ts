// The caches of an endpoint's arms, for as long as its plan lasts.

import { armId } from '../compile-arms.ts';
import type { CompileEndpoint, ServedVariant } from '../served-variants.ts';
import type { RowCache } from './infer-cached.ts';

export interface HeldCaches {
  /** By the arm's id; undefined where nothing of it is kept. */
  of(arm: string): RowCache | undefined;
  release(): void;
}

export function holdCaches(
  { state, spec, caches }: Pick<CompileEndpoint, 'state' | 'spec' | 'caches'>,
  served: readonly ServedVariant[],
): HeldCaches {
  const held = new Map<string, RowCache>();
  const { cache: settings } = spec;
  if (settings !== undefined)
    for (const { model, variant } of served) {
      const arm = armId(model, variant.version, spec.whenStoreDown);
      // A version of before the model's definition was one without nodes may be a graph.
      const { compileKey } = model.binding;
      if (held.has(arm) || compileKey === undefined) continue;
      held.set(arm, { cache: caches.hold({ endpoint: state.name, arm }, settings), keyOf: compileKey() });
    }
  return {
    of: (arm) => held.get(arm),
    release() {
      for (const { cache } of held.values()) cache.release();
    },
  };
}
