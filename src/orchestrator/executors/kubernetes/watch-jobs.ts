// Follows the jobs and pods of a run, by one watch of each, and tells how parts of jobs end: by their pods, by what their job has
// counted, or by what keeps a pod from beginning.

import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { Logger } from '../../../core/index.ts';
import type { PartEnd } from '../cluster/cluster-jobs.ts';
import type { ContainerEnd } from '../cluster/task-end.ts';
import type { KubernetesApi } from './api.ts';
import { followList, type FollowedList } from './follow-list.ts';
import { endOfPod, obstacleOf, outlivesStep, partOfPod } from './pod-end.ts';
import { createPodsByPart } from './pods-by-part.ts';
import { readIndexes } from './read-indexes.ts';
import { podRefusal } from './refused-pods.ts';

export interface WatchOptions {
  readonly namespace: string;
  /** `?labelSelector=…` of the run. */
  readonly selector: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Undefined in place of a 404. */
  readonly ask: (method: 'GET' | 'DELETE', path: string) => Promise<unknown>;
  readonly startLimitMs: number;
  readonly lostMs: number;
}

export interface WatchedJob {
  readonly name: string;
  readonly parts: number;
}

export interface JobWatch {
  /** Once jobs and pods are listed. Throws HR_CONFIG where they may not be. */
  follow(api: KubernetesApi): Promise<void>;
  add(jobs: readonly WatchedJob[], listen: (ends: readonly PartEnd[]) => void): void;
  remove(names: readonly string[]): void;
  tellAll(name: string, end: ContainerEnd): void;
  /** What keeps pods of a job from beginning, by the job's name. */
  waits(): ReadonlyMap<string, string>;
  /** What is known already of jobs that were added; both lists are there. */
  lookBack(names: readonly string[]): Promise<void>;
  close(): void;
}

interface Watched {
  readonly parts: number;
  readonly told: Set<number>;
  readonly listen: (ends: readonly PartEnd[]) => void;
  /** Parts that the job says are over, and of which no pod is known. */
  readonly missing: Set<number>;
  /** Parts without a pod: how many, since when no fewer, when it was last asked why, and what came. */
  uncreated: { readonly count: number; readonly sinceMs: number; askedMs: number; reason?: string } | undefined;
}

const TICK_MS = 1000;
const SAID_AGAIN_MS = 60_000;
const EVENTS_MS = 5000;
/** What runs beside the step and does not end with it is ended. */
const BESIDE_MS = 30_000;

