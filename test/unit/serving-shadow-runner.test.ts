// When shadows run, and when they are dropped instead: by a clock and a loop that the tests turn by hand.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeadraceError, type Scope } from '../../src/core/index.ts';
import type { ArmBatch, ArmRow } from '../../src/serving/arm.ts';
import type { FeaturePlan, FeatureRow } from '../../src/serving/feature-plan.ts';
import { openShadows, type Pairing, SHADOW_DEADLINE_MS } from '../../src/serving/shadow/open-shadows.ts';
import type { ShadowArm } from '../../src/serving/shadow/shadow-arm.ts';
import { RING_ROWS } from '../../src/serving/shadow/shadow-ring.ts';

interface Counted {
  pairs: number;
  readonly failed: Record<string, number>;
  readonly dropped: Record<string, number>;
}

type Infer = (count: number, scope: Scope) => Promise<readonly ArmRow[]> | readonly ArmRow[];

const ROW: ArmRow = { outputs: [1], features: [], statuses: [] };
const rows = (count: number): readonly ArmRow[] => Array.from({ length: count }, () => ROW);

/** A shadow whose runs the test answers. */
function shadowArm(infer: Infer, runMicros = (count: number) => 10 + count) {
  const counted: Counted = { pairs: 0, failed: {}, dropped: {} };
  const logged: string[] = [];
  const busy = { micros: 0 };
  const batches: number[] = [];
  const reads: number[] = [];
  const add = (to: Record<string, number>, name: string, count: number): void => {
    to[name] = (to[name] ?? 0) + count;
  };
  const arm: ShadowArm = {
    version: 2,
    percent: 100,
    // Nothing of it is looked at here.
    features: {} as FeaturePlan,
    outputs: [],
    run(requests, scope, at) {
      batches.push(requests.length);
      reads.push(at);
      return infer(requests.length, scope);
    },
    infer(features: readonly FeatureRow[], scope) {
      batches.push(features.length);
      return infer(features.length, scope);
    },
    runMicros,
    busyMicros: () => busy.micros,
    meter: {
      pair: () => void counted.pairs++,
      failed: (code, count) => add(counted.failed, code, count),
      dropped: (reason, count) => add(counted.dropped, reason, count),
    },
    log: {
      append({ predictionId }) {
        logged.push(predictionId);
        return true;
      },
    },
  };
  return { arm, counted, logged, batches, reads, busy };
}

const pairing: Pairing = {
  picks: () => true,
  sharesFeatures: true,
  compare: () => ({ isAgreed: true, difference: 0, answered: 1, shadowed: 1 }),
};

/** What a request's answer tells its sinks; only what a shadow looks at. */
const batchOf = (count: number, at = 0): ArmBatch =>
  ({
    scope: { requestId: 'r', traceId: null },
    at,
    latencyMicros: 100,
    requests: Array.from({ length: count }, () => []),
    rows: rows(count),
    ids: Array.from({ length: count }, (_, place) => `p${place}`),
    unitOf: () => [],
  }) as unknown as ArmBatch;

/** A loop whose turns and clock are the test's. */
function handLoop() {
  let nowMs = 0;
  let turns: (() => void)[] = [];
  let timers: { readonly dueMs: number; readonly run: () => void }[] = [];
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  return {
    nowMs: () => nowMs,
    soon: (run: () => void) => void turns.push(run),
    later: (run: () => void, ms: number) => void timers.push({ dueMs: nowMs + ms, run }),
    pass(ms: number) {
      nowMs += ms;
    },
    /** Runs what is due, until nothing is, or so many times. */
    async turn(most = 1000): Promise<void> {
      for (let i = 0; i < most; i++) {
        await settle();
        const due = timers.filter(({ dueMs }) => dueMs <= nowMs);
        timers = timers.filter(({ dueMs }) => dueMs > nowMs);
        const next = [...turns.splice(0), ...due.map(({ run }) => run)];
        if (next.length === 0) return;
        for (const run of next) run();
      }
    },
    /** Passes time step by step, with all that is due in it. */
    async run(ms: number, stepMs = 1): Promise<void> {
      for (let passed = 0; passed < ms; passed += stepMs) {
        nowMs += stepMs;
        await this.turn();
      }
    },
  };
}

function open(arm: ShadowArm, online = () => 0) {
  const loop = handLoop();
  const shadows = openShadows({ online, nowMs: loop.nowMs, soon: loop.soon, later: loop.later });
  return { loop, shadows, shadow: shadows.open(arm) };
}

