// Checks for leaks that were passed: of these rows, by this query, from these facts. Each is an empty file beside the landed
// rows, gone a day after its last use like them; so where nothing changed a query is not checked again.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { contentHash } from '../../../core/index.ts';
import type { SourceSpec } from '../../../definitions/index.ts';
import type { SourceFacts } from '../../facts/current-facts.ts';
import { landedFolder } from '../landed/land-query.ts';
import { markUsed, startUse } from '../last-use.ts';
import type { SourceDeps } from '../source-deps.ts';

export interface PassedCheck {
  isKnown(): Promise<boolean>;
  remember(): Promise<void>;
}

/** `etag` is the landed rows'; `over` are the facts that they were made from. */
export async function passedCheck(
  source: SourceSpec,
  etag: string,
  over: readonly SourceFacts[],
  deps: Pick<SourceDeps, 'dataDirectory'>,
): Promise<PassedCheck> {
  const madeFrom: unknown[] = [];
  for (const { facts, snapshot, boundary, releasedUpTo = 0 } of over) {
    const files = snapshot.files.map(({ path, etag: of }) => [path, of]);
    const pushed = (await facts.log?.digest()) ?? null;
    madeFrom.push({ source: facts.source, files, boundary: String(boundary), pushed, releasedUpTo });
  }
  const of = contentHash({ source, madeFrom }).slice(0, 32);
  const path = join(landedFolder(deps, source), `${etag}-${of}.checked`);
  return {
    isKnown: () => markUsed(path),
    async remember() {
      await writeFile(path, '');
      await startUse(path);
    },
  };
}
