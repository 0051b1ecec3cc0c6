// A training set's record as it is shown: by `training-set show --json`, and over HTTP.

import { formatTimestamp } from '../../core/index.ts';
import type { CreatedTrainingSet } from './create-training-set.ts';

/** As plain JSON data. */
export function presentTrainingSet(record: CreatedTrainingSet): object {
  const {
    nameTakenFrom: _,
    formerName: __,
    firstMicros,
    lastMicros,
    createdAtMicros,
    features,
    sources,
    manifestHash,
    spineHash,
    contentHash,
    sizeBytes,
    checks = [],
    unshipped = [],
    ...others
  } = record;
  return {
    ...others,
    features: features.map(({ name }) => name),
    checks,
    unshipped,
    sources: sources.map(
      ({
        boundaryMicros,
        isLogAlone,
        pushed,
        skippedFiles = 0,
        unconverted = null,
        releasedUpTo,
        checks: own = [],
        ...source
      }) => ({
        ...source,
        skipped_files: skippedFiles,
        checks: own,
        released_up_to: releasedUpTo ?? null,
        unconverted,
        files_up_to: boundaryMicros === null ? null : formatTimestamp(boundaryMicros),
        log_alone: isLogAlone ?? null,
        pushed:
          pushed === null
            ? null
            : {
                rows: pushed.rows,
                sha256: pushed.sha256,
                log_floor: pushed.floor,
                log_positions: pushed.writers,
                removed_floor: pushed.removed?.floor ?? 0,
                removed_positions: pushed.removed?.writers ?? [],
              },
      }),
    ),
    feature_profiles: features,
    manifest_hash: manifestHash,
    spine_hash: spineHash,
    content_hash: contentHash,
    size_bytes: sizeBytes,
    first_time: firstMicros === null ? null : formatTimestamp(firstMicros),
    last_time: lastMicros === null ? null : formatTimestamp(lastMicros),
    created_at: formatTimestamp(createdAtMicros),
  };
}
