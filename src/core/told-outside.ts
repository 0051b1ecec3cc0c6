// What of an error is told to whoever is not on the server's own machine.

import { HeadraceError } from './headrace-error.ts';
import { retold } from './joined-error.ts';

/**
 * The error itself, but of a user's function that failed its name alone: what it threw or returned may hold anything, other
 * people's values and passwords too.
 */
export function toldOutside(error: HeadraceError): HeadraceError {
  return retold(error, withoutOwnWords);
}

function withoutOwnWords(error: HeadraceError): HeadraceError {
  if (error.code !== 'HR_TRANSFORM_FAILED') return error;
  const where = error.where ?? 'the definitions';
  return new HeadraceError(error.code, `${where}: its function failed; the server’s log has why.`, {
    details: error.details.map(({ path }) => ({ path, message: 'a function failed on it' })),
  });
}
