// What tells whether a run's bases still mean what they did. Where rows of files are set apart, that depends on more than how
// the view is computed: a row that is put back, and where rows are compared with each other a file that came or went, may
// change keys that nothing else shows. Then every key is written anew.

import type { Releases } from '../../checks/index.ts';
import { contentHash } from '../../core/index.ts';
import { settingApart } from '../../definitions/index.ts';
import type { SnapshotFile, ViewCodec } from '../../online/index.ts';

export function runFingerprint(
  { fingerprint, source }: ViewCodec,
  released: Releases | undefined,
  files: readonly SnapshotFile[],
): string {
  const rules = settingApart(source);
  if (rules.length === 0) return fingerprint;
  const isTogether = rules.some(({ rule }) => rule === 'unique');
  return contentHash({
    fingerprint,
    sorting: SORTING,
    released: released?.lastOf(source.name) ?? 0,
    files: isTogether ? files : [],
  });
}

/** Rises with every change of which rows a rule sets apart, or since when one that was put back is known. */
const SORTING = 2;
