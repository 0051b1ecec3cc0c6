// What requests to have a model loaded or unloaded go by, whichever protocol brings them.

import { HeadraceError, invalid } from '../../core/index.ts';

/** Throws HR_INVALID, at its path, for a parameter that would change what is loaded. `names`: of the parameters that came. */
export function refuseLoadParameters(names: Iterable<string>): void {
  for (const name of names) {
    if (name === 'unload_dependents') continue;
    const message = 'a model is loaded as it was registered: no configuration and no file come with the request';
    throw invalid([{ path: `parameters.${name.slice(0, 80)}`, message }]);
  }
}

/** A model that can't be loaded is told as Triton does: as the request's mistake, with the reason. */
export function asLoadRefusal(thrown: unknown): unknown {
  if (!(thrown instanceof HeadraceError) || thrown.code !== 'HR_MODEL_NOT_READY') return thrown;
  return new HeadraceError('HR_INVALID', thrown.message, { cause: thrown });
}