export function watchJobs(options: WatchOptions): JobWatch {
  const { namespace, selector, logger, signal, ask, startLimitMs, lostMs } = options;
  const jobsPath = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  const podsPath = `/api/v1/namespaces/${namespace}/pods`;
  const watched = new Map<string, Watched>();
  const byPart = createPodsByPart();
  /** Since when a pod has been kept from starting, has been told to end, or has outlived its step. */
  const since = {
    held: new Map<string, number>(),
    ending: new Map<string, number>(),
    beside: new Map<string, number>(),
  };
  const waits = new Map<string, string>();
  /** Parts of a job whose pod went without an end: where their job has not counted it, it makes another, which nobody waits for. */
  const vanished = new Set<string>();
  let saidAt = -Infinity;
  let lists: { readonly pods: FollowedList<V1Pod>; readonly jobs: FollowedList<V1Job> } | undefined;
  let timer: NodeJS.Timeout | undefined;

  const tell = (name: string, part: number, end: ContainerEnd): void => {
    const one = watched.get(name);
    if (one === undefined || part >= one.parts || one.told.has(part)) return;
    one.told.add(part);
    one.missing.delete(part);
    // The same fields, for a part of a job.
    one.listen([{ job: name, part, ...end } as PartEnd]);
  };

  const say = (what: string): void => {
    const nowMs = performance.now();
    if (nowMs - saidAt < SAID_AGAIN_MS) return;
    saidAt = nowMs;
    logger.warn({ namespace }, what);
  };

  const deletePod = async (name: string): Promise<void> => void (await ask('DELETE', `${podsPath}/${name}`));
  const aside = (work: Promise<void>): void =>
    void work.catch((error: unknown) => {
      if (!signal.aborted) logger.warn({ error: String(error) }, 'pods could not be looked after');
    });

  const lookAtPod = (name: string, pod: V1Pod, isGone: boolean): void => {
    if (isGone) {
      byPart.remove(name, pod);
      for (const one of Object.values(since)) one.delete(name);
    } else byPart.set(name, pod);
    const at = partOfPod(pod);
    if (at === undefined) return;
    const end = endOfPod(pod);
    if (end !== undefined) tell(at.job, at.part, end);
    else if (isGone) {
      vanished.add(`${at.job}/${at.part}`);
      tell(at.job, at.part, { kind: 'lost', reason: `its pod ${name} was deleted` });
    } else if (vanished.has(`${at.job}/${at.part}`) && pod.metadata?.deletionTimestamp === undefined)
      aside(deletePod(name));
  };

  /** Of a job that is no more: parts whose pods are still there end by themselves. */
  const jobIsGone = (name: string): void => {
    const one = watched.get(name);
    for (let part = 0; part < (one?.parts ?? 0); part++)
      if (one?.told.has(part) === false && !byPart.has(name, part))
        tell(name, part, { kind: 'lost', reason: 'its job was deleted' });
  };

  /** Pods that the cluster has forgotten, but whose ends their job has counted; told at the second look, for pods are told apart. */
  const lookAtJob = (name: string, one: Watched): void => {
    const job = lists?.jobs.now.get(name);
    if (job === undefined) return;
    const { completedIndexes, failedIndexes } = job.status ?? {};
    for (const [indexes, end] of [
      [completedIndexes, { kind: 'exited', code: 0 }],
      [failedIndexes, { kind: 'lost', reason: 'its pod is gone, and its job counts it as failed' }],
    ] as const)
      for (const part of readIndexes(indexes)) {
        if (one.told.has(part)) continue;
        if (one.missing.has(part) && !byPart.has(name, part)) tell(name, part, end);
        else one.missing.add(part);
      }
  };

  /** A node that is gone never says that a pod of it has ended. */
  const lookAtEnding = (name: string, pod: V1Pod, nowMs: number): void => {
    const at = partOfPod(pod);
    if (at === undefined || pod.metadata?.deletionTimestamp === undefined) return;
    const from = since.ending.get(name) ?? nowMs;
    since.ending.set(name, from);
    if (nowMs - from < (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000 + lostMs) return;
    const reason = `its pod ${name} was deleted, and its node ${pod.spec?.nodeName ?? ''} does not say that it has ended`;
    tell(at.job, at.part, { kind: 'lost', reason });
  };

  const lookAtBeside = async (name: string, pod: V1Pod, nowMs: number): Promise<void> => {
    if (!outlivesStep(pod)) return;
    const from = since.beside.get(name) ?? nowMs;
    since.beside.set(name, from);
    if (nowMs - from < BESIDE_MS) return;
    since.beside.set(name, nowMs);
    await deletePod(name);
  };

  const lookAtHeld = async (name: string, pod: V1Pod, nowMs: number): Promise<void> => {
    const at = partOfPod(pod);
    const obstacle = obstacleOf(pod);
    if (at === undefined || watched.get(at.job)?.told.has(at.part) !== false || obstacle === undefined) {
      since.held.delete(name);
      return;
    }
    waits.set(at.job, obstacle.reason);
    say(`the pod ${name} waits: ${obstacle.reason}`);
    // A cluster may be given another node at any time.
    if (obstacle.kind === 'unschedulable') return;
    const from = since.held.get(name) ?? nowMs;
    since.held.set(name, from);
    if (!obstacle.isFinal && nowMs - from < startLimitMs) return;
    const waited = obstacle.isFinal ? '' : `, for ${Math.round((nowMs - from) / 1000)} s now`;
    tell(at.job, at.part, { kind: 'refused', reason: `${obstacle.reason}${waited}` });
    since.held.delete(name);
    await deletePod(name);
  };

  /** Parts that have neither a pod nor an end: the job tries to make their pods, and says only by events why it cannot. */
  const lookAtUncreated = async (name: string, one: Watched, nowMs: number): Promise<void> => {
    const without: number[] = [];
    for (let part = 0; part < one.parts; part++) if (!one.told.has(part) && !byPart.has(name, part)) without.push(part);
    const job = lists?.jobs.now.get(name);
    if (without.length === 0 || job === undefined || job.spec?.suspend === true) {
      one.uncreated = undefined;
      return;
    }
    const before = one.uncreated;
    if (before === undefined || without.length < before.count) {
      one.uncreated = { count: without.length, sinceMs: nowMs, askedMs: nowMs };
      return;
    }
    if (before.reason !== undefined) waits.set(name, before.reason);
    if (nowMs - before.askedMs < Math.min(EVENTS_MS, startLimitMs)) return;
    before.askedMs = nowMs;
    const refusal = await podRefusal(ask, namespace, name);
    if (refusal === undefined || !watched.has(name)) return;
    before.reason = refusal.reason;
    say(`pods of the job ${name} wait: ${refusal.reason}`);
    // What runs holds what the others wait for.
    const isRunning = one.told.size + without.length < one.parts;
    if (refusal.mayPass || isRunning || nowMs - before.sinceMs < startLimitMs) return;
    const waited = `, for ${Math.round((nowMs - before.sinceMs) / 1000)} s now`;
    const reason = before.reason + waited;
    for (const part of without) tell(name, part, { kind: 'refused', reason });
    await ask('DELETE', `${jobsPath}/${name}?propagationPolicy=Background`);
  };

  const tick = (): void => {
    const nowMs = performance.now();
    waits.clear();
    for (const [name, one] of watched) {
      if (one.told.size === one.parts) continue;
      lookAtJob(name, one);
      aside(lookAtUncreated(name, one, nowMs));
    }
    for (const [name, pod] of lists?.pods.now ?? []) {
      lookAtEnding(name, pod, nowMs);
      aside(lookAtBeside(name, pod, nowMs));
      aside(lookAtHeld(name, pod, nowMs));
    }
  };

  return {
    async follow(api) {
      if (signal.aborted) return;
      timer ??= setInterval(tick, TICK_MS);
      lists ??= {
        pods: followList<V1Pod>({
          api,
          path: podsPath + selector,
          logger,
          signal,
          onChange: (name, pod) => lookAtPod(name, pod, false),
          onGone: (name, pod) => lookAtPod(name, pod, true),
        }),
        jobs: followList<V1Job>({
          api,
          path: jobsPath + selector,
          logger,
          signal,
          onChange: () => {},
          onGone: (name) => jobIsGone(name),
        }),
      };
      await Promise.all([lists.pods.listed(), lists.jobs.listed()]);
    },
    add(jobs, listen) {
      for (const { name, parts } of jobs)
        watched.set(name, { parts, told: new Set(), listen, missing: new Set(), uncreated: undefined });
    },
    remove(names) {
      for (const name of names) watched.delete(name);
    },
    tellAll(name, end) {
      for (let part = 0; part < (watched.get(name)?.parts ?? 0); part++) tell(name, part, end);
    },
    waits: () => waits,
    async lookBack(names) {
      for (const [name, pod] of lists?.pods.now ?? []) lookAtPod(name, pod, false);
      for (const name of names) {
        if (signal.aborted || !watched.has(name)) continue;
        if (lists?.jobs.now.has(name) !== true && (await ask('GET', `${jobsPath}/${name}`)) === undefined)
          jobIsGone(name);
      }
    },
    close: () => clearInterval(timer),
  };
}
