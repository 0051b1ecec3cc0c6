// How much traffic it takes to find what there is, by the formulas of the tests themselves, and whether it is found then.

import { createEventTest, msprt, normalQuantile } from '../../src/statistics/index.ts';
import { seeded } from './random.ts';
import { atLeast, median, shown, type Line, type Simulation } from './simulation.ts';

const POWER = 0.8;
const ALPHA = 0.05;
const LOOKS = 50;
const BETS = { rise: [1.25, 1.5, 2, 3, 5, 10, 30, 100, 300], drop: [0.9, 0.8, 0.67, 0.5, 0.33, 0.1] } as const;

interface Change {
  readonly what: string;
  readonly thetas: keyof typeof BETS;
  readonly base: number;
  readonly candidate: number;
  readonly w: number;
  readonly alpha: number;
}

const OUTCOME: Change = {
  what: 'outcome −10 % of .05',
  thetas: 'drop',
  base: 0.05,
  candidate: 0.045,
  w: 0.5,
  alpha: ALPHA,
};
const CHANGES: readonly Change[] = [
  OUTCOME,
  { ...OUTCOME, what: 'outcome −10 % of .05, one of five guardrails', alpha: ALPHA / 5 },
  { what: 'errors .4 → 2 % at 50 %', thetas: 'rise', base: 0.004, candidate: 0.02, w: 0.5, alpha: ALPHA / 5 },
  { what: 'errors .4 → 2 % at 5 %', thetas: 'rise', base: 0.004, candidate: 0.02, w: 0.05, alpha: ALPHA / 5 },
  { what: 'errors .4 → 2 % at 1 %', thetas: 'rise', base: 0.004, candidate: 0.02, w: 0.01, alpha: ALPHA / 5 },
];

export const simulatePower: Simulation = ({ isQuick }) => {
  const runs = isQuick ? 40 : 500;
  return {
    title: 'power: changes that there are',
    about: `${runs} runs each of independent units, ${LOOKS} looks up to the size that the formula gives for ${POWER * 100} %`,
    lines: [...CHANGES.flatMap((change) => byEvents(change, runs, isQuick)), ...byMeans(OUTCOME, runs, isQuick)],
  };
};

/**
 * Events that suffice in `POWER` of all runs. Each first event falls to the candidate with the chance w′ and multiplies the bet e^θ by
 * e^θ or 1, over 1 − w + w·e^θ: ln E of the best bet grows by g an event with the spread d, and must reach ln(bets/α):
 * g·k − z·d·√k = ln(bets/α), for the bet that needs the least k.
 */
function eventsNeeded({ thetas, base, candidate, w, alpha }: Change): number {
  const share = (w * candidate) / (w * candidate + (1 - w) * base);
  const bets = BETS[thetas];
  const z = normalQuantile(POWER);
  const needed = bets.map((bet) => {
    const growth = share * Math.log(bet) - Math.log1p(w * (bet - 1));
    if (growth <= 0) return Number.POSITIVE_INFINITY;
    const spread = Math.abs(Math.log(bet)) * Math.sqrt(share * (1 - share));
    const bar = Math.log(bets.length / alpha);
    return ((z * spread + Math.sqrt((z * spread) ** 2 + 4 * growth * bar)) / (2 * growth)) ** 2;
  });
  return Math.ceil(Math.min(...needed));
}

function byEvents(change: Change, runs: number, isQuick: boolean): Line[] {
  const { what, thetas, base, candidate, w, alpha } = change;
  const events = eventsNeeded(change);
  const units = Math.ceil(events / (w * candidate + (1 - w) * base));
  const found: number[] = [];
  for (let run = 0; run < runs; run++) {
    const random = seeded(run + 1);
    const test = createEventTest({ thetas, alpha });
    for (let look = 1; look <= LOOKS && !test.breached(); look++) {
      let k = 0;
      let kc = 0;
      for (let unit = 0; unit < units / LOOKS; unit++) {
        const isCandidate = random() < w;
        if (random() >= (isCandidate ? candidate : base)) continue;
        k++;
        if (isCandidate) kc++;
      }
      test.add(k, kc, w);
      if (test.breached()) found.push((look * units) / LOOKS);
    }
  }
  return [
    atLeast(`${what}: by events, in ${units} units (${events} events)`, found.length, runs, POWER, isQuick),
    shown('  of those, in half of them within', `${Math.round(median(found))} units`),
  ];
}

/** The se at which half-width + z·se is the change, by halving; units from se² = 4p(1−p)/n at equal arms. */
function byMeans(change: Change, runs: number, isQuick: boolean): Line[] {
  const { base, candidate, alpha } = change;
  const difference = candidate - base;
  const tau = base / 10;
  const z = normalQuantile(POWER);
  let [low, high] = [0, Math.abs(difference)];
  while (high - low > 1e-9) {
    const se = (low + high) / 2;
    if (msprt({ difference, se, tau, alpha }).halfWidth + z * se > Math.abs(difference)) high = se;
    else low = se;
  }
  const units = Math.ceil((2 * (base * (1 - base) + candidate * (1 - candidate))) / low ** 2);
  let found = 0;
  for (let run = 0; run < runs; run++) {
    const random = seeded(run + 5_001);
    const [n, y] = [
      [0, 0],
      [0, 0],
    ] as [[number, number], [number, number]];
    for (let look = 1; look <= LOOKS; look++) {
      for (let unit = 0; unit < units / LOOKS; unit++) {
        const arm = random() < 0.5 ? 1 : 0;
        n[arm]++;
        if (random() < (arm === 1 ? candidate : base)) y[arm]++;
      }
      const [p, q] = [y[0] / n[0], y[1] / n[1]];
      const se = Math.sqrt((p * (1 - p)) / n[0] + (q * (1 - q)) / n[1]);
      if (q - p + msprt({ difference: q - p, se, tau: p / 10, alpha }).halfWidth >= 0) continue;
      found++;
      break;
    }
  }
  return [atLeast(`${change.what}: by means, two-sided, in ${units} units`, found, runs, POWER, isQuick)];
}
