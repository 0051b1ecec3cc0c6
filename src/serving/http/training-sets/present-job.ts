// A job on the wire.

import { formatTimestamp } from '../../../core/index.ts';
import type { Job } from '../../../offline/index.ts';

/** As plain JSON data, with the API's names. */
export function presentJob({
  id,
  state,
  progress,
  trainingSet,
  error,
  unshipped,
  createdAtMicros,
  finishedAtMicros,
}: Job): object {
  return {
    id,
    state,
    progress,
    training_set: trainingSet,
    error,
    unshipped,
    created_at: formatTimestamp(createdAtMicros),
    finished_at: finishedAtMicros === null ? null : formatTimestamp(finishedAtMicros),
  };
}
