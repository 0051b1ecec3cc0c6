// What minutes of a rollout add up to: each unit once, whichever server, arm, minute or sample it came in.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ArmMinute } from '../../src/rollouts/index.ts';
import { createLedger } from '../../src/rollouts/controller/ledger.ts';
import type { Phase, Rollout } from '../../src/rollouts/controller/rollout.ts';
import { byMinute, createTally, type Tally } from '../../src/rollouts/controller/tally.ts';
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
  const variant = version === 1 ? 'stable' : 'candidate';
  const place = { kind: 'arm', variant, version, revision, minute: minute * MINUTE, writer: 'a' };
  const samples = { errorUnits: pack(errors), slowUnits: pack([]), nullUnits: pack([]), outcomes: null };
  return { ...place, rows: units.length, breakerOpens: 0, units: pack([...units, ...errors]), ...samples };
}

function addAll(tally: Tally, rows: readonly ArmMinute[]): void {
  for (const minute of byMinute(rows)) tally.add(minute);
}

const ROLLOUT = { ...ARMS, endpoint: 'e', phases: PHASES, createdMicros: 0 } as unknown as Rollout;
const ledgerOf = (rows: () => readonly ArmMinute[]) =>
  createLedger({
    minutes: async ({ fromMicros, toMicros = Infinity }) =>
      rows().filter(({ minute }) => minute >= fromMicros && minute < toMicros),
  });

it('sorts rows by minute, revision, writer, arm and version, in whatever order they are read', () => {
  const of = (minute: number, revision: number, writer: string, variant: string, version: 1 | 2): ArmMinute => ({
    ...row(version, revision, minute, {}),
    writer,
    variant,
  });
  const minutes = [
    [
      of(1, 5, 'a', 'x', 1),
      of(1, 5, 'a', 'x', 2),
      of(1, 5, 'a', 'y', 1),
      of(1, 5, 'b', 'x', 1),
      of(1, 5, 'b', 'x', 2),
      of(1, 6, 'a', 'x', 1),
    ],
    [of(2, 4, 'a', 'x', 1)],
  ];
  expect(byMinute(minutes.flat())).toEqual(minutes);
  expect(byMinute(minutes.flat().toReversed())).toEqual(minutes);
});

