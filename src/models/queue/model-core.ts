// What every loaded model does, whatever runs it: takes work in, tells works what became of them, counts, and ends well.

import { HeadraceError, within } from '../../core/index.ts';
import type { ModelStatistics, RefusalReason } from '../model-runtime.ts';
import type { Signature, Tensor } from '../tensor.ts';
import type { ModelWork } from '../model-work.ts';
import { rowCountMistake } from '../row-count.ts';
import { rowBytes, type RowShapes, rowShapesOf } from '../row-shapes.ts';
import { hasTensors, isWhole } from '../tensor-work.ts';
import { deliver } from './deliver.ts';
import { type BatchMode, createModelQueue, type ModelQueue } from './model-queue.ts';
import { type Batch, createJob, endUntold, type QueuedJob, tellFailed } from './queued-job.ts';
import { type DropReason, dropError, expired, refusalError, RUNTIME_FAILED } from './refusals.ts';
import type { RunCost } from './run-cost.ts';

export interface ModelCoreOptions {
  readonly signature: Signature;
  readonly mode: BatchMode;
  /** Some of its outputs may have another number of rows than ran. Default: where `mode` is `single`. */
  readonly mayGiveOtherRows?: boolean;
  readonly cost: RunCost;
  readonly lanes: number;
  readonly maxQueuedRows: number;
  readonly maxQueuedBytes: number;
  /** When the next lane will be free, by the estimate. */
  readonly freeMs: (nowMs: number) => number;
  /** Work came: a run may begin. */
  readonly wake: () => void;
}

export interface ModelCore {
  readonly cost: RunCost;
  readonly queue: Pick<ModelQueue, 'rows' | 'firstDeadlineMs'>;
  submit(work: ModelWork): void;
  /** The next batch for a run that begins at `startMs`, as of `nowMs`, which is the same where it is left out; each ends with one of the next three. */
  take(startMs: number, nowMs?: number): Batch | undefined;
  /** Outputs in the signature's order, which hold good until the call returns. */
  succeeded(batch: Batch, outputs: readonly Tensor[], tookMs: number): void;
  /** The model threw: its works run once more, each alone; one that was alone has failed. */
  threw(batch: Batch, reason: string): void;
  /** What ran the batch ended with it, maybe because of it: its works run once more, each alone. */
  crashed(batch: Batch, reason: string): void;
  /** The batch never began. */
  putBack(batch: Batch): void;
  /** Tells works that wait and are cancelled or late. */
  sweep(nowMs: number): void;
  /** Works in the batch that are past their deadline need not wait for it. */
  expire(batch: Batch, nowMs: number): void;
  threadReplaced(): void;
  statistics(): ModelStatistics;
  /** Refuses new work; resolves when all is told, after `limitMs` at the latest: then what is left has failed, and runs no more. */
  close(limitMs: number): Promise<void>;
}

// An estimate that no run has confirmed for so long is put to the proof before it refuses anybody.
const OLD_ESTIMATE_MS = 1000;

