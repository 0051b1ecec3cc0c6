// When shadows run, and when they are dropped instead: by a clock and a loop that the tests turn by hand.

import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { HeadraceError, type Scope } from '../../src/core/index.ts';
import type { ArmBatch, ArmRow } from '../../src/serving/arm.ts';
import type { FeaturePlan, FeatureRow } from '../../src/serving/feature-plan.ts';
import { openShadows, type Pairing, SHADOW_DEADLINE_MS } from '../../src/serving/shadow/open-shadows.ts';
import type { ShadowArm } from '../../src/serving/shadow/shadow-arm.ts';
import { RING_ROWS } from '../../src/serving/shadow/shadow-ring.ts';

type Infer = (count: number, scope: Scope) => Promise<readonly ArmRow[]> | readonly ArmRow[];

const ROW: ArmRow = { outputs: [1], features: [], statuses: [] };
const rows = (count: number): readonly ArmRow[] => Array.from({ length: count }, () => ROW);
const never = () => new Promise<never>(() => {});

/** A shadow whose runs the test answers. */
function shadowArm(infer: Infer, runMicros = (count: number) => 10 + count) {
  const counted = { pairs: 0, failed: {} as Record<string, number>, dropped: {} as Record<string, number> };
  const logged: string[] = [];
  const busy = { micros: 0 };
  const batches: number[] = [];
  const reads: number[] = [];
  const add = (to: Record<string, number>, name: string, count: number) => void (to[name] = (to[name] ?? 0) + count);
  const arm: ShadowArm = {
    version: 2,
    percent: 100,
    // Nothing of it is looked at here.
    features: {} as FeaturePlan,
    outputs: [],
    run(requests, scope, at) {
      reads.push(at);
      return this.infer(requests as unknown as readonly FeatureRow[], scope);
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
    log: { append: ({ predictionId }) => logged.push(predictionId) > 0 },
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
    requests: rows(count).map(() => []),
    rows: rows(count),
    ids: rows(count).map((_, place) => `p${place}`),
    unitOf: () => [],
  }) as unknown as ArmBatch;

/** A loop whose turns and clock are the test's. */
function handLoop() {
  let nowMs = 0;
  let turns: (() => void)[] = [];
  let timers: { readonly dueMs: number; readonly run: () => void }[] = [];
  return {
    nowMs: () => nowMs,
    soon: (run: () => void) => void turns.push(run),
    later: (run: () => void, ms: number) => void timers.push({ dueMs: nowMs + ms, run }),
    pass: (ms: number) => void (nowMs += ms),
    /** Runs what is due, until nothing is, or so many times. */
    async turn(most = 1000): Promise<void> {
      for (let i = 0; i < most; i++) {
        for (let settled = 0; settled < 20; settled++) await Promise.resolve();
        const due = timers.filter(({ dueMs }) => dueMs <= nowMs);
        timers = timers.filter(({ dueMs }) => dueMs > nowMs);
        const next = [...turns.splice(0), ...due.map(({ run }) => run)];
        if (next.length === 0) return;
        for (const run of next) run();
      }
    },
    /** Passes time step by step, with all that is due in it. */
    async run(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed++) {
        nowMs += 1;
        await this.turn();
      }
    },
  };
}

function open(arm: ShadowArm, online = () => 0) {
  const loop = handLoop();
  const shadows = openShadows({ online, nowMs: loop.nowMs, soon: loop.soon, later: loop.later });
  const shadow = shadows.open(arm);
  return { loop, shadows, shadow, note: (count: number, at = 0) => shadow.note(batchOf(count, at), pairing) };
}

