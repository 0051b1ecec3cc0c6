// Whether arms that get exactly what their weights say are ever called mismatched, looked at after every few units, over
// phases of weights; and how many units it takes to find a mismatch that there is.

import { srmChiSquare, srmLnE, type WeightPhase } from '../../src/statistics/index.ts';
import { seeded } from './random.ts';
import { about, atMost, median, shown, type Simulation } from './simulation.ts';

const ALPHA = 0.001;
const PHASES = [
  [0.99, 0.01, 0],
  [0.9, 0.05, 0.05],
  [0.5, 0.3, 0.2],
] as const;
const LOOKS_A_PHASE = 15;
const UNITS_A_LOOK = 40;

export const simulateSrm: Simulation = ({ isQuick }) => {
  const runs = isQuick ? 400 : 20_000;
  const bar = -Math.log(ALPHA);
  let byE = 0;
  let byChiSquare = 0;
  for (let run = 0; run < runs; run++) {
    const random = seeded(run + 1);
    let last: WeightPhase | undefined;
    let evidence = 0;
    let isFound = false;
    for (const weights of PHASES) {
      const counts = weights.map(() => 0);
      for (let look = 0; look < LOOKS_A_PHASE; look++) {
        for (let unit = 0; unit < UNITS_A_LOOK; unit++) {
          const arm = armOf(random(), weights);
          counts[arm] = (counts[arm] as number) + 1;
        }
        isFound ||= evidence + srmLnE([{ counts, weights }]) >= bar;
      }
      last = { counts, weights };
      evidence += srmLnE([last]);
    }
    byE += Number(isFound);
    byChiSquare += Number(last !== undefined && srmChiSquare(last.counts, last.weights) < ALPHA);
  }
  const found = [0.48, 0.45, 0.4].map((share) => {
    const needed = Array.from({ length: isQuick ? 5 : 101 }, (_, run) => unitsToFind(seeded(900 + run), share, bar));
    return shown(`found: ${share * 100} % of the units where half were due`, `after ${median(needed)} units (median)`);
  });
  return {
    title: 'sample ratio: units as the weights say',
    about: `${runs} runs of ${PHASES.length} phases of weights (${PHASES.map((phase) => phase.map((w) => w * 100).join('/')).join(', ')} %), ${LOOKS_A_PHASE * PHASES.length} looks, ${UNITS_A_LOOK} units a look`,
    lines: [
      atMost('E over all phases reaches 1,000 at any look', byE, runs, ALPHA, isQuick),
      about('χ² below .001 at the end of the last phase', byChiSquare, runs, ALPHA),
      ...found,
    ],
  };
};

function unitsToFind(random: () => number, share: number, bar: number): number {
  const counts = [0, 0];
  for (let units = 100; ; units += 100) {
    for (let i = 0; i < 100; i++) {
      const arm = random() < share ? 0 : 1;
      counts[arm] = (counts[arm] as number) + 1;
    }
    if (srmLnE([{ counts, weights: [1, 1] }]) >= bar) return units;
  }
}

function armOf(at: number, weights: readonly number[]): number {
  let below = 0;
  let last = 0;
  for (const [arm, weight] of weights.entries()) {
    if (weight === 0) continue;
    below += weight;
    last = arm;
    if (at < below) return arm;
  }
  return last;
}
