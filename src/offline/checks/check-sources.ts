// What was expected of sources, looked at in all that a work reads of them.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Finding, throwIfRefused } from '../../checks/index.ts';
import type { SourceFacts } from '../facts/current-facts.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { type PinnedSnapshot, readPinned } from '../sources/pinned-snapshot.ts';
import { checkFacts } from './check-facts.ts';
import { tellFindings } from './tell-findings.ts';

export type SourceChecks = ReadonlyMap<string, readonly Finding[]>;

/** By source, before anything is computed; `refusal` is what comes of it where a rule fails. Throws HR_EXPECTATION. */
export async function checkSources(
  connection: DuckDBConnection,
  { clock, logger }: Pick<OfflineDeps, 'clock' | 'logger'>,
  sources: ReadonlyMap<string, SourceFacts>,
  snapshots: readonly PinnedSnapshot[],
  refusal: string,
): Promise<SourceChecks> {
  const found = new Map<string, readonly Finding[]>();
  await readPinned(snapshots, 'the sources cannot be checked', async () => {
    for (const [name, { facts }] of sources) {
      found.set(name, await checkFacts(connection, facts, { now: clock.nowMicros() }));
    }
  });
  const all = [...found.values()].flat();
  tellFindings(logger, all);
  throwIfRefused(all, refusal);
  return found;
}
