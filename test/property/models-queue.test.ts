// The queue against a plain reading of its rules: arrays, sorted anew each time, and every sum made from scratch.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Priority } from '../../src/core/index.ts';
import { createModelQueue } from '../../src/models/queue/model-queue.ts';
import { createJob, type QueuedJob } from '../../src/models/queue/queued-job.ts';
import type { RunCost } from '../../src/models/queue/run-cost.ts';
import { type OwnScope, scopeOf } from '../support/model-works.ts';
import { runs } from '../support/tier.ts';

const PRIORITIES = ['online', 'batch', 'shadow'] as const;
const MODES = ['joined', 'single', 'rowwise'] as const;

interface Model {
  readonly fixedMs: number;
  readonly rowMs: number;
  readonly batchRows: number;
  readonly lanes: number;
  readonly maxQueuedRows: number;
  readonly mode: (typeof MODES)[number];
}

interface OracleJob {
  readonly order: number;
  readonly rank: number;
  readonly deadlineMs: number;
  readonly count: number;
  readonly scope: OwnScope;
  readonly shape: string;
  left: number;
}

/** What the queue should do, said as plainly as it can be. */
function createOracle({ fixedMs, rowMs, batchRows, lanes, maxQueuedRows, mode }: Model) {
  let jobs: OracleJob[] = [];
  const most = mode === 'rowwise' ? 1 : batchRows;
  const runMs = (rows: number): number => fixedMs + rowMs * rows;
  const rowsOf = (some: readonly OracleJob[]): number => some.reduce((sum, { left }) => sum + left, 0);
  const inOrder = (some: readonly OracleJob[]): OracleJob[] =>
    some.toSorted((a, b) => a.rank - b.rank || a.deadlineMs - b.deadlineMs || a.order - b.order);
  const sweep = (nowMs: number): OracleJob[] => {
    const gone = jobs.filter(({ deadlineMs, scope }) => deadlineMs < nowMs || scope.isCancelled);
    jobs = jobs.filter((job) => !gone.includes(job));
    return gone;
  };
  const whyNot = (job: OracleJob, nowMs: number, freeMs: number): string | undefined => {
    if (job.deadlineMs <= nowMs) return 'deadline';
    // An equal deadline came earlier, so goes first.
    const ahead = jobs.filter(
      ({ rank, deadlineMs }) => rank < job.rank || (rank === job.rank && deadlineMs <= job.deadlineMs),
    );
    if (ahead.length > 0 && rowsOf(ahead) + job.left > maxQueuedRows) return 'full';
    if (nowMs + runMs(Math.min(job.left, most)) > job.deadlineMs) return 'deadline';
    return Math.max(nowMs, freeMs) + doneMs(ahead, job) > job.deadlineMs + 1e-6 ? 'hopeless' : undefined;
  };
  // How long until a job is done that runs after others.
  const doneMs = (ahead: readonly OracleJob[], { left }: OracleJob, alreadyTaken = 0): number => {
    let waitMs = 0;
    if (mode === 'single') for (const one of ahead) waitMs += runMs(one.left) / lanes;
    let rows = alreadyTaken + rowsOf(ahead) + left;
    if (mode === 'single') rows = left;
    else for (; rows > most; rows -= most) waitMs += runMs(most) / lanes;
    return waitMs + runMs(rows);
  };
  // All but the one that goes last may not be more rows than the bound.
  const surplus = (): OracleJob | undefined => {
    const all = inOrder(jobs);
    return rowsOf(all.slice(0, -1)) > maxQueuedRows ? all.at(-1) : undefined;
  };
  return {
    jobs: () => jobs,
    sweep,
    offer(job: OracleJob, nowMs: number, freeMs: number, maySweep: boolean) {
      let reason = whyNot(job, nowMs, freeMs);
      let sweeps = maySweep && (reason === 'full' || reason === 'hopeless');
      const gone = sweeps ? sweep(nowMs) : [];
      if (sweeps) reason = whyNot(job, nowMs, freeMs);
      if (reason !== undefined) return { reason, gone, sweeps };
      jobs.push(job);
      if (maySweep && !sweeps && surplus() !== undefined) {
        sweeps = true;
        gone.push(...sweep(nowMs));
      }
      for (let last = surplus(); last !== undefined && last !== job; last = surplus()) {
        const { order } = last;
        jobs = jobs.filter((one) => one.order !== order);
        gone.push(last);
      }
      return { reason, gone, sweeps };
    },
    take(startMs: number) {
      const gone: OracleJob[] = [];
      const drop = (job: OracleJob): void => {
        gone.push(job);
        jobs = jobs.filter((other) => other !== job);
      };
      for (const ranks of [[0, 1], [2]]) {
        for (;;) {
          const all = inOrder(jobs.filter(({ rank }) => ranks.includes(rank)));
          if (all.length === 0) break;
          const waiting = rowsOf(all);
          let limit = Math.min(most, waiting);
          const taken: { job: OracleJob; rows: number }[] = [];
          const rowsTaken = (): number => taken.reduce((sum, { rows }) => sum + rows, 0);
          // Rows taken, and those that keep their deadline only if they wait less than twice as long as they should.
          const pressing = (): number => {
            const left = inOrder(jobs.filter(({ rank }) => ranks.includes(rank)))
              .map((job) => ({ ...job, left: job.left - (taken.find((one) => one.job === job)?.rows ?? 0) }))
              .filter((job) => job.left > 0);
            return rowsOf([
              ...taken.map(({ job, rows }) => ({ ...job, left: rows })),
              ...left.filter(
                (job, at) => startMs + 2 * doneMs(left.slice(0, at), job, rowsTaken()) > job.deadlineMs + 1e-6,
              ),
            ]);
          };
          for (const job of all) {
            if (rowsTaken() >= limit) break;
            if (job.scope.isCancelled) {
              drop(job);
              continue;
            }
            if (taken.length > 0 && (mode !== 'joined' || job.shape !== taken[0]?.job.shape)) continue;
            const rows = mode === 'single' ? job.left : Math.min(job.left, limit - rowsTaken());
            const restMs = (((job.left - rows) / most) * runMs(most)) / lanes;
            const leftMs = job.deadlineMs - startMs;
            if (runMs(rowsTaken() + rows) + restMs > leftMs) {
              drop(job);
              continue;
            }
            if (mode !== 'single' && runMs(limit) > leftMs) {
              // As many rows as this deadline allows; if that wastes time while others wait, rather without it.
              const cutTo = (ms: number): number =>
                Math.max(rowsTaken() + rows, Math.floor((ms - fixedMs) / rowMs + 1e-9));
              const cut = cutTo(leftMs);
              const isWasteful = cut / runMs(cut) < (0.97 * limit) / runMs(limit);
              if (waiting > most && isWasteful && pressing() > most) {
                drop(job);
                continue;
              }
              limit = Math.min(limit, isWasteful ? cutTo(0.75 * leftMs) : cut);
            }
            taken.push({ job, rows });
            if (mode === 'single') break;
          }
          for (const { job, rows } of taken) job.left -= rows;
          jobs = jobs.filter(({ left }) => left > 0);
          if (taken.length > 0) return { gone, batch: taken.map(({ job, rows }) => [job.order, rows]) };
        }
      }
      return { gone, batch: undefined };
    },
  };
}

