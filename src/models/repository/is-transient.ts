// Whether a load that failed may succeed by itself if it is tried again.

import { HeadraceError } from '../../core/index.ts';

/**
 * True for what the world may mend: a store that is away or lacks the artifact, no memory, a thread that ended or was too
 * slow, and whatever is no error of the catalogue (a socket's, say). False for what only another artifact or definition
 * mends: a file that is no model, a signature that does not fit, a provider that is not there.
 */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof HeadraceError)) return true;
  // An artifact is named by its content: a damaged or missing copy can only be put back.
  if (error.code === 'HR_ARTIFACT_UNREADABLE') return true;
  const { status } = error;
  return status === 429 || (status >= 500 && status !== 501);
}
