// The simulations by name, in the order in which they run.

import { simulateAa } from './aa.ts';
import { simulateDrift } from './drift.ts';
import { simulateHeavy } from './heavy.ts';
import { simulatePower } from './power.ts';
import { simulateRollouts } from './rollouts.ts';
import { simulateSamples } from './samples.ts';
import type { Simulation } from './simulation.ts';
import { simulateSrm } from './srm.ts';
import { simulateSteps } from './steps.ts';

export const SIMULATIONS: Readonly<Record<string, Simulation>> = {
  aa: simulateAa,
  heavy: simulateHeavy,
  samples: simulateSamples,
  srm: simulateSrm,
  power: simulatePower,
  drift: simulateDrift,
  rollouts: simulateRollouts,
  steps: simulateSteps,
};
