// Whether a rollout's steps are left too soon: healthy and harmful candidates through 1, 5, 25, 50 %, by rules for when a guard is
// undecided. Only first events are drawn, minute by minute, so that a day's wait costs little.

import { createEventTest, type EventTest } from '../../src/statistics/index.ts';
import { isDoubtful, toleranceOf } from '../../src/rollouts/controller/event-evidence.ts';
import { compilePlan, guardsOf } from '../../src/rollouts/controller/plan.ts';
import { drawBinomial } from './draw-counts.ts';
import { seeded } from './random.ts';
import { atMost, median, percent, shown, type Line, type Simulation } from './simulation.ts';

const PLAN = compilePlan({}, undefined);
const STEPS = PLAN.steps.filter((step) => step < 100);
const HOLD_MINUTES = PLAN.holdMicros / 60e6;
const MOST_MINUTES = PLAN.maxHoldMicros / 60e6;
const ALPHA = 0.05 / PLAN.guards.length;
/** Rates of units with an event, of the guards that the candidate does not harm. */
const OTHERS = [0.005, 0.002] as const;
/** What healthy rollouts may be paused by. */
const PAUSED = 0.03;

interface Traffic {
  readonly unitsASecond: number;
  /** Of stable's units, and how many times as often the candidate's fail. */
  readonly rate: number;
  readonly factor: number;
}

interface Watched {
  readonly test: EventTest;
  /** Events that were due of the candidate, had it stable's rate. */
  due: number;
}

/** Whether a guard is undecided, after `hold` and `minUnits`. */
type Rule = (guard: Watched) => boolean;

const RULES: readonly { readonly what: string; readonly waits: Rule }[] = [
  { what: 'evidence past 1 waits', waits: ({ test }) => isDoubtful(test.e()) },
  { what: 'for comparison, not used: nothing waits', waits: () => false },
  { what: 'for comparison, not used: 5 events due wait', waits: ({ due }) => due < 5 },
  { what: 'for comparison, not used: 25 events due wait', waits: ({ due }) => due < 25 },
];

const HEALTHY: readonly Traffic[] = [
  { unitsASecond: 1, rate: 0.0001, factor: 1 },
  { unitsASecond: 1, rate: 0.004, factor: 1 },
  { unitsASecond: 10, rate: 0.0001, factor: 1 },
  { unitsASecond: 10, rate: 0.004, factor: 1 },
];
const HARMFUL: readonly Traffic[] = [
  { unitsASecond: 1, rate: 0.004, factor: 5 },
  { unitsASecond: 1, rate: 0.02, factor: 2 },
  { unitsASecond: 10, rate: 0.004, factor: 2 },
  { unitsASecond: 10, rate: 0.02, factor: 1.5 },
];

interface End {
  readonly how: 'promoted' | 'paused' | 'stopped';
  readonly minutes: number;
}

export const simulateSteps: Simulation = ({ isQuick }) => {
  const runs = isQuick ? 30 : 500;
  const lines = [...HEALTHY, ...HARMFUL].flatMap((traffic) =>
    RULES.flatMap(({ what, waits }, at) => {
      const ends = Array.from({ length: runs }, (_, seed) => rollOut(seeded(seed + 1), traffic, waits));
      return told(traffic, what, ends, at === 0, isQuick);
    }),
  );
  return {
    title: 'steps: when one is left',
    about: `${runs} rollouts each by the default plan (${STEPS.join(', ')} %, ${HOLD_MINUTES} minutes and ${PLAN.minUnits} units a step, ${PLAN.guards.join(', ')}; paused after ${MOST_MINUTES / 60} hours in a step) of units that come once; errors as said, slow answers of ${percent(OTHERS[0])} and nulls of ${percent(OTHERS[1])} of the units at both arms`,
    lines,
  };
};

function rollOut(random: () => number, { unitsASecond, rate, factor }: Traffic, waits: Rule): End {
  const rates = [rate, ...OTHERS];
  const watched = guardsOf(PLAN).map((guard): Watched => {
    const options = { thetas: guard.direction, tolerance: toleranceOf(guard), alpha: ALPHA };
    return { test: createEventTest(options), due: 0 };
  });
  const units = unitsASecond * 60;
  let minutes = 0;
  for (const step of STEPS) {
    const w = step / 100;
    let met = 0;
    for (let held = 1; ; held++) {
      if (held > MOST_MINUTES) return { how: 'paused', minutes };
      minutes++;
      const own = drawBinomial(random, units, w);
      met += own;
      for (const [at, guard] of watched.entries()) {
        const base = rates[at] as number;
        const kc = drawBinomial(random, own, at === 0 ? base * factor : base);
        const others = drawBinomial(random, units - own, base);
        guard.test.add(kc + others, kc, w);
        guard.due += (others * w) / (1 - w);
      }
      if (watched.some(({ test }) => test.breached())) return { how: 'stopped', minutes };
      if (held >= HOLD_MINUTES && met >= PLAN.minUnits && !watched.some(waits)) break;
    }
  }
  return { how: 'promoted', minutes };
}

function told(traffic: Traffic, what: string, ends: readonly End[], isRule: boolean, isQuick: boolean): Line[] {
  const { unitsASecond, rate, factor } = traffic;
  const of = (how: End['how']): number => ends.filter((end) => end.how === how).length;
  const share = (how: End['how']): string => percent(of(how) / ends.length);
  const hours = (median(ends.map(({ minutes }) => minutes)) / 60).toFixed(1);
  const mean = (ends.reduce((sum, { minutes }) => sum + minutes, 0) / ends.length / 60).toFixed(1);
  const which = `${unitsASecond} units/s, errors ${percent(rate)}${factor === 1 ? ', healthy' : ` × ${factor}`}`;
  const figure = `promoted ${share('promoted')}, stopped ${share('stopped')}, paused ${share('paused')}; ${hours} h (median), ${mean} h (mean)`;
  const line = shown(isRule ? `${which}: ${what}` : `  ${what}`, figure);
  if (!isRule || factor !== 1) return [line];
  return [line, atMost('  healthy, paused', of('paused'), ends.length, PAUSED, isQuick)];
}
