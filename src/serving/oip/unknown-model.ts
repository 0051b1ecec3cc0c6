// What is told of a model or version that is not there: in the words that Triton's clients know.

import { HeadraceError } from '../../core/index.ts';

/** `rest`: what there is instead, as further sentences; empty for none. */
export function unknownModel(model: string, version: string | undefined, rest: string): HeadraceError {
  const asked = `'${model.slice(0, 100)}'${version === undefined ? '' : ` version ${version.slice(0, 80)}`}`;
  return new HeadraceError('HR_UNKNOWN_MODEL', `Request for unknown model: ${asked} is not found.${rest}`);
}