// Whole milliseconds and halves, so that sums are exact whatever their order.
const model: fc.Arbitrary<Model> = fc.record({
  fixedMs: fc.integer({ min: 1, max: 16 }),
  rowMs: fc.integer({ min: 1, max: 8 }).map((quarters) => quarters / 4),
  batchRows: fc.integer({ min: 1, max: 8 }),
  lanes: fc.constantFrom(1, 2, 4),
  maxQueuedRows: fc.integer({ min: 4, max: 40 }),
  mode: fc.constantFrom(...MODES),
});

const whole = (min: number, max: number) => fc.integer({ min, max });
const offers = fc.record({
  kind: fc.constant('offer' as const),
  priority: fc.constantFrom<Priority>(...PRIORITIES),
  timeoutMs: whole(0, 200),
  count: whole(1, 12),
  shape: fc.constantFrom('', '', '', 'wide'),
  busyMs: whole(0, 30),
});
const step = fc.oneof(
  { weight: 4, arbitrary: offers },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('take' as const), aheadMs: whole(0, 10) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: whole(1, 60) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'sweep' as const }) },
);

it('chooses, drops and refuses as the rules say', () => {
  fc.assert(
    fc.property(model, fc.array(step, { minLength: 1, maxLength: 60 }), (given, steps) => {
      const cost: RunCost = {
        runMs: (rows) => given.fixedMs + given.rowMs * rows,
        batchRows: () => given.batchRows,
        observe() {},
        current: () => ({ fixedMicros: 0, rowMicros: 0, loadMicros: 0 }),
      };
      const orders = new Map<QueuedJob, number>();
      const orderOf = (job: QueuedJob): number => orders.get(job) as number;
      let dropped: number[] = [];
      const drop = (job: QueuedJob) => void dropped.push(orderOf(job));
      const queue = createModelQueue({ ...given, cost, maxQueuedBytes: Infinity, dropped: drop });
      const oracle = createOracle(given);
      const scopes: OwnScope[] = [];
      const answered = new Map<number, number>();
      let nowMs = 1000;
      let sweptMs = -Infinity;
      for (const [order, step] of steps.entries()) {
        dropped = [];
        let expected: number[] = [];
        if (step.kind === 'pass') nowMs += step.ms;
        else if (step.kind === 'cancel') scopes[step.which % Math.max(scopes.length, 1)]?.cancel();
        else if (step.kind === 'sweep') {
          queue.sweep(nowMs);
          sweptMs = nowMs;
          expected = oracle.sweep(nowMs).map((job) => job.order);
        } else if (step.kind === 'offer') {
          const { priority, timeoutMs, count, shape, busyMs } = step;
          const deadlineMs = nowMs + timeoutMs;
          const scope = scopeOf({ deadlineMs, priority });
          scopes.push(scope);
          const job = createJob({ count, scope, bind() {}, done() {}, failed() {} }, nowMs, shape, 4);
          orders.set(job, order);
          const rank = PRIORITIES.indexOf(priority);
          const own = { order, rank, deadlineMs, count, scope, shape, left: count };
          const wanted = oracle.offer(own, nowMs, nowMs + busyMs, sweptMs < nowMs - 1);
          if (wanted.sweeps) sweptMs = nowMs;
          expected = wanted.gone.map((job) => job.order);
          expect(queue.offer(job, nowMs, nowMs + busyMs)).toBe(wanted.reason);
        } else {
          const wanted = oracle.take(nowMs + step.aheadMs);
          expected = wanted.gone.map((job) => job.order);
          const batch = queue.take(nowMs + step.aheadMs);
          expect(batch?.segments.map(({ job, from, to }) => [orderOf(job), to - from])).toEqual(wanted.batch);
          for (const { job, from, to } of batch?.segments ?? []) {
            // Each row once, in order.
            expect(from).toBe(answered.get(orderOf(job)) ?? 0);
            answered.set(orderOf(job), to);
            expect(job.deadlineMs).toBeGreaterThanOrEqual(nowMs + step.aheadMs + cost.runMs(batch?.rows ?? 0));
          }
        }
        expect(dropped.toSorted((a, b) => a - b)).toEqual(expected.toSorted((a, b) => a - b));
        expect(queue.rows).toBe(oracle.jobs().reduce((sum, { left }) => sum + left, 0));
      }
    }),
    { numRuns: runs(2000) },
  );
});
