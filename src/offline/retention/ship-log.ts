// Has all that was acknowledged until now shipped, so that a backup taken next holds it, or a training set shows it: asks the
// writers for a cut, as a run of materialize does, and writes nothing else.

import { type Clock, formatTimestamp, type Logger, MICROS_PER_HOUR } from '../../core/index.ts';
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

/** Nobody waits as long: who asked then was killed before its row was removed. */
const LEFT_MICROS = MICROS_PER_HOUR;

/** A writer that did not answer. */
export interface UnshippedWriter {
  readonly writer: number;
  /** Events of all sources that it had taken, as it last reported, and that nobody else can read; it may have taken more since. */
  readonly events: number;
}

/** As `shipLog`; gives for each writer that did not answer how many events wait, and logs a warning of it. */
export async function shipOrCount(
  deps: ShipLogDeps & { readonly logger: Logger },
  timeoutMs: number,
): Promise<readonly UnshippedWriter[]> {
  const silent = await shipLog(deps, timeoutMs);
  if (silent.length === 0) return [];
  const waiting = await deps.log.waiting();
  return silent.map(({ number: writer, machine, seenMicros }) => {
    const events = waiting.get(writer) ?? 0;
    const seen = formatTimestamp(seenMicros);
    deps.logger.warn(
      { writer, machine, seen, events },
      'a writer did not ship what it took: events that wait there are not among the facts',
    );
    return { writer, events };
  });
}

/** Gives the writers that did not answer: what they took since they shipped last is on their machines alone. */
export async function shipLog({ log, runs, clock }: ShipLogDeps, timeoutMs: number): Promise<readonly WriterRow[]> {
  const isOpen = ({ state }: WriterRow): boolean => state === 'open';
  if (!(await log.writers()).some(isOpen)) return [];
  const now = clock.nowMicros();
  const nothing = { proposed: -Infinity, asOf: now, carriesWaiting: false, fingerprint: '' };
  const left = (await runs.asking(VERSION)).filter(({ askedMicros }) => now - askedMicros > LEFT_MICROS);
  const row = await runs.ask({ ...nothing, view: VERSION, version: `${VERSION}${now}`, askedMicros: now });
  try {
    const { writers, answered } = await waitForWriters(log, runs, row.number, timeoutMs);
    return writers.filter((writer) => isOpen(writer) && !answered.has(writer.number));
  } finally {
    await runs.forget([row, ...left]);
  }
}
