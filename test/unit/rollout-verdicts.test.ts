// What guardrails say of rollouts whose truth is known: healthy ones with units that come again and again, a base rate that
// drifts and a ramp; and harmful ones.

import { describe, expect, it } from 'vitest';
import type { ArmMinute, Rollout } from '../../src/rollouts/index.ts';
import { fnv1a } from '../../src/rollouts/index.ts';
import { compilePlan } from '../../src/rollouts/controller/plan.ts';
import { createTally } from '../../src/rollouts/controller/tally.ts';
import { judge } from '../../src/rollouts/controller/verdicts.ts';
import { createHashSample, packHashes } from '../../src/statistics/index.ts';
import { seeded } from '../support/rollout-world.ts';
import { runs } from '../support/tier.ts';

const MINUTE = 60_000_000;
const WEIGHTS = [5, 25, 50] as const;
const ARMS = { candidate: 2, stable: 1, candidateName: 'candidate', stableName: 'stable' };
const NOTHING_WARM = { error: [], slow: [], null: [] };
const PHASES = WEIGHTS.map((weight, at) => ({ revision: at + 1, weight, fromMicros: 0, warm: NOTHING_WARM }));

interface Truth {
  readonly seed: number;
  readonly guards: readonly string[];
  /** How many times as often the candidate fails. */
  readonly factor?: number;
  /** Of stable's requests. */
  readonly rate?: number;
  /** Added to the outcome of the candidate's units, of a mean of 10. */
  readonly outcome?: number;
  readonly minutes?: number;
}

const rolloutBy = (guards: readonly string[]): Rollout =>
  // What the guardrails look at.
  ({
    ...ARMS,
    phases: PHASES,
    plan: compilePlan({ guards, steps: [...WEIGHTS, 100], minUnits: 50 }, undefined),
    state: 'watching',
    step: 3,
    slowLimitMicros: 1,
  }) as unknown as Rollout;

const judgeBy = (rollout: Rollout, tally: ReturnType<typeof createTally>, late: readonly string[] = []) =>
  judge(rollout, { tally, late, matured: undefined });

/** Looks after each minute of a ramp; gives the guards that breached, and the verdicts at the end. */
function simulate({ seed, guards, factor = 1, rate = 0.004, outcome = 0, minutes = 30 }: Truth) {
  const random = seeded(seed);
  const rollout = rolloutBy(guards);
  const tally = createTally(rollout, PHASES);
  const units = Array.from({ length: 600 }, (_, at) => {
    const hash = fnv1a(`${seed}/${at}`);
    const bucket = fnv1a(String(hash)) % 10_000;
    // A few units fail often: rows of one unit aren't independent.
    return { hash, bucket, proneness: random() < 0.05 ? 10 : 0.5, level: 10 + 4 * random() };
  });
  const breached = new Set<string>();
  for (let minute = 0; minute < minutes; minute++) {
    const phase = PHASES[Math.min(PHASES.length - 1, Math.floor((minute * PHASES.length) / minutes))];
    if (phase === undefined) break;
    // The base rate goes up and down, for both.
    const drift = 1 + Math.sin(minute / 5);
    const rows = [1, 2].flatMap((version) => {
      const seen = units.filter(({ bucket }) => bucket < phase.weight * 100 === (version === 2) && random() < 0.5);
      const failing = rate * drift * (version === 2 ? factor : 1);
      return rowsOf(seen, version, phase.revision, minute, random, failing, outcome);
    });
    tally.add(rows);
    for (const { metric, verdict } of judgeBy(rollout, tally)) if (verdict === 'breached') breached.add(metric);
  }
  return { breached: [...breached], last: judgeBy(rollout, tally) };
}

type SeenUnit = Readonly<Record<'hash' | 'proneness', number> & Partial<Record<'level' | 'value', number>>>;

function rowsOf(
  seen: readonly SeenUnit[],
  version: number,
  revision: number,
  minute: number,
  random: () => number,
  rate: number,
  outcome: number,
): ArmMinute[] {
  const [all, failed, events] = [createHashSample(), createHashSample(), createHashSample()];
  const n = Array.from({ length: 64 }, () => 0);
  const sum = [...n];
  const squares = [...n];
  for (const { hash, proneness, level = 0, value: given } of seen) {
    all.add(hash);
    if (random() < rate * proneness) failed.add(hash);
    const g = hash % 64;
    const value = given ?? level + 6 * random() + (version === 2 ? outcome : 0);
    if (value !== 0) events.add(hash);
    n[g] = (n[g] ?? 0) + 1;
    sum[g] = (sum[g] ?? 0) + value;
    squares[g] = (squares[g] ?? 0) + value * value;
  }
  const none = packHashes(createHashSample());
  const variant = version === 2 ? 'candidate' : 'stable';
  const place = { kind: 'arm', variant, version, revision, minute: minute * MINUTE, writer: 'a' };
  const samples = { units: packHashes(all), errorUnits: packHashes(failed), slowUnits: none, nullUnits: none };
  const arm: ArmMinute = { ...place, ...samples, rows: seen.length, breakerOpens: 0, outcomes: null };
  return [arm, { ...arm, kind: 'outcome', variant: '', outcomes: { n, sum, squares, eventUnits: packHashes(events) } }];
}