describe('rows for a shadow', () => {
  it('are looked at when the answer is on its way, and not before', async () => {
    const { arm, counted, logged, batches } = shadowArm(rows);
    const picked = vi.fn(() => true);
    const { loop, shadow } = open(arm);
    shadow.note(batchOf(3), { ...pairing, picks: picked });
    expect([picked.mock.calls.length, batches]).toEqual([0, []]);
    await loop.turn();
    expect(counted).toEqual({ pairs: 3, failed: {}, dropped: {} });
    expect(logged).toEqual(['p0~2', 'p1~2', 'p2~2']);
  });

  it('run together, some at a time, and those that have to be read as of one time each', async () => {
    const shared = shadowArm(rows);
    const one = open(shared.arm);
    for (let at = 0; at < 50; at++) one.shadow.note(batchOf(2, at), pairing);
    await one.loop.turn();
    expect(shared.batches).toEqual([64, 36]);
    const apart = shadowArm(rows);
    const other = open(apart.arm);
    for (const at of [1, 1, 2]) other.shadow.note(batchOf(2, at), { ...pairing, sharesFeatures: false });
    await other.loop.turn();
    expect([apart.batches, apart.reads]).toEqual([
      [4, 2],
      [1, 2],
    ]);
  });

  it('wait while a request is being answered, and are dropped after five seconds of that', async () => {
    const { arm, counted, batches } = shadowArm(rows);
    let online = 1;
    const { loop, shadow } = open(arm, () => online);
    shadow.note(batchOf(2), pairing);
    await loop.run(1000);
    expect(batches).toEqual([]);
    online = 0;
    await loop.run(10);
    expect(counted.pairs).toBe(2);
    online = 1;
    shadow.note(batchOf(3), pairing);
    await loop.run(SHADOW_DEADLINE_MS + 10);
    expect(counted).toEqual({ pairs: 2, failed: {}, dropped: { busy: 3 } });
  });

  it('wait while the event loop is late', async () => {
    const { arm, counted } = shadowArm(rows);
    const { loop, shadow } = open(arm);
    shadow.note(batchOf(1), pairing);
    // The row is looked at in time, the run is due and comes 5 ms later: and so each time.
    await loop.turn(1);
    for (let i = 0; i < 100; i++) {
      loop.pass(7);
      await loop.turn(1);
    }
    expect(counted.pairs).toBe(0);
    await loop.run(10);
    expect(counted.pairs).toBe(1);
    shadow.note(batchOf(2), pairing);
    await loop.turn(1);
    for (let i = 0; i < 1000; i++) {
      loop.pass(7);
      await loop.turn(1);
    }
    expect(counted).toEqual({ pairs: 1, failed: {}, dropped: { lag: 2 } });
  });

  it('take a fifth of a core, whatever a run costs', async () => {
    for (const micros of [500, 5000, 300_000]) {
      const { arm, counted, batches } = shadowArm(rows, () => micros);
      const { loop, shadow } = open(arm);
      for (let i = 0; i < 1000; i++) {
        shadow.note(batchOf(1), pairing);
        await loop.run(10);
      }
      // Of 10 s, and what was kept at first; one run may go beyond.
      expect(batches.length * micros).toBeLessThanOrEqual(2_020_000 + micros);
      if (micros < 2000) expect(counted.pairs).toBe(1000);
      else expect(batches.length * micros).toBeGreaterThan(1_500_000);
      if (micros > 100_000) expect(counted.dropped['budget']).toBeGreaterThan(100);
    }
  });

  it('pay for what a run took beyond its estimate', async () => {
    const { arm, batches, busy } = shadowArm((count) => {
      busy.micros += 100_000;
      return rows(count);
    });
    // The estimate says next to nothing, and the clock has to have passed, too.
    const { loop, shadow } = open({
      ...arm,
      async infer(features, scope) {
        loop.pass(100);
        return arm.infer(features, scope);
      },
    });
    for (let i = 0; i < 500; i++) {
      shadow.note(batchOf(1), pairing);
      await loop.run(10);
    }
    expect(batches.length).toBeGreaterThan(5);
    expect(batches.length).toBeLessThanOrEqual(0.2 * 10 * (5 + 0.1 * batches.length) + 2);
  });

  it('beyond the ring are dropped', async () => {
    const { arm, counted } = shadowArm(rows);
    const { loop, shadow } = open(arm, () => 1);
    shadow.note(batchOf(RING_ROWS + 76), pairing);
    await loop.turn();
    expect(counted.dropped).toEqual({ full: 76 });
    await loop.run(SHADOW_DEADLINE_MS + 10);
    expect(counted).toEqual({ pairs: 0, failed: {}, dropped: { full: 76, busy: RING_ROWS } });
  });

  it('of several shadows get their turns, whatever one of them takes', async () => {
    const never = shadowArm(() => new Promise(() => {}));
    const quick = shadowArm(rows);
    const { loop, shadows, shadow } = open(never.arm);
    const other = shadows.open(quick.arm);
    shadow.note(batchOf(200), pairing);
    other.note(batchOf(200), pairing);
    await loop.run(50);
    expect([never.batches, quick.counted.pairs]).toEqual([[64], 200]);
  });
});

