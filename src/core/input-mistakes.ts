// Mistakes of a request's rows as they are found: many rows may have many, and only the first are put into words.

import type { ErrorDetail } from './headrace-error.ts';

/** So many mistakes are named of one request; of the others it is told how many there are. */
export const MOST_MISTAKES = 100;

const UNTOLD: ErrorDetail = Object.freeze({ path: '', message: '' });

/** Adds a mistake; past the first MOST_MISTAKES one that only counts, so that a large bad request costs little. */
export function noteMistake(mistakes: ErrorDetail[], tell: () => ErrorDetail): void {
  mistakes.push(mistakes.length < MOST_MISTAKES ? tell() : UNTOLD);
}
