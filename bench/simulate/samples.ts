// First events counted from samples of hashes whose threshold falls as more units come: each minute by the threshold as of
// then, and, as one must not, all minutes again by each lower one.

import { createEventTest } from '../../src/statistics/index.ts';
import { seeded } from './random.ts';
import { atMost, percent, shown, type Simulation } from './simulation.ts';

const ALPHA = 0.05;
const MINUTES = 100;
const EVENTS_A_MINUTE = 40;
const WEIGHT = 0.1;
/** Of the threshold, a minute: at the end a twentieth of the units is counted. */
const FALL = 0.97;

interface FirstEvent {
  readonly minute: number;
  /** The unit's hash as a share of all hashes. */
  readonly hash: number;
  readonly isCandidate: boolean;
}

export const simulateSamples: Simulation = ({ isQuick }) => {
  const runs = isQuick ? 40 : 600;
  let byMinute = 0;
  let again = 0;
  for (let run = 0; run < runs; run++) {
    const random = seeded(run + 1);
    const events = Array.from({ length: MINUTES * EVENTS_A_MINUTE }, (_, i) => ({
      minute: Math.floor(i / EVENTS_A_MINUTE),
      hash: random(),
      isCandidate: random() < WEIGHT,
    }));
    byMinute += Number(isBreach(events, MINUTES, (minute) => FALL ** minute));
    let isEver = false;
    for (let now = 1; now <= MINUTES && !isEver; now++) isEver = isBreach(events, now, () => FALL ** now);
    again += Number(isEver);
  }
  return {
    title: 'A/A: first events from samples of hashes',
    about: `${runs} rollouts of ${MINUTES} minutes with ${EVENTS_A_MINUTE} first events each at ${percent(WEIGHT)}; the threshold falls by ${percent(1 - FALL)} a minute`,
    lines: [
      atMost('each minute by the threshold as of then', byMinute, runs, ALPHA, isQuick),
      shown('for comparison, not used: all minutes again by each lower threshold', percent(again / runs)),
    ],
  };
};

/** Over the minutes before `end`, each with the units up to its threshold. */
function isBreach(events: readonly FirstEvent[], end: number, thresholdOf: (minute: number) => number): boolean {
  const test = createEventTest({ thetas: 'rise', alpha: ALPHA });
  for (let minute = 0; minute < end; minute++) {
    let k = 0;
    let kc = 0;
    for (let i = minute * EVENTS_A_MINUTE; i < (minute + 1) * EVENTS_A_MINUTE; i++) {
      const event = events[i] as FirstEvent;
      if (event.hash >= thresholdOf(minute)) continue;
      k++;
      if (event.isCandidate) kc++;
    }
    test.add(k, kc, WEIGHT);
  }
  return test.breached();
}