describe('rows for a shadow', () => {
  it('are looked at when the answer is on its way, and not before', async () => {
    const { arm, counted, logged, batches } = shadowArm(rows);
    const picks = vi.fn(() => true);
    const { loop, shadow } = open(arm);
    shadow.note(batchOf(3), { ...pairing, picks });
    expect([picks.mock.calls.length, batches]).toEqual([0, []]);
    await loop.turn();
    expect(counted).toEqual({ pairs: 3, failed: {}, dropped: {} });
    expect(logged).toEqual(['p0~2', 'p1~2', 'p2~2']);
  });

  it('run together, some at a time, and those that have to be read as of one time each', async () => {
    const shared = shadowArm(rows);
    const one = open(shared.arm);
    for (let at = 0; at < 50; at++) one.note(2, at);
    await one.loop.turn();
    expect(shared.batches).toEqual([64, 36]);
    const apart = shadowArm(rows);
    const other = open(apart.arm);
    for (const at of [1, 1, 2]) other.shadow.note(batchOf(2, at), { ...pairing, sharesFeatures: false });
    await other.loop.turn();
    expect([...apart.batches, ...apart.reads]).toEqual([4, 2, 1, 2]);
  });

  it('wait while a request is being answered, and are dropped after five seconds of that', async () => {
    const { arm, counted, batches } = shadowArm(rows);
    let online = 1;
    const { loop, note } = open(arm, () => online);
    note(2);
    await loop.run(1000);
    expect(batches).toEqual([]);
    online = 0;
    await loop.run(10);
    expect(counted.pairs).toBe(2);
    online = 1;
    note(3);
    await loop.run(SHADOW_DEADLINE_MS + 10);
    expect(counted).toEqual({ pairs: 2, failed: {}, dropped: { busy: 3 } });
  });

  it('wait while the event loop is late', async () => {
    const { arm, counted } = shadowArm(rows);
    const { loop, note } = open(arm);
    /** The rows are looked at in time, the run is due and comes 5 ms later: and so each time. */
    const beLate = async (times: number): Promise<void> => {
      await loop.turn(1);
      for (let i = 0; i < times; i++) {
        loop.pass(7);
        await loop.turn(1);
      }
    };
    note(1);
    await beLate(100);
    expect(counted.pairs).toBe(0);
    await loop.run(10);
    expect(counted.pairs).toBe(1);
    note(2);
    await beLate(1000);
    expect(counted).toEqual({ pairs: 1, failed: {}, dropped: { lag: 2 } });
  });

  it.each([500, 5000, 300_000])('take a fifth of a core, where a run costs %i µs', async (micros) => {
    const { arm, counted, batches } = shadowArm(rows, () => micros);
    const { loop, note } = open(arm);
    for (let i = 0; i < 1000; i++) {
      note(1);
      await loop.run(10);
    }
    // Of 10 s, and what was kept at first; one run may go beyond.
    expect(batches.length * micros).toBeLessThanOrEqual(2_020_000 + micros);
    if (micros < 2000) expect(counted.pairs).toBe(1000);
    else expect(batches.length * micros).toBeGreaterThan(1_500_000);
    if (micros > 100_000) expect(counted.dropped['budget']).toBeGreaterThan(100);
  });

  it('pay for what a run took beyond its estimate', async () => {
    const { arm, batches, busy } = shadowArm((count) => {
      // The estimate says next to nothing, and the clock has to have passed, too.
      loop.pass(100);
      busy.micros += 100_000;
      return rows(count);
    });
    const { loop, note } = open(arm);
    for (let i = 0; i < 500; i++) {
      note(1);
      await loop.run(10);
    }
    expect(batches.length).toBeGreaterThan(5);
    expect(batches.length).toBeLessThanOrEqual(0.2 * 10 * (5 + 0.1 * batches.length) + 2);
  });

  it('beyond the ring are dropped', async () => {
    const { arm, counted } = shadowArm(rows);
    const { loop, note } = open(arm, () => 1);
    note(RING_ROWS + 76);
    await loop.turn();
    expect(counted.dropped).toEqual({ full: 76 });
    await loop.run(SHADOW_DEADLINE_MS + 10);
    expect(counted).toEqual({ pairs: 0, failed: {}, dropped: { full: 76, busy: RING_ROWS } });
  });

  it('of several shadows get their turns, whatever one of them takes', async () => {
    const [slow, quick] = [shadowArm(never), shadowArm(rows)];
    const { loop, shadows, note } = open(slow.arm);
    const other = shadows.open(quick.arm);
    note(200);
    other.note(batchOf(200), pairing);
    await loop.run(50);
    expect([slow.batches, quick.counted.pairs]).toEqual([[64], 200]);
  });
});

describe('a shadow that fails', () => {
  const boom = new HeadraceError('HR_INFERENCE_FAILED', 'boom');

  it('is counted by row or by batch, in whatever way, and goes on', async () => {
    const answers: Infer[] = [
      () => [{ error: boom }, ROW],
      () => Promise.reject(boom),
      () => {
        throw new TypeError('a bug');
      },
      // Rows are missing.
      () => [],
      rows,
    ];
    const { arm, counted } = shadowArm((count, scope) => (answers.shift() as Infer)(count, scope));
    const { loop, note } = open(arm);
    while (answers.length > 0) {
      note(2);
      await loop.turn();
    }
    expect(counted).toMatchObject({ pairs: 3, failed: { HR_INFERENCE_FAILED: 3, HR_INTERNAL: 4 } });
  });

  it('by what is no fault of it, is dropped', async () => {
    const errors = ['HR_OVERLOADED', 'HR_DEADLINE', 'HR_MODEL_NOT_READY'] as const;
    const { arm, counted } = shadowArm(() => errors.map((code) => ({ error: new HeadraceError(code, 'so') })));
    const { loop, note } = open(arm);
    note(3);
    await loop.turn();
    expect(counted).toEqual({ pairs: 0, failed: {}, dropped: { refused: 1, late: 1, retired: 1 } });
  });
});

describe('a shadow that ends', () => {
  it('with its traffic waits for what runs, and drops the rest', async () => {
    const { promise, resolve: answer } = Promise.withResolvers<readonly ArmRow[]>();
    const { arm, counted } = shadowArm(() => promise);
    const { loop, shadow, note } = open(arm);
    note(100);
    await loop.turn();
    let isRetired = false;
    const retired = shadow.retire().then(() => (isRetired = true));
    note(5);
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
    const { loop, shadows, note } = open(arm);
    note(70);
    await loop.turn();
    expect([ran?.isCancelled, ran?.priority]).toEqual([false, 'shadow']);
    note(1);
    await shadows.close();
    expect(ran?.isCancelled).toBe(true);
    expect(counted).toEqual({ pairs: 0, failed: {}, dropped: { stopping: 71 } });
  });
});

it('a run past its deadline is not waited for', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { arm, counted } = shadowArm(never);
  const shadows = openShadows({ online: () => 0 });
  shadows.open(arm).note(batchOf(3), pairing);
  await vi.advanceTimersByTimeAsync(SHADOW_DEADLINE_MS - 100);
  expect(counted.dropped).toEqual({});
  await vi.advanceTimersByTimeAsync(200);
  expect(counted).toEqual({ pairs: 0, failed: {}, dropped: { late: 3 } });
  await shadows.close();
});
