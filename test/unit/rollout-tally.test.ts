// What minutes of a rollout add up to: each unit once, whichever server, arm, minute or sample it came in.

import { describe, expect, it } from 'vitest';
import type { ArmMinute } from '../../src/rollouts/index.ts';
import { createLedger } from '../../src/rollouts/controller/ledger.ts';
import type { Phase, Rollout } from '../../src/rollouts/controller/rollout.ts';
import { createTally, inOrder } from '../../src/rollouts/controller/tally.ts';
import { createHashSample, packHashes } from '../../src/statistics/index.ts';

const MINUTE = 60_000_000;
const ARMS = { candidate: 2, stable: 1, candidateName: 'candidate', stableName: 'stable' };
const PHASES: readonly Phase[] = [
  { revision: 5, weight: 10, fromMicros: 0, warm: { error: [99], slow: [], null: [] } },
  { revision: 6, weight: 50, fromMicros: 0, warm: { error: [], slow: [], null: [] } },
];

const pack = (hashes: readonly number[], limit?: number): string => {
  const sample = createHashSample(limit);
  for (const hash of hashes) sample.add(hash);
  return packHashes(sample);
};

function row(
  version: 1 | 2,
  revision: number,
  minute: number,
  more: Partial<Record<'units' | 'errors', readonly number[]>>,
): ArmMinute {
  const { units = [], errors = [] } = more;
  return {
    kind: 'arm',
    variant: version === 1 ? 'stable' : 'candidate',
    version,
    revision,
    minute: minute * MINUTE,
    writer: 'a',
    rows: units.length,
    breakerOpens: 0,
    units: pack([...units, ...errors]),
    errorUnits: pack(errors),
    slowUnits: pack([]),
    nullUnits: pack([]),
    outcomes: null,
  };
}

describe('a tally', () => {
  it('counts a unit where it was first, and its first event alone', () => {
    const tally = createTally(ARMS, PHASES);
    const rows = [
      row(1, 5, 1, { units: [1, 2, 3], errors: [10] }),
      // Moved by the ramp: it had its event, and was seen.
      row(2, 6, 3, { units: [1, 4], errors: [10, 11] }),
      // At another server.
      { ...row(2, 5, 2, { units: [5], errors: [12] }), writer: 'b' },
      row(2, 5, 2, { units: [5], errors: [12] }),
    ];
    for (const one of inOrder(rows)) tally.add(one);
    expect(tally.phases.map(({ candidateUnits, stableUnits }) => [candidateUnits, stableUnits])).toEqual([
      [2, 4],
      [2, 0],
    ]);
    expect(tally.candidateUnits()).toBe(6);
    expect(tally.candidateUnits(6)).toBe(4);
    expect(tally.events('error').map(({ revision, w, k, kc }) => [revision, w, k, kc])).toEqual([
      [5, 0.1, 1, 0],
      [5, 0.1, 1, 1],
      [6, 0.5, 1, 1],
    ]);
  });

  it('leaves out no unit, warm-ups, other arms and revisions', () => {
    const tally = createTally(ARMS, PHASES);
    tally.add(row(2, 5, 1, { errors: [0, 99] }));
    tally.add({ ...row(2, 5, 1, { errors: [7] }), variant: 'exp/treatment' });
    tally.add(row(2, 4, 1, { errors: [8] }));
    expect(tally.events('error')).toEqual([]);
    expect(tally.candidateUnits()).toBe(1);
  });

  it('goes on from another one, which stays', () => {
    const base = createTally(ARMS, PHASES);
    base.add(row(1, 5, 1, { units: [1], errors: [2] }));
    const fork = base.fork();
    fork.add(row(2, 6, 2, { units: [1, 3], errors: [2, 4] }));
    expect(fork.candidateUnits()).toBe(4);
    expect(fork.events('error').map(({ k }) => k)).toEqual([1, 1]);
    expect(base.candidateUnits()).toBe(0);
    expect(base.events('error')).toHaveLength(1);
  });

  it('counts below the lowest threshold of all samples, and says which part that is', async () => {
    const spread = Array.from({ length: 1000 }, (_, i) => i * 4_294_967 + 1);
    const sampled = { ...row(1, 5, 1, { units: spread }), units: pack(spread, 100) };
    const exact = row(2, 5, 2, { units: spread.map((hash) => hash + 1) });
    const ledger = createLedger({ minutes: () => Promise.resolve([sampled, exact]) });
    const rollout = { ...ARMS, endpoint: 'e', phases: PHASES, createdMicros: 0 } as unknown as Rollout;
    const tally = await ledger.look(rollout, 3 * MINUTE);
    expect(tally.phases[0]).toMatchObject({ stableUnits: 100 });
    expect(Math.abs(tally.candidateUnits() - 1000)).toBeLessThan(20);
    expect(tally.share('units')).toBeCloseTo((99 * 4_294_967) / 2 ** 32, 3);
    expect(tally.share('error')).toBe(1);
  });

  it('is the same, counted minute by minute or at once, late rows too', async () => {
    const rows = Array.from({ length: 40 }, (_, minute) =>
      row(minute % 3 === 0 ? 2 : 1, minute < 20 ? 5 : 6, minute, {
        units: [minute, minute + 1, minute * 7],
        errors: [minute * 3, (minute * 11) % 13],
      }),
    );
    const rollout = { ...ARMS, endpoint: 'e', phases: PHASES, createdMicros: 0 } as unknown as Rollout;
    let until = 0;
    const ledger = createLedger({
      minutes: ({ fromMicros, toMicros = Infinity }) =>
        Promise.resolve(rows.filter(({ minute }) => minute <= until && minute >= fromMicros && minute < toMicros)),
    });
    for (; until < 40 * MINUTE; until += MINUTE) {
      const tally = await ledger.look(rollout, until + 1);
      const whole = createTally(ARMS, PHASES);
      for (const one of inOrder(rows.filter(({ minute }) => minute <= until))) whole.add(one);
      expect(tally.events('error')).toEqual(whole.events('error'));
      expect(tally.phases).toEqual(whole.phases);
    }
  });
});
