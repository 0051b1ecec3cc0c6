// First events counted from samples of hashes whose threshold falls as more units come: by the controller's own tally, each
// minute by the threshold as of then, and, as one must not, all minutes again by each lower one.

import type { ArmMinute } from '../../src/rollouts/index.ts';
import { byMinute, createTally } from '../../src/rollouts/controller/tally.ts';
import { createEventTest, createHashSample, packHashes } from '../../src/statistics/index.ts';
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
  let counted = 0;
  let again = 0;
  for (let run = 0; run < runs; run++) {
    const random = seeded(run + 1);
    const events = Array.from({ length: MINUTES * EVENTS_A_MINUTE }, (_, i) => ({
      minute: Math.floor(i / EVENTS_A_MINUTE),
      hash: random(),
      isCandidate: random() < WEIGHT,
    }));
    counted += Number(isBreachByTally(events));
    let isEver = false;
    for (let now = 1; now <= MINUTES && !isEver; now++) isEver = isBreach(events, now, () => FALL ** now);
    again += Number(isEver);
  }
  return {
    title: 'A/A: first events from samples of hashes',
    about: `${runs} rollouts of ${MINUTES} minutes with ${EVENTS_A_MINUTE} first events each at ${percent(WEIGHT)}; the threshold falls by ${percent(1 - FALL)} a minute`,
    lines: [
      atMost('each minute by the threshold as of then, by the controller’s tally', counted, runs, ALPHA, isQuick),
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

const HASHES = 2 ** 32;
const NOBODY = packHashes(createHashSample());
const ROW: ArmMinute = {
  kind: 'arm',
  variant: '',
  version: 0,
  revision: 1,
  minute: 0,
  writer: 'a',
  rows: 0,
  breakerOpens: 0,
  units: NOBODY,
  errorUnits: NOBODY,
  slowUnits: NOBODY,
  nullUnits: NOBODY,
  outcomes: null,
};

/** Looked at each minute. A sample is cut at a unit of its own, which had its event before and so counts for nothing. */
function isBreachByTally(events: readonly FirstEvent[]): boolean {
  const warm = { error: [], slow: [], null: [] };
  const arms = { candidate: 2, stable: 1, candidateName: 'candidate', stableName: 'stable' };
  const tally = createTally(
    arms,
    [0, 1].map((revision) => ({ revision, weight: 100 * WEIGHT, fromMicros: 0, warm })),
  );
  const bounds = Array.from({ length: MINUTES }, (_, minute) => Math.floor(FALL ** minute * (HASHES - 2)));
  const stable = { ...ROW, variant: 'stable', version: 1 };
  tally.add([{ ...stable, revision: 0, minute: -1, errorUnits: packed(bounds) }]);
  const rows = bounds.flatMap((bound, minute) => {
    const own = events.slice(minute * EVENTS_A_MINUTE, (minute + 1) * EVENTS_A_MINUTE);
    const of = (isCandidate: boolean): string => {
      const hashes = own
        .filter((event) => event.isCandidate === isCandidate)
        .map(({ hash }) => Math.floor(hash * HASHES));
      return packed([...hashes.filter((hash) => hash < bound), bound, HASHES - 1], 1);
    };
    return [
      { ...stable, minute, errorUnits: of(false) },
      { ...stable, variant: 'candidate', version: 2, minute, errorUnits: of(true) },
    ];
  });
  for (const minute of byMinute(rows)) tally.add(minute);
  const test = createEventTest({ thetas: 'rise', alpha: ALPHA });
  for (const { revision, k, kc, w } of tally.events('error')) {
    if (revision === 1) test.add(k, kc, w);
    if (test.breached()) return true;
  }
  return false;
}

/** `cut`: so many of the greatest are left out. */
function packed(hashes: readonly number[], cut = 0): string {
  const sample = createHashSample(hashes.length - cut);
  for (const hash of hashes) sample.add(hash);
  return packHashes(sample);
}