describe('a tally', () => {
  it('leaves out no unit, warm-ups, other arms and revisions', () => {
    const tally = createTally(ARMS, PHASES);
    addAll(tally, [
      row(2, 5, 1, { errors: [0, 99] }),
      { ...row(2, 5, 1, { errors: [7] }), variant: 'exp/treatment' },
      row(2, 4, 1, { errors: [8] }),
    ]);
    expect(tally.events('error')).toEqual([]);
    expect(tally.candidateUnits()).toBe(1);
  });

  it('keeps what was counted before a unit had an event in a later warm-up', () => {
    const phases = [PHASES[0] as Phase, { ...(PHASES[1] as Phase), warm: { error: [10], slow: [], null: [] } }];
    const tally = createTally(ARMS, phases);
    addAll(tally, [row(1, 5, 1, { errors: [10] }), row(2, 6, 2, { errors: [10, 99, 11] })]);
    expect(tally.events('error').map(({ revision, k, kc }) => [revision, k, kc])).toEqual([
      [5, 1, 0],
      [6, 1, 1],
    ]);
  });

  it('counts each minute below the threshold of then, and says which part of the units that is now', async () => {
    const spread = Array.from({ length: 1000 }, (_, i) => i * 4_294_967 + 1);
    const others = spread.map((hash) => hash + 1);
    const rows = [
      row(1, 5, 1, { errors: spread.slice(900) }),
      { ...row(1, 5, 2, { units: spread }), errorUnits: pack(spread.slice(0, 900), 100) },
      // Of the same minute, so by the same threshold.
      { ...row(2, 5, 2, { errors: others }), rows: 1000 },
      { ...row(2, 5, 3, { errors: others.map((hash) => hash + 1) }), rows: 1000 },
    ];
    const tally = await ledgerOf(() => rows).look(ROLLOUT, 4 * MINUTE);
    expect(tally.events('error').map(({ minute, k, kc }) => [minute / MINUTE, k, kc])).toEqual([
      // What a later row holds too little of takes nothing from an earlier minute.
      [1, 100, 0],
      [2, 199, 99],
      [3, 99, 99],
    ]);
    const share = (99 * 4_294_967) / 2 ** 32;
    expect(tally.share('error')).toBeCloseTo(share, 6);
    expect(tally.rowsOf('error')).toBeCloseTo(share * 2000, 3);
    expect(tally.share('units')).toBe(1);
  });

  it('tells the candidate’s units from those below the threshold', () => {
    const spread = Array.from({ length: 1000 }, (_, i) => i * 4_294_967 + 1);
    const tally = createTally(ARMS, PHASES);
    addAll(tally, [
      row(2, 5, 1, { units: spread.map((hash) => hash + 1) }),
      { ...row(1, 5, 2, { units: spread }), units: pack(spread, 100) },
    ]);
    expect(tally.phases[0]).toMatchObject({ candidateUnits: 1000, stableUnits: 100 });
    expect(Math.abs(tally.candidateUnits() - 1000)).toBeLessThan(20);
    expect(Math.abs(tally.candidateUnits(5) - 1000)).toBeLessThan(20);
    expect(tally.candidateUnits(6)).toBe(0);
  });

  it('counts a unit’s first event by what the samples held up to its minute, never more again', () => {
    const one = fc.record({
      minute: fc.integer({ min: 1, max: 6 }),
      version: fc.constantFrom<1 | 2>(1, 2),
      writer: fc.constantFrom('a', 'b'),
      errors: fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 20 }),
      limit: fc.integer({ min: 2, max: 20 }),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(one, {
          maxLength: 15,
          selector: ({ minute, version, writer }) => `${minute}${version}${writer}`,
        }),
        (made) => {
          const rows = made.map(({ minute, version, writer, errors, limit }) => ({
            ...row(version, 6, minute, {}),
            writer,
            errorUnits: pack(errors, limit),
          }));
          const tally = createTally(ARMS, PHASES);
          addAll(tally, rows);
          const seen = new Set<number>();
          let bound = 2 ** 32;
          const naive: number[][] = [];
          for (let minute = 1; minute <= 6; minute++) {
            const own = made.filter((each) => each.minute === minute);
            // A sample holds its lowest hashes, and nothing is known of those above.
            for (const { errors, limit } of own)
              if (errors.length > limit) bound = Math.min(bound, errors.toSorted((x, y) => x - y)[limit - 1] as number);
            for (const hash of seen) if (hash > bound) seen.delete(hash);
            const fresh = new Set(
              own.flatMap(({ errors }) => errors).filter((hash) => hash <= bound && !seen.has(hash)),
            );
            for (const hash of fresh) seen.add(hash);
            if (fresh.size > 0) naive.push([minute * MINUTE, fresh.size]);
          }
          expect(tally.events('error').map(({ minute, k }) => [minute, k])).toEqual(naive);
        },
      ),
    );
  });

  it('is the same, counted minute by minute or at once, late rows too', async () => {
    const rows = Array.from({ length: 40 }, (_, minute) =>
      row(minute % 3 === 0 ? 2 : 1, minute < 20 ? 5 : 6, minute, {
        units: [minute, minute + 1, minute * 7],
        errors: [minute * 3, (minute * 11) % 13],
      }),
    );
    let until = 0;
    const told = () => rows.filter(({ minute }) => minute <= until);
    const ledger = ledgerOf(told);
    for (; until < 40 * MINUTE; until += MINUTE) {
      const tally = await ledger.look(ROLLOUT, until + 1);
      const whole = createTally(ARMS, PHASES);
      addAll(whole, told());
      expect(tally.events('error')).toEqual(whole.events('error'));
      expect(tally.phases).toEqual(whole.phases);
    }
  });
});
