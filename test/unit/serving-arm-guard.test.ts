// What counts as a failure of an arm, and what a probe tells its breaker.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ErrorCode, HeadraceError, silentLogger } from '../../src/core/index.ts';
import type { Arm, ArmRow } from '../../src/serving/arm.ts';
import { guardArm, isFailing } from '../../src/serving/arm-guard.ts';
import { BREAKER_REQUESTS } from '../../src/serving/breaker.ts';
import { createBreakers } from '../../src/serving/breakers.ts';
import type { Stage } from '../../src/serving/deadlines.ts';

const answered: ArmRow = { outputs: [], features: [], statuses: [] };
const failed = (code: ErrorCode): ArmRow => ({ error: new HeadraceError(code, 'so') });

describe('a request', () => {
  it.each([
    [[answered], true, false],
    [[failed('HR_INFERENCE_FAILED')], false, true],
    // One row of many left the request without an answer.
    [[answered, answered, failed('HR_TRANSFORM_FAILED')], false, true],
    // Of a partial request half is enough, and less is not.
    [[answered, answered, failed('HR_TRANSFORM_FAILED')], true, false],
    [[answered, failed('HR_NULL_FEATURE')], true, true],
    // Another arm's rows failed.
    [[answered], false, false],
    // Nothing of these is the arm's fault, and they say nothing for it either.
    [[failed('HR_UNKNOWN_ENTITY')], false, undefined],
    [[failed('HR_OVERLOADED')], false, undefined],
    [[failed('HR_CANCELLED')], false, undefined],
    [[failed('HR_ONLINE_UNAVAILABLE')], false, undefined],
    [[failed('HR_UNKNOWN_ENTITY'), answered], false, false],
  ] as const)('case %#', (rows, isAnswered, verdict) => {
    expect(isFailing(rows, isAnswered, true)).toBe(verdict);
  });

  it('that was late by the client’s own deadline says nothing, by the server’s it failed', () => {
    expect(isFailing([failed('HR_DEADLINE')], false, false)).toBe(undefined);
    expect(isFailing([failed('HR_DEADLINE')], false, true)).toBe(true);
  });
});

describe('a guard', () => {
  const clock = { nowMicros: () => 0 };
  // Time stands.
  const NOW_MS = 10_000;
  beforeEach(() => void vi.spyOn(performance, 'now').mockReturnValue(NOW_MS));
  afterEach(() => void vi.restoreAllMocks());

  const OF = { endpoint: 'e', variant: 'candidate', version: 2, arm: 'a' };

  function guard(run: Arm['run'], breakers = createBreakers({ clock, logger: silentLogger })) {
    let [opens, held] = [0, 0];
    const breaker = breakers.hold(OF, { broke: () => void opens++ });
    // Nothing else of an arm is looked at.
    const arm = { run } as unknown as Arm;
    const stand = {} as Arm;
    const hold = () => {
      held++;
      return () => void held--;
    };
    const guarded = guardArm(arm, { breaker, standIn: () => stand, limitMs: 20, hold });
    return { guarded, breaker, opens: () => opens, held: () => held };
  }

  const open = ({ guarded }: ReturnType<typeof guard>, nowMs: number): void => {
    for (let i = 0; i < BREAKER_REQUESTS; i++) guarded.ended(nowMs, [failed('HR_INFERENCE_FAILED')], false, true);
  };
  const probe = ({ guarded }: ReturnType<typeof guard>, length = 1): void =>
    guarded.stoodIn(
      NOW_MS,
      Array.from({ length }, () => []),
      0,
    );

  it('opens by failures, and closes by a probe that is answered, whose requests nobody waits for', async () => {
    const asked: number[] = [];
    const stages: Stage[] = [];
    const one = guard((requests, _scope, _at, stage) => {
      asked.push(requests.length);
      stages.push(stage);
      return Promise.resolve([answered]);
    });
    const startMs = NOW_MS - 6000;
    open(one, startMs);
    expect([one.guarded.isOpen, one.opens()]).toEqual([true, 1]);
    expect(one.guarded.told(startMs)).toMatchObject({ variant: 'candidate', version: 2, probeMicros: 5_000_000 });
    one.guarded.stoodIn(startMs + 1000, [[]], 0);
    expect(asked).toEqual([]);
    probe(one, 100);
    // Of many rows some.
    expect([asked, one.held()]).toEqual([[16], 1]);
    // It asks for a run of the model, whatever is kept of the arm's answers.
    expect(stages).toMatchObject([{ isProbe: true }]);
    await expect.poll(() => one.guarded.isOpen).toBe(false);
    expect([one.held(), one.guarded.told(NOW_MS)]).toEqual([0, undefined]);
  });

  it.each([
    ['fails', () => [failed('HR_INFERENCE_FAILED')]],
    ['throws', () => Promise.reject(new TypeError('a bug'))],
    ['never comes back', () => new Promise<never>(() => {})],
  ] as const)('stays open by a probe that %s', async (_, run) => {
    const one = guard(run);
    open(one, NOW_MS - 6000);
    probe(one);
    await expect.poll(() => one.held()).toBe(0);
    // The next comes after twice as long.
    const probeMicros = (NOW_MS + 10_000) * 1000;
    await expect.poll(() => one.guarded.told(0)).toMatchObject({ probeMicros });
  });

  it('is as open in the next plan as in the one before, and forgotten once none has the arm', () => {
    const breakers = createBreakers({ clock, logger: silentLogger });
    const first = guard(() => [answered], breakers);
    open(first, 0);
    const second = guard(() => [answered], breakers);
    first.breaker.release();
    expect(second.guarded.isOpen).toBe(true);
    second.breaker.release();
    expect(guard(() => [answered], breakers).guarded.isOpen).toBe(false);
  });
});
