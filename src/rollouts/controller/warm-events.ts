// Which units had an event while the servers warmed up: minutes are whole rows, so what a row held at the end of the warm-up is
// written down, and left out from then on.

import { MICROS_PER_MINUTE } from '../../core/index.ts';
import { unpackHashes } from '../../statistics/index.ts';
import type { RolloutEvidence } from './arm-minute.ts';
import { NOTHING_WARM, type Rollout, type WarmEvents } from './rollout.ts';

/** The lowest hashes; a warm-up in which more fail is one that a breaker ends. */
const MOST_WARM = 4096;

export async function readWarmEvents(
  { endpoint, phases, stepMicros }: Rollout,
  evidence: Pick<RolloutEvidence, 'minutes'>,
): Promise<WarmEvents> {
  const phase = phases.at(-1);
  const fromMicros = phase?.fromMicros ?? null;
  const found = { error: new Set<number>(), slow: new Set<number>(), null: new Set<number>() };
  if (phase === undefined || fromMicros === null) return NOTHING_WARM;
  // Servers take the weights up before it is heard of.
  const since = fromMicros - stepMicros - 2 * MICROS_PER_MINUTE;
  const revisions = [phase.revision];
  for (const row of await evidence.minutes({ endpoint, revisions, fromMicros: since })) {
    if (row.kind !== 'arm') continue;
    for (const hash of unpackHashes(row.errorUnits).hashes()) found.error.add(hash);
    for (const hash of unpackHashes(row.slowUnits).hashes()) found.slow.add(hash);
    for (const hash of unpackHashes(row.nullUnits).hashes()) found.null.add(hash);
  }
  return { error: lowest(found.error), slow: lowest(found.slow), null: lowest(found.null) };
}

function lowest(hashes: ReadonlySet<number>): readonly number[] {
  return [...hashes].sort((one, other) => one - other).slice(0, MOST_WARM);
}
