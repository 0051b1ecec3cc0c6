// A model of so many lanes in simulated time: arrivals, runs that take what they take, and who was answered in time.

import { createScope, type Priority } from '../../src/core/index.ts';
import { createJob, type QueuedJob } from '../../src/models/queue/queued-job.ts';
import { createModelQueue } from '../../src/models/queue/model-queue.ts';
import { createRunCost } from '../../src/models/queue/run-cost.ts';

export interface SimulatedArrival {
  readonly atMs: number;
  readonly timeoutMs: number;
  readonly rows: number;
  readonly priority?: Priority;
}

export interface SimulatedRun {
  readonly arrivals: readonly SimulatedArrival[];
  readonly lanes: number;
  readonly maxBatchRows: number;
  /** What a run really takes. */
  readonly tookMs: (rows: number) => number;
  readonly measured: { readonly fixedMs: number; readonly rowMs: number };
  readonly maxQueuedRows?: number;
}

/** Runs every event in order; nothing is random here. */
export function simulate(run: SimulatedRun) {
  const cost = createRunCost({
    measured: { fixedMicros: run.measured.fixedMs * 1000, rowMicros: run.measured.rowMs * 1000, loadMicros: 0 },
    maxBatchRows: run.maxBatchRows,
    longestRunMs: () => 250,
  });
  /** Works that were refused, by reason, and by their priority. */
  const refused: Record<string, number> = {};
  const refusedOf = { online: 0, batch: 0, shadow: 0 };
  const refuse = ({ priority }: QueuedJob, reason: string): void => {
    refused[reason] = (refused[reason] ?? 0) + 1;
    refusedOf[priority]++;
  };
  const queue = createModelQueue({
    cost,
    mode: 'joined',
    lanes: run.lanes,
    maxQueuedRows: run.maxQueuedRows ?? 4096,
    maxQueuedBytes: Infinity,
    dropped: refuse,
  });
  /** Rows answered before their deadline, and those whose run ended too late. */
  let [goodRows, lateRows, batches] = [0, 0, 0];
  /** How long each answered work waited and ran, with when it came. */
  const latencies: { atMs: number; latencyMs: number }[] = [];
  // When each lane is free, by its estimate and in truth.
  const lanes = Array.from({ length: run.lanes }, () => ({ estimatedMs: 0, freeMs: 0 }));
  const arrivedAt = new Map<object, number>();

  const startUntil = (untilMs: number, isOnArrival: boolean): void => {
    for (;;) {
      const lane = lanes.reduce((a, b) => (b.freeMs < a.freeMs ? b : a));
      if (lane.freeMs > untilMs || queue.rows === 0) return;
      // A lane that was idle begins when work comes, a busy one when it is free.
      const startMs = isOnArrival ? Math.max(lane.freeMs, untilMs) : lane.freeMs;
      const batch = queue.take(startMs);
      if (batch === undefined) return;
      batches++;
      const tookMs = run.tookMs(batch.rows);
      lane.estimatedMs = startMs + cost.runMs(batch.rows);
      lane.freeMs = startMs + tookMs;
      cost.observe(batch.rows, tookMs);
      for (const { job, from, to } of batch.segments) {
        if (lane.freeMs <= job.deadlineMs) goodRows += to - from;
        else lateRows += to - from;
        const atMs = arrivedAt.get(job) ?? 0;
        latencies.push({ atMs, latencyMs: lane.freeMs - atMs });
      }
    }
  };

  for (const { atMs, timeoutMs, rows, priority = 'online' } of run.arrivals) {
    startUntil(atMs, false);
    const scope = createScope({
      requestId: '',
      traceId: null,
      actor: { name: '', roles: new Set(), endpoints: null },
      deadlineMs: atMs + timeoutMs,
      priority,
      span: undefined,
    });
    const job = createJob({ count: rows, scope, bind() {}, done() {}, failed() {} }, atMs, '', 4);
    arrivedAt.set(job, atMs);
    const freeMs = Math.min(
      ...lanes.map(({ estimatedMs, freeMs }) => (freeMs <= atMs ? atMs : atMs + Math.abs(estimatedMs - atMs))),
    );
    const reason = queue.offer(job, atMs, freeMs);
    if (reason !== undefined) refuse(job, reason);
    startUntil(atMs, true);
  }
  startUntil(Infinity, false);
  return { goodRows, lateRows, refused, refusedOf, batches, latencies };
}
