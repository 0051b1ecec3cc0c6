// Who runs next on a model, and who need not wait: decided by what a run costs. It knows no threads and no clock; times are
// given, in milliseconds of one clock, so that it can be simulated.

import type { Priority } from '../../core/index.ts';
import type { RefusalReason } from '../model-runtime.ts';
import { bytesLeft, createDeadlineList, type DeadlineList, rowsLeft } from './deadline-list.ts';
import type { Batch, QueuedJob, Segment } from './queued-job.ts';
import { hasTensors } from '../tensor-work.ts';
import type { RunCost } from './run-cost.ts';

export interface ModelQueueOptions {
  readonly cost: RunCost;
  /** `joined`: jobs share a run. `single`: one job a run. `rowwise`: one row a run. */
  readonly mode: BatchMode;
  /** Runs at once. */
  readonly lanes: number;
  /**
   * Of a job and all that goes before it, by priority and then deadline: what may wait longer keeps nobody out, and leaves
   * when more than this goes before it. More at once gets in only where nothing goes before.
   */
  readonly maxQueuedRows: number;
  readonly maxQueuedBytes: number;
  /** A job that waited leaves without a run, or without the rest of its runs; it is not told yet. */
  readonly dropped: (job: QueuedJob, reason: 'deadline' | 'cancelled' | 'full') => void;
}

export type BatchMode = 'joined' | 'single' | 'rowwise';

export interface ModelQueue {
  /**
   * Takes a job in, or says why not. `freeMs`: when the next lane will be free; undefined when nothing has run for so
   * long that the estimate wants proof, and a job may run whatever it says. What it would take is the job's `shortfall`.
   */
  offer(job: QueuedJob, nowMs: number, freeMs: number | undefined): RefusalReason | undefined;
  /** The next batch, for a run that begins at `startMs`, by the estimate where that is after `nowMs`; undefined when nothing waits. */
  take(startMs: number, nowMs?: number): Batch | undefined;
  /** Rows of a batch that failed: each job's once more, alone and before all others. */
  retryAlone(batch: Batch): void;
  /** A batch that was taken and never began: as it is, before all others. */
  putBack(batch: Batch): void;
  /** Lets go of jobs that are cancelled or late already. */
  sweep(nowMs: number): void;
  /** Takes every job out, for a model that ends. */
  clear(): QueuedJob[];
  readonly rows: number;
  /** The earliest deadline of those that go first. */
  readonly firstDeadlineMs: number | undefined;
}

// A batch that is cut for a tight deadline must still get through nearly as many rows a second while others wait.
const LEAST_EFFICIENCY = 0.97;
// Rows press when all that goes before them takes more than half of the time they have.
const PRESSING = 2;
// So much of the time left is filled with rows that could as well wait.
const LEISURE = 0.75;
/** There and back, at 4 GB a second. */
const COPY_MS_PER_BYTE = 2 / 4e6;
const ORDER: readonly Priority[] = ['online', 'batch', 'shadow'];

