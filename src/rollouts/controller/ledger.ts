// Keeps the tally of one rollout up to date from look to look: minutes that are over are counted once, the last few anew each
// time, so that a look costs what happened since, not what happened in the rollout.

import { setImmediate as breathe } from 'node:timers/promises';
import { floorTo, type Micros, MICROS_PER_HOUR, MICROS_PER_MINUTE } from '../../core/index.ts';
import type { ArmMinute, RolloutEvidence } from './arm-minute.ts';
import type { Rollout } from './rollout.ts';
import { byMinute, createTally, NO_REVISION, type Tally } from './tally.ts';

export interface Ledger {
  /** All by now. What the port throws it throws. */
  look(rollout: Rollout, nowMicros: Micros): Promise<Tally>;
  /** Minutes that were counted may have changed: rows came late. */
  forget(): void;
}

/** Servers write the last minutes again; one that is later than this is late, and what it held is counted anew (`forget`). */
const OPEN_MICROS: Micros = 2 * MICROS_PER_MINUTE;
const MOST_PIECES = 500;
const ROWS_AT_ONCE = 20;

export function createLedger(evidence: Pick<RolloutEvidence, 'minutes'>): Ledger {
  let base: Tally | undefined;
  let baseUntil: Micros = 0;
  let basedOn = '';

  const addAll = async (tally: Tally, rows: readonly ArmMinute[]): Promise<void> => {
    let count = 0;
    for (const minute of byMinute(rows)) {
      tally.add(minute);
      count += minute.length;
      if (count < ROWS_AT_ONCE) continue;
      count = 0;
      // Requests are answered meanwhile.
      await breathe();
    }
  };

  const begin = (rollout: Rollout, nowMicros: Micros): Tally => {
    // Where the clock was set back, minutes come again from there.
    baseUntil = floorTo(Math.min(rollout.createdMicros, nowMicros - OPEN_MICROS), MICROS_PER_MINUTE);
    return createTally(rollout, rollout.phases);
  };

  const look = async (rollout: Rollout, nowMicros: Micros): Promise<Tally> => {
    // A phase's warm-up ends with what to leave out; another phase is another tally.
    const facts = rollout.phases.map(({ revision, warm }) => `${revision}${warm === null ? '' : ' warm'}`).join();
    if (base === undefined || basedOn !== facts || nowMicros < baseUntil) base = begin(rollout, nowMicros);
    basedOn = facts;
    const { endpoint } = rollout;
    const revisions = [NO_REVISION, ...rollout.phases.map(({ revision }) => revision)];
    const closed = Math.max(baseUntil, floorTo(nowMicros - OPEN_MICROS, MICROS_PER_MINUTE));
    // One that jumped far ahead left nothing in between.
    const piece = Math.max(MICROS_PER_HOUR, floorTo((closed - baseUntil) / MOST_PIECES, MICROS_PER_MINUTE));
    while (baseUntil < closed) {
      const toMicros = Math.min(closed, baseUntil + piece);
      await addAll(base, await evidence.minutes({ endpoint, revisions, fromMicros: baseUntil, toMicros }));
      baseUntil = toMicros;
    }
    const tally = base.fork();
    await addAll(tally, await evidence.minutes({ endpoint, revisions, fromMicros: baseUntil }));
    return tally;
  };
  return { look, forget: () => (base = undefined) };
}
