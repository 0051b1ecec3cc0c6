// The statistics keep what they claim where the truth is known: a small run of each simulation, with bounds that chance
// breaks less than once in a thousand. `npm run simulate` runs them at full size.

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { about, atLeast, atMost } from '../../bench/simulate/simulation.ts';
import { SIMULATIONS } from '../../bench/simulate/simulations.ts';

describe('in a simulation', () => {
  it.each(Object.entries(SIMULATIONS))('%s: every bound holds', (_, simulate) => {
    const { lines } = simulate({ isQuick: true });
    expect(lines.filter(({ holds }) => !holds)).toEqual([]);
    expect(lines.some(({ bound }) => bound !== '')).toBe(true);
  });

  it('a bound that is not kept is told', () => {
    expect(atMost('a', 51, 1000, 0.05, false).holds).toBe(false);
    expect(atMost('a', 50, 1000, 0.05, false).holds).toBe(true);
    expect(atMost('a', 80, 1000, 0.05, true).holds).toBe(false);
    expect(atMost('a', 60, 1000, 0.05, true).holds).toBe(true);
    expect(about('a', 80, 1000, 0.05).holds).toBe(false);
    expect(atLeast('a', 399, 500, 0.8, false).holds).toBe(false);
    expect(atLeast('a', 350, 500, 0.8, true).holds).toBe(false);
  });

  it('that does not exist, the command names those that do', () => {
    const script = resolve(import.meta.dirname, '../../bench/simulate/run.ts');
    const { status, stderr } = spawnSync(process.execPath, ['--conditions=headrace-source', script, 'none'], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([2, 'There is no simulation "none": aa, srm, power, drift, rollouts, all.\n']);
  });
});
