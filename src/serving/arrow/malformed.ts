// What is said of bytes that are no Arrow stream, or one that contradicts itself: whoever made them has to look at them.

import { HeadraceError } from '../../core/index.ts';

/** `wrong` ends a sentence about the body. */
export function malformed(wrong: string): HeadraceError {
  return new HeadraceError('HR_MALFORMED_ARROW', `the body is no whole Arrow IPC stream: ${wrong}.`);
}