/** Rollouts that are simulated. */
const RUNS = runs(200);
const seeds = Array.from({ length: RUNS }, (_, seed) => seed);

describe('guardrails', () => {
  it('stop at most one in twenty of healthy rollouts, looked at each minute', { timeout: 60_000 }, () => {
    const guards = ['error_rate<+0%', 'outcome>-0%'];
    const stopped = seeds.filter((seed) => simulate({ seed, guards, rate: 0.02 }).breached.length > 0);
    expect(stopped.length).toBeLessThanOrEqual(RUNS * 0.05);
  });

  it('find a rate of .4 % that became 2 %, and an outcome that fell by a tenth', { timeout: 60_000 }, () => {
    const few = seeds.slice(0, runs(20));
    const errors = few.filter((seed) =>
      simulate({ seed, guards: ['error_rate<+20%'], factor: 5, minutes: 90 }).breached.includes('error_rate'),
    );
    expect(errors.length).toBeGreaterThanOrEqual(0.8 * few.length);
    const fell = few.filter((seed) =>
      simulate({ seed, guards: ['outcome>-2%'], outcome: -1.5 }).breached.includes('outcome'),
    );
    expect(fell).toEqual(few);
  });

  it('hold a fixed limit against the candidate alone', () => {
    const within = simulate({ seed: 1, guards: ['error_rate<0.05'], rate: 0.02 });
    expect(within.breached).toEqual([]);
    expect(within.last[0]).toMatchObject({ verdict: 'healthy', limit: 0.05 });
    expect(simulate({ seed: 1, guards: ['error_rate<0.01'], rate: 0.02, factor: 5 }).breached).toEqual(['error_rate']);
  });

  it('are undecided without traffic, blind where a server is late, and say why', () => {
    const rollout = rolloutBy(['error_rate<+20%']);
    const verdicts = judgeBy(rollout, createTally(rollout, PHASES), ['host 7']);
    expect(verdicts.map(({ metric, verdict, evidence }) => [metric, verdict, evidence['why']])).toEqual([
      ['error_rate', 'undecided', 'no traffic'],
      ['breaker', 'healthy', undefined],
      ['srm', 'undecided', undefined],
      ['servers', 'blind', 'nothing came for 30 s from host 7'],
    ]);
  });

  it('are undecided while the evidence is rather for harm than against, where more of it can come', () => {
    const judged = (failing: { candidate: number; stable: number }, guard: string, more: Partial<Rollout> = {}) => {
      const rollout = { ...rolloutBy([guard]), ...more };
      const tally = createTally(rollout, PHASES);
      const units = (version: number, failed: number) =>
        Array.from({ length: 300 }, (_, at) => ({ hash: fnv1a(`${version}/${at}`), proneness: at < failed ? 1 : 0 }));
      const rowsAt = (version: 1 | 2, failed: number) => rowsOf(units(version, failed), version, 3, 0, () => 0.5, 1, 0);
      tally.add([...rowsAt(1, failing.stable), ...rowsAt(2, failing.candidate)]);
      const [verdict] = judgeBy(rollout, tally);
      return [verdict?.verdict, verdict?.evidence['why']];
    };
    const doubt = ['undecided', 'what was seen so far is rather for harm than against it'];
    expect(judged({ candidate: 0, stable: 0 }, 'error_rate<+20%')).toEqual(['healthy', undefined]);
    expect(judged({ candidate: 10, stable: 10 }, 'error_rate<+20%')).toEqual(['healthy', undefined]);
    expect(judged({ candidate: 20, stable: 9 }, 'error_rate<+20%')).toEqual(doubt);
    expect(judged({ candidate: 60, stable: 9 }, 'error_rate<+20%')).toEqual(['breached', undefined]);
    // With all of the traffic there is nothing to compare with any more, and a limit needs nothing.
    const all = { state: 'baking', step: 4 } as const;
    expect(judged({ candidate: 20, stable: 9 }, 'error_rate<+20%', all)).toEqual(['healthy', undefined]);
    expect(judged({ candidate: 24, stable: 0 }, 'error_rate<0.05', all)).toEqual(doubt);
    // Nothing waits for the watch after promotion.
    expect(judged({ candidate: 24, stable: 0 }, 'error_rate<0.05', { ...all, state: 'promoted' })[0]).toBe('healthy');
  });

  it('say nothing of means before 200 units of the candidate have outcomes, 25 of them not 0', () => {
    const guards = ['outcome>-0%'];
    const verdictOf = (candidates: number, value: (at: number) => number) => {
      const rollout = rolloutBy(guards);
      const tally = createTally(rollout, PHASES);
      const random = seeded(7);
      tally.add([...outcomeRows(1, 1000, () => 9 + 2 * random()), ...outcomeRows(2, candidates, (at) => value(at))]);
      const [verdict] = judgeBy(rollout, tally);
      return [verdict?.verdict, verdict?.evidence['why']];
    };
    // All alike, and so with no error that could be seen.
    const bad = (): number => 5.5;
    const few = 'outcomes of about 3 units of the candidate, 1000 of stable, of 200';
    expect(verdictOf(3, bad)).toEqual(['undecided', few]);
    expect(verdictOf(150, bad)[0]).toBe('undecided');
    expect(verdictOf(600, bad)).toEqual(['breached', undefined]);
    const zeros = '20 units of the candidate with an outcome that is not 0, of 25';
    expect(verdictOf(600, (at) => (at < 20 ? 5.5 : 0))).toEqual(['undecided', zeros]);
  });

  it('don’t take many outcomes of a few units for many units', () => {
    const rollout = rolloutBy(['outcome>-0%']);
    const tally = createTally(rollout, PHASES);
    const random = seeded(8);
    const few = outcomeRows(2, 30, () => 5 + random());
    tally.add([
      ...outcomeRows(1, 1000, () => 9 + 2 * random()),
      // The candidate met many, and thirty told what became of them, again and again.
      ...outcomeRows(2, 500, () => 0).filter(({ kind }) => kind === 'arm'),
      ...Array.from({ length: 20 }, () => few.filter(({ kind }) => kind === 'outcome')).flat(),
    ]);
    const [verdict] = judgeBy(rollout, tally);
    expect(verdict?.evidence['candidate_outcomes']).toBe(600);
    expect(verdict?.verdict).toBe('undecided');
  });

  it.each([
    ['candidate', 1, 10],
    ['stable', 10, 1],
  ])('compare means where only the outcomes of %s are all true or false', (_, candidate, stable) => {
    const rollout = rolloutBy(['outcome>-20%']);
    const tally = createTally(rollout, PHASES);
    tally.add([...outcomeRows(1, 1000, () => stable), ...outcomeRows(2, 1000, () => candidate)]);
    const [verdict] = judgeBy(rollout, tally);
    expect(verdict?.evidence['difference']).toBeCloseTo(candidate - stable, 9);
    expect(verdict?.verdict).toBe(candidate < stable ? 'breached' : 'healthy');
  });

  it('test a mean against what is allowed by the error of just that', () => {
    const rollout = rolloutBy(['outcome<+50%']);
    const tally = createTally(rollout, PHASES);
    const random = seeded(9);
    // The base varies much, and counts half as much again as in the plain difference.
    tally.add([...outcomeRows(1, 300, () => 20 * random()), ...outcomeRows(2, 3000, () => 15 + 2 * random())]);
    const [verdict] = judgeBy(rollout, tally);
    const phase = tally.phases[2];
    if (phase === undefined) throw new Error('there is a phase');
    const total = (of: Float64Array): number => of.reduce((sum, value) => sum + value, 0);
    const [c, b] = [phase.candidate, phase.stable];
    const [rc, rb] = [total(c.sum) / total(c.n), total(b.sum) / total(b.n)];
    let squares = 0;
    // The candidate's values are taken to spread at least as what is allowed of the base does.
    let missing = 0;
    for (let g = 0; g < 64; g++) {
      const own = ((c.sum[g] ?? 0) - rc * (c.n[g] ?? 0)) / total(c.n);
      const base = ((b.sum[g] ?? 0) - rb * (b.n[g] ?? 0)) / total(b.n);
      squares += (own - 1.5 * base) ** 2;
      missing += (1.5 * base) ** 2 * (total(b.n) / total(c.n)) - own ** 2;
    }
    expect(verdict?.evidence['se']).toBeCloseTo(Math.sqrt((64 / 63) * (squares + missing)), 9);
    expect(missing).toBeGreaterThan(0);
    expect(verdict?.evidence['past_allowed']).toBeCloseTo(rc - 1.5 * rb, 9);
    expect(verdict?.evidence['difference']).toBeCloseTo(rc - rb, 9);
  });

  it('know the bad side of a mean that is below 0', () => {
    const rollout = rolloutBy(['outcome>-20%']);
    const judged = (candidate: number) => {
      const tally = createTally(rollout, PHASES);
      const random = seeded(10);
      tally.add([...outcomeRows(1, 1000, () => -10 + random()), ...outcomeRows(2, 1000, () => candidate + random())]);
      return judgeBy(rollout, tally)[0]?.verdict;
    };
    expect(judged(-11)).toBe('healthy');
    expect(judged(-13)).toBe('breached');
    expect(judged(-5)).toBe('healthy');
  });
});

/** A minute of the first weights: units of their own, each with one outcome. */
function outcomeRows(version: 1 | 2, units: number, valueOf: (at: number) => number): ArmMinute[] {
  const seen = Array.from({ length: units }, (_, at) => ({
    hash: fnv1a(`${version}/${at}`),
    proneness: 0,
    value: valueOf(at),
  }));
  return rowsOf(seen, version, 3, 0, () => 0.5, 0, 0);
}
