// What is told of a model or version that is not there: in the words that Triton's clients know.

import { HeadraceError, withoutKeySecrets } from '../../core/index.ts';

/** `rest`: what there is instead, as further sentences; empty for none. */
export function unknownModel(model: string, version: string | undefined, rest: string): HeadraceError {
  const shown = (name: string, longest: number): string => withoutKeySecrets(name).slice(0, longest);
  const asked = `'${shown(model, 100)}'${version === undefined ? '' : ` version ${shown(version, 80)}`}`;
  return new HeadraceError('HR_UNKNOWN_MODEL', `Request for unknown model: ${asked} is not found.${rest}`);
}
