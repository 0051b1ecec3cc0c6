// Has all that was acknowledged until now shipped, so that a backup taken next holds it: asks the writers for a cut, as a run
// of materialize does, and writes nothing else.

import type { Clock } from '../../core/index.ts';
import type { EventLog, WriterRow } from '../../events/index.ts';
import type { Runs } from '../../online/index.ts';
import { waitForWriters } from '../materialize/ask-writers.ts';

export interface ShipLogDeps {
  readonly log: EventLog;
  readonly runs: Runs;
  readonly clock: Clock;
}

/** No view has this name, so no view's runs are touched. */
const VERSION = '(backup)';

/** Gives the writers that did not answer: what they took since they shipped last is on their machines alone. */
export async function shipLog({ log, runs, clock }: ShipLogDeps, timeoutMs: number): Promise<readonly WriterRow[]> {
  const isOpen = ({ state }: WriterRow): boolean => state === 'open';
  if (!(await log.writers()).some(isOpen)) return [];
  const now = clock.nowMicros();
  const nothing = { proposed: -Infinity, asOf: now, carriesWaiting: false, fingerprint: '' };
  const row = await runs.ask({ ...nothing, view: VERSION, version: `${VERSION}${now}`, askedMicros: now });
  try {
    const { writers, answered } = await waitForWriters(log, runs, row.number, timeoutMs);
    return writers.filter((writer) => isOpen(writer) && !answered.has(writer.number));
  } finally {
    await runs.forget([row.number]);
  }
}