export function createModelQueue(options: ModelQueueOptions): ModelQueue {
  const { cost, mode, lanes, maxQueuedRows, maxQueuedBytes, dropped } = options;
  const lists: Record<Priority, DeadlineList> = {
    online: createDeadlineList(),
    batch: createDeadlineList(),
    shadow: createDeadlineList(),
  };
  // Batches that ran, or were about to, on what failed.
  const again: Batch[] = [];
  let sweptMs = -Infinity;

  const rows = (): number => lists.online.rows + lists.batch.rows + lists.shadow.rows;
  const batchRows = (): number => (mode === 'rowwise' ? 1 : cost.batchRows());

  // How long jobs take that run one after the other on all lanes, the last of them with `own` rows.
  const queuedMs = (jobs: number, before: number, own: number): number => {
    const apart = again.reduce((sum, batch) => sum + cost.runMs(batch.rows), 0) / lanes;
    if (mode === 'single') {
      const fixedMs = cost.runMs(0);
      return apart + (jobs * fixedMs + cost.runMs(before) - fixedMs) / lanes + cost.runMs(own);
    }
    const most = batchRows();
    const full = Math.ceil((before + own) / most) - 1;
    return apart + (full * cost.runMs(most)) / lanes + cost.runMs(before + own - full * most);
  };

  const whyNot = (job: QueuedJob, nowMs: number, freeMs: number | undefined): RefusalReason | undefined => {
    const { count } = job.work;
    // An earlier look may have found others before it.
    job.shortfall = undefined;
    if (job.deadlineMs <= nowMs) return 'deadline';
    let [jobs, before, bytes] = [0, 0, 0];
    for (const priority of ORDER) {
      const list = lists[priority];
      const ahead = priority === job.priority ? list.ahead(job.deadlineMs) : list;
      jobs += ahead.jobs;
      before += ahead.rows;
      bytes += ahead.bytes;
      if (priority === job.priority) break;
    }
    if (before > 0 && (before + count > maxQueuedRows || bytes + count * job.rowBytes > maxQueuedBytes)) return 'full';
    // Nothing was run for a while: the estimate wants proof.
    if (freeMs === undefined) return undefined;
    const leftMs = job.deadlineMs - nowMs;
    const ownMs = cost.runMs(Math.min(count, batchRows()));
    if (nowMs + ownMs > job.deadlineMs) {
      job.shortfall = { takesMs: ownMs, leftMs };
      return 'deadline';
    }
    const doneMs = Math.max(nowMs, freeMs) + queuedMs(jobs, before, count);
    if (doneMs <= job.deadlineMs) return undefined;
    job.shortfall = { takesMs: doneMs - nowMs, leftMs };
    return 'hopeless';
  };

  // The job that goes last, when more goes before it than may wait.
  const surplus = (): QueuedJob | undefined => {
    const last = lists.shadow.last ?? lists.batch.last ?? lists.online.last;
    if (last === undefined) return undefined;
    const bytes = lists.online.bytes + lists.batch.bytes + lists.shadow.bytes - bytesLeft(last);
    return rows() - rowsLeft(last) > maxQueuedRows || bytes > maxQueuedBytes ? last : undefined;
  };

  const whyGone = (job: QueuedJob, nowMs: number): 'deadline' | 'cancelled' | undefined => {
    if (job.deadlineMs < nowMs) return 'deadline';
    return job.isTold || job.work.scope.isCancelled ? 'cancelled' : undefined;
  };
  const sweep = (nowMs: number): void => {
    sweptMs = nowMs;
    for (const list of Object.values(lists))
      for (let job = list.first; job !== undefined; ) {
        const { after } = job;
        const reason = whyGone(job, nowMs);
        if (reason !== undefined) {
          list.remove(job);
          dropped(job, reason);
        }
        job = after;
      }
    // The next thread may be long in coming.
    for (const batch of again.splice(0)) {
      const segments = batch.segments.filter(({ job }) => {
        const reason = whyGone(job, nowMs);
        if (reason !== undefined) dropped(job, reason);
        return reason === undefined;
      });
      if (segments.length > 0) again.push({ ...batch, segments, rows: rowsOf(segments) });
    }
  };

  const takeAgain = (startMs: number): Batch | undefined => {
    for (let batch = again.shift(); batch !== undefined; batch = again.shift()) {
      const runMs = cost.runMs(batch.rows);
      const segments = batch.segments.filter(({ job }) => {
        if (job.isTold) return false;
        if (job.work.scope.isCancelled) dropped(job, 'cancelled');
        else if (startMs + runMs > job.deadlineMs) {
          job.shortfall = { takesMs: runMs, leftMs: job.deadlineMs - startMs };
          dropped(job, 'deadline');
        } else return true;
        return false;
      });
      if (segments.length > 0) return { ...batch, segments, rows: rowsOf(segments) };
    }
    return undefined;
  };

  const takeFrom = (from: readonly DeadlineList[], startMs: number, nowMs: number): Batch | undefined => {
    const waiting = from.reduce((sum, list) => sum + list.rows, 0);
    const most = batchRows();
    // What goes on: the batch has at most so many rows, that all of them keep their deadlines.
    let limit = Math.min(most, waiting);
    const isBehind = (): boolean => waiting > most && pressingRows(from, taken, startMs) > most;
    const segments: Segment[] = [];
    let taken = 0;
    for (const list of from) {
      for (let job = list.first; job !== undefined && taken < limit; ) {
        const { after } = job;
        if (job.isTold || job.work.scope.isCancelled) {
          list.remove(job);
          dropped(job, 'cancelled');
        } else if (segments.length === 0 || canJoin(job, segments[0]?.job)) {
          const left = rowsLeft(job);
          const size = mode === 'single' ? left : Math.min(left, limit - taken);
          const isProof = job.isProof && nowMs <= job.deadlineMs;
          const leftMs = isProof ? Infinity : job.deadlineMs - startMs;
          const verdict = fits(leftMs, taken + size, left - size, limit, isBehind);
          if (verdict === undefined) {
            list.remove(job);
            const runRows = mode === 'single' ? size : limit;
            job.shortfall = { takesMs: cost.runMs(runRows) + restMs(left - size), leftMs };
            dropped(job, 'deadline');
          } else {
            limit = verdict;
            segments.push({ job, from: job.next, to: job.next + size });
            list.takeRows(job, size);
            taken += size;
            if (mode === 'single') return { segments, rows: taken, isRetry: false, wasTaken: false };
          }
        }
        job = after;
      }
    }
    return taken === 0 ? undefined : { segments, rows: taken, isRetry: false, wasTaken: false };
  };

  const canJoin = (job: QueuedJob, first: QueuedJob | undefined): boolean =>
    mode === 'joined' && job.shapeKey === first?.shapeKey && !isCopied(job) && !isCopied(first);
  // Tensors that run alone need not be copied, in a thread not back: what joining copies must cost less than the run that it saves.
  const isCopied = ({ work, rowBytes }: QueuedJob): boolean =>
    hasTensors(work) && work.count * rowBytes * COPY_MS_PER_BYTE > cost.runMs(0);

  // Rows that would come too late if they had to wait twice as long as they will; those that were taken press.
  const pressingRows = (from: readonly DeadlineList[], taken: number, startMs: number): number => {
    let [pressing, jobs, before] = [taken, 0, taken];
    for (const list of from)
      for (let job = list.first; job !== undefined; job = job.after) {
        const left = rowsLeft(job);
        if (startMs + PRESSING * queuedMs(jobs, before, left) > job.deadlineMs) pressing += left;
        before += left;
        jobs++;
      }
    return pressing;
  };

  // Of rows that a job has left for later batches.
  const restMs = (rest: number): number => (rest === 0 ? 0 : ((rest / batchRows()) * cost.runMs(batchRows())) / lanes);

  // Whether a job keeps its deadline in a batch, and how many rows that then may have.
  const fits = (
    leftMs: number,
    withIt: number,
    rest: number,
    limit: number,
    isBehind: () => boolean,
  ): number | undefined => {
    if (cost.runMs(withIt) + restMs(rest) > leftMs) return undefined;
    if (mode === 'single' || cost.runMs(limit) <= leftMs) return limit;
    const fixedMs = cost.runMs(0);
    const cutTo = (ms: number): number => Math.max(withIt, Math.floor((ms - fixedMs) / (cost.runMs(1) - fixedMs)));
    const cut = cutTo(leftMs);
    const isWasteful = cut / cost.runMs(cut) < (LEAST_EFFICIENCY * limit) / cost.runMs(limit);
    if (!isWasteful) return Math.min(limit, cut);
    // Those that can wait give way to it, with room for a run that takes longer than it should.
    return isBehind() ? undefined : Math.min(limit, cutTo(LEISURE * leftMs));
  };

  return {
    offer(job, nowMs, freeMs) {
      let reason = whyNot(job, nowMs, freeMs);
      // Those that nobody waits for any more should keep nobody out.
      if ((reason === 'full' || reason === 'hopeless') && sweptMs < nowMs - 1) {
        sweep(nowMs);
        reason = whyNot(job, nowMs, freeMs);
      }
      if (reason !== undefined) return reason;
      job.isProof = freeMs === undefined;
      lists[job.priority].add(job);
      if (surplus() !== undefined && sweptMs < nowMs - 1) sweep(nowMs);
      for (let last = surplus(); last !== undefined && last !== job; last = surplus()) {
        lists[last.priority].remove(last);
        dropped(last, 'full');
      }
      return undefined;
    },
    take(startMs, nowMs = startMs) {
      const repeated = takeAgain(startMs);
      if (repeated !== undefined) return repeated;
      // What comes in time for nobody leaves the list, so the next look may find another.
      while (lists.online.jobs + lists.batch.jobs > 0) {
        const batch = takeFrom([lists.online, lists.batch], startMs, nowMs);
        if (batch !== undefined) return batch;
      }
      while (lists.shadow.jobs > 0) {
        const batch = takeFrom([lists.shadow], startMs, nowMs);
        if (batch !== undefined) return batch;
      }
      return undefined;
    },
    retryAlone({ segments }) {
      for (const segment of segments)
        again.push({ segments: [segment], rows: rowsOf([segment]), isRetry: true, wasTaken: true });
    },
    putBack: (batch) => void again.push({ ...batch, wasTaken: true }),
    sweep,
    clear() {
      const all = new Set(again.splice(0).flatMap(({ segments }) => segments.map(({ job }) => job)));
      for (const list of Object.values(lists))
        for (let job = list.first; job !== undefined; job = list.first) {
          list.remove(job);
          all.add(job);
        }
      return [...all];
    },
    get rows() {
      return rows() + again.reduce((sum, batch) => sum + batch.rows, 0);
    },
    get firstDeadlineMs() {
      return (lists.online.first ?? lists.batch.first ?? lists.shadow.first)?.deadlineMs;
    },
  };
}

function rowsOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { from, to }) => sum + to - from, 0);
}
