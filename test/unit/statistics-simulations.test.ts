// The statistics keep what they claim where the truth is known: a small run of each simulation, with bounds that chance
// breaks less than once in a thousand. `npm run simulate` runs them at full size.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { intoPage } from '../../bench/simulate/into-page.ts';
import { about, atLeast, atMost, type Simulation } from '../../bench/simulate/simulation.ts';
import { SIMULATIONS } from '../../bench/simulate/simulations.ts';
import { fullIt, rows } from '../support/tier.ts';

describe('in a simulation', () => {
  const all = Object.keys(SIMULATIONS);
  // The others take seconds each.
  const quick = ['srm', 'samples'];
  const more = all.filter((name) => !quick.includes(name));
  it.each(rows(quick, more))('%s: every bound holds', async (name) => {
    const simulate = SIMULATIONS[name] as Simulation;
    const { lines } = await simulate({ isQuick: true });
    expect(lines.filter(({ holds }) => !holds)).toEqual([]);
    expect(lines.some(({ bound }) => bound !== '')).toBe(true);
  });

  it('the page has a place for the figures of each, and each holds there', () => {
    const page = readFileSync(resolve(import.meta.dirname, '../../docs/reference/statistics.md'), 'utf8');
    const line = { what: 'a figure', figure: '7', bound: 'at most 6', holds: false };
    for (const name of Object.keys(SIMULATIONS)) {
      expect(intoPage(page, name, { title: name, about: 'About it', lines: [line] })).toContain(
        '| a figure | 7 | at most 6: **broken** |',
      );
    }
    expect(page.match(/: holds \|$/gm)?.length).toBeGreaterThan(30);
    expect(page).not.toContain('**broken**');
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

  // twin: test/unit/statistics-simulations.test.ts > the page has a place for the figures of each, and each holds there
  fullIt('that does not exist, the command names those that do', () => {
    const script = resolve(import.meta.dirname, '../../bench/simulate/run.ts');
    const { status, stderr } = spawnSync(process.execPath, ['--conditions=headrace-source', script, 'none'], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([
      2,
      'There is no simulation "none": aa, heavy, samples, srm, power, drift, rollouts, steps, all.\n',
    ]);
  });
});