export function createModelCore(options: ModelCoreOptions): ModelCore {
  const { signature, mode, mayGiveOtherRows = mode === 'single', cost, freeMs, wake } = options;
  const ownShapes = rowShapesOf(signature);
  const ownBytes = rowBytes(signature, ownShapes);
  const refused: Record<RefusalReason, number> = { full: 0, hopeless: 0, deadline: 0, cancelled: 0, closed: 0 };
  const running = new Set<Batch>();
  let [runs, rows, failures, threadsReplaced, busyMs, waitMs, waitedRows, runningRows] = [0, 0, 0, 0, 0, 0, 0, 0];
  let provedMs = -Infinity;
  let isClosed = false;
  let whenIdle: (() => void) | undefined;

  const drop = (job: QueuedJob, reason: DropReason): void => {
    if (job.isTold) return;
    refused[reason] += job.work.count;
    tellFailed(job, dropError(reason, job, queue.rows));
  };
  const queue = createModelQueue({ ...options, dropped: drop });

  const fail = (job: QueuedJob, reason: string): void => {
    if (job.isTold) return;
    if (job.work.runsAgain?.() === true) return endUntold(job);
    failures += job.work.count;
    tellFailed(job, new HeadraceError('HR_INFERENCE_FAILED', reason));
  };
  /** False for one that a close has not waited for: its works were told. */
  const settle = (batch: Batch): boolean => {
    if (!running.delete(batch)) return false;
    runningRows -= batch.rows;
    return true;
  };
  const checkIdle = (): void => {
    if (running.size === 0 && queue.rows === 0) whenIdle?.();
  };
  const shapeOf = (work: ModelWork): { readonly key: string; readonly bytes: number } => {
    const { rowShapes } = work;
    if (rowShapes === undefined || hasSizes(rowShapes, ownShapes)) return { key: '', bytes: ownBytes };
    return { key: JSON.stringify(rowShapes), bytes: rowBytes(signature, rowShapes) };
  };

  return {
    cost,
    queue,
    submit(work) {
      if (isClosed) {
        refused.closed += Math.max(0, work.count);
        return work.failed(unloaded());
      }
      if (!(work.count > 0)) return work.failed(new HeadraceError('HR_INVALID', 'there are no rows to predict for.'));
      const { key, bytes } = shapeOf(work);
      const nowMs = performance.now();
      const job = createJob(work, nowMs, key, bytes);
      const isOld = running.size === 0 && queue.rows === 0 && nowMs - provedMs > OLD_ESTIMATE_MS;
      const reason = queue.offer(job, nowMs, isOld ? undefined : freeMs(nowMs));
      if (reason === undefined) return wake();
      refused[reason] += work.count;
      job.isTold = true;
      work.failed(refusalError(reason, job, { waiting: queue.rows, running: runningRows }));
    },
    take(startMs, nowMs) {
      const batch = queue.take(startMs, nowMs);
      if (batch === undefined) {
        checkIdle();
        return undefined;
      }
      running.add(batch);
      runningRows += batch.rows;
      // Those that run again, or come back from a thread that ended before it began with them, have been counted; shadows wait for
      // others by design.
      if (!batch.wasTaken)
        for (const { job, from, to } of batch.segments) {
          const waitedMs = Math.max(0, startMs - job.cameMs);
          if (job.priority !== 'shadow') {
            waitMs += waitedMs * (to - from);
            waitedRows += to - from;
          }
          job.work.began?.(to - from, waitedMs);
        }
      return batch;
    },
    succeeded(batch, outputs, tookMs) {
      if (!settle(batch)) return;
      runs++;
      busyMs += tookMs;
      provedMs = performance.now();
      cost.observe(batch.rows, tookMs);
      const isAsItCame = mayGiveOtherRows || isWhole((batch.segments[0] as Batch['segments'][number]).job.work);
      const gave = isAsItCame ? undefined : rowCountMistake(signature, outputs, batch.rows);
      if (gave === undefined) rows += deliver(batch, outputs, provedMs, fail);
      else
        for (const { job } of batch.segments)
          fail(
            job,
            mode === 'rowwise' && hasTensors(job.work)
              ? `${RUNTIME_FAILED}: it ${gave}. Send the rows one by one`
              : `the model ${gave}`,
          );
      checkIdle();
    },
    threw(batch, reason) {
      if (!settle(batch)) return;
      runs++;
      if (batch.isRetry || batch.segments.length === 1)
        for (const { job } of batch.segments) fail(job, `${RUNTIME_FAILED}: ${reason}`);
      else queue.retryAlone(batch);
      checkIdle();
    },
    crashed(batch, reason) {
      if (!settle(batch)) return;
      if (batch.isRetry) for (const { job } of batch.segments) fail(job, reason);
      else queue.retryAlone(batch);
      checkIdle();
    },
    putBack(batch) {
      if (settle(batch)) queue.putBack(batch);
    },
    sweep(nowMs) {
      queue.sweep(nowMs);
      checkIdle();
    },
    expire(batch, nowMs) {
      for (const { job } of batch.segments) {
        if (job.isTold || job.deadlineMs >= nowMs) continue;
        refused.deadline += job.work.count;
        tellFailed(job, expired(job));
      }
    },
    threadReplaced: () => void threadsReplaced++,
    statistics: () => ({
      queuedRows: queue.rows,
      runningRows,
      runs,
      rows,
      failures,
      refused: { ...refused },
      threadsReplaced,
      busyMicros: Math.round(busyMs * 1000),
      waitMicros: Math.round(waitMs * 1000),
      waitedRows,
    }),
    async close(limitMs) {
      isClosed = true;
      if (running.size === 0 && queue.rows === 0) return;
      await within(new Promise<void>((resolve) => (whenIdle = resolve)), limitMs);
      const hung = [...running];
      hung.forEach(settle);
      const left = [...queue.clear(), ...hung.flatMap(({ segments }) => segments.map(({ job }) => job))];
      for (const job of left) {
        if (job.isTold) continue;
        refused.closed += job.work.count;
        tellFailed(job, unloaded());
      }
    },
  };
}

function unloaded(): HeadraceError {
  return new HeadraceError('HR_MODEL_NOT_READY', 'this model version was unloaded. Repeat the request.');
}

function hasSizes(rowShapes: RowShapes, own: RowShapes): boolean {
  return rowShapes.every((sizes, at) => sizes.every((size, place) => size === own[at]?.[place]));
}