describe('a shadow that fails', () => {
  const boom = new HeadraceError('HR_INFERENCE_FAILED', 'boom');

  it('is counted by row or by batch, in whatever way, and goes on', async () => {
    let answer: Infer = () => [{ error: boom }, ROW];
    const { arm, counted } = shadowArm((count, scope) => answer(count, scope));
    const { loop, shadow } = open(arm);
    const next = async (given: Infer): Promise<void> => {
      answer = given;
      shadow.note(batchOf(2), pairing);
      await loop.turn();
    };
    await next(answer);
    await next(() => Promise.reject(boom));
    await next(() => {
      throw new TypeError('a bug');
    });
    // Rows are missing.
    await next(() => []);
    await next(rows);
    expect(counted.failed['HR_INFERENCE_FAILED']).toBe(3);
    expect(counted.failed['HR_INTERNAL']).toBe(4);
    expect(counted.pairs).toBe(3);
  });

  it('by what is no fault of it, is dropped', async () => {
    const errors = ['HR_OVERLOADED', 'HR_DEADLINE', 'HR_MODEL_NOT_READY'] as const;
    const { arm, counted } = shadowArm(() => errors.map((code) => ({ error: new HeadraceError(code, 'so') })));
    const { loop, shadow } = open(arm);
    shadow.note(batchOf(3), pairing);
    await loop.turn();
    expect(counted).toEqual({ pairs: 0, failed: {}, dropped: { refused: 1, late: 1, retired: 1 } });
  });
});

describe('a shadow that ends', () => {
  it('with its traffic waits for what runs, and drops the rest', async () => {
    let answer: (given: readonly ArmRow[]) => void = () => {};
    const { arm, counted } = shadowArm(() => new Promise((resolve) => (answer = resolve)));
    const { loop, shadow } = open(arm);
    shadow.note(batchOf(100), pairing);
    await loop.turn();
    let isRetired = false;
    const retired = shadow.retire().then(() => (isRetired = true));
    shadow.note(batchOf(5), pairing);
    await loop.turn();
    expect(isRetired).toBe(false);
    answer(rows(64));
    await retired;
    expect(counted).toEqual({ pairs: 64, failed: {}, dropped: { retired: 41 } });
  });

  it('with the process is cancelled', async () => {
    let ran: Scope | undefined;
    const { arm, counted } = shadowArm((_, scope) => {
      ran = scope;
      return new Promise((_resolve, reject) => {
        setTimeout(() => reject(new HeadraceError('HR_CANCELLED', 'so')), 5);
      });
    });
    const { loop, shadows, shadow } = open(arm);
    shadow.note(batchOf(70), pairing);
    await loop.turn();
    expect([ran?.isCancelled, ran?.priority]).toEqual([false, 'shadow']);
    shadow.note(batchOf(1), pairing);
    await shadows.close();
    expect(ran?.isCancelled).toBe(true);
    expect(counted).toEqual({ pairs: 0, failed: {}, dropped: { stopping: 71 } });
  });
});

describe('a run past its deadline', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is not waited for', async () => {
    const { arm, counted } = shadowArm(() => new Promise(() => {}));
    const shadows = openShadows({ online: () => 0 });
    const shadow = shadows.open(arm);
    shadow.note(batchOf(3), pairing);
    await vi.advanceTimersByTimeAsync(SHADOW_DEADLINE_MS - 100);
    expect(counted.dropped).toEqual({});
    await vi.advanceTimersByTimeAsync(200);
    expect(counted).toEqual({ pairs: 0, failed: {}, dropped: { late: 3 } });
    await shadows.close();
  });
});
