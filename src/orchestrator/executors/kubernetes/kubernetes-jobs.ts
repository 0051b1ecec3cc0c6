// Jobs of one run in a namespace of Kubernetes. Jobs and pods are followed by the run's label, one watch of each, however many there are.

import type { V1Job, V1Pod, V1PodTemplate } from '@kubernetes/client-node';
import { fewAtOnce, HeadraceError, type Logger } from '../../../core/index.ts';
import type { ClusterJob, ClusterJobs, PartEnd } from '../cluster/cluster-jobs.ts';
import { pause } from '../cluster/patient.ts';
import type { ContainerEnd } from '../cluster/task-end.ts';
import { ApiRefusal, openApi, type SignIn, signIn } from './api.ts';
import { followList, type FollowedList } from './follow-list.ts';
import { jobSpec, RUN_LABEL, runLabel } from './job-spec.ts';
import { endOfPod, obstacleOf, partOfPod } from './pod-end.ts';
import { readIndexes } from './read-indexes.ts';

export interface KubernetesJobsOptions {
  readonly namespace: string;
  readonly image: string;
  /** The name of a PodTemplate of the namespace. */
  readonly template?: string;
  readonly run: string;
  readonly logger: Logger;
  /** Left out: as kubectl signs in. */
  readonly signIn?: SignIn;
  /** How long a pod may fail to start, for want of its image or of a secret, before it is refused. Default: 5 min. */
  readonly startLimitMs?: number;
  /** How long the API server is asked again. Default: 10 min. */
  readonly giveUpMs?: number;
}

interface Watched {
  readonly id: string;
  readonly parts: number;
  readonly told: Set<number>;
  readonly listen: (ends: readonly PartEnd[]) => void;
  /** Parts that the job says are over, and of which no pod is known. */
  readonly missing: Set<number>;
}

/** Of one Job: that of Kubernetes is 100,000, and its lists grow long. */
const MOST_PARTS = 10_000;
const ASKED_AT_ONCE = 16;
const START_LIMIT_MS = 5 * 60_000;
const TICK_MS = 1000;
const SAID_AGAIN_MS = 60_000;

/** Nothing of it is asked of the cluster until it is used. */
export function openKubernetesJobs(options: KubernetesJobsOptions): ClusterJobs {
  const { namespace, image, run, logger, startLimitMs = START_LIMIT_MS } = options;
  const jobsPath = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  const podsPath = `/api/v1/namespaces/${namespace}/pods`;
  const selector = `?labelSelector=${encodeURIComponent(`${RUN_LABEL}=${runLabel(run)}`)}`;
  const few = fewAtOnce(ASKED_AT_ONCE);
  const closed = new AbortController();
  const { signal } = closed;
  const watched = new Map<string, Watched>();
  /** Jobs that the API server did not take, and why. */
  const refused = new Map<string, string>();
  /** Since when a pod has been kept from starting. */
  const held = new Map<string, number>();
  let saidAt = -Infinity;
  let api: Promise<ReturnType<typeof openApi>> | undefined;
  let template: Promise<V1PodTemplate['template']> | undefined;
  let lists: { readonly pods: FollowedList<V1Pod>; readonly jobs: FollowedList<V1Job> } | undefined;
  let timer: NodeJS.Timeout | undefined;

  const opened = (): ReturnType<typeof openApiOnce> => (api ??= openApiOnce());
  const openApiOnce = async () => openApi(options.signIn ?? (await signIn()), logger, options.giveUpMs);
  const ask = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> =>
    few(async () => (await opened()).ask(method, path, body));
  const readJob = async (name: string): Promise<V1Job | undefined> =>
    (await ask('GET', `${jobsPath}/${name}`).catch(unlessMissing)) as V1Job | undefined;

  const readTemplate = async (): Promise<V1PodTemplate['template']> => {
    if (options.template === undefined) return undefined;
    const path = `/api/v1/namespaces/${namespace}/podtemplates/${options.template}`;
    const found = (await ask('GET', path).catch(unlessMissing)) as V1PodTemplate | undefined;
    if (found !== undefined) return found.template;
    const sentence = `the namespace ${namespace} has no PodTemplate ${options.template}, which the executor names; make it, or take \`template\` out`;
    throw new HeadraceError('HR_CONFIG', sentence);
  };

  const submitOne = async (job: ClusterJob): Promise<string> => {
    const found = await (template ??= readTemplate());
    try {
      const body = jobSpec(job, { namespace, image, run, ...(found === undefined ? {} : { template: found }) });
      const made = (await ask('POST', jobsPath, body)) as V1Job; // as the API answers
      return made.metadata?.uid ?? '';
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
      if (error.status === 409) return (await readJob(job.name))?.metadata?.uid ?? '';
      refused.set(job.name, `Kubernetes refuses its job: ${error.message}`);
      return '';
    }
  };

  const tell = (name: string, part: number, end: ContainerEnd): void => {
    const one = watched.get(name);
    if (one === undefined || part >= one.parts || one.told.has(part)) return;
    one.told.add(part);
    one.missing.delete(part);
    // The same fields, for a part of a job.
    one.listen([{ job: name, part, ...end } as PartEnd]);
  };

  const lookAtPod = (name: string, pod: V1Pod, isGone: boolean): void => {
    const at = partOfPod(pod);
    if (at === undefined) return;
    if (isGone) held.delete(name);
    const end =
      endOfPod(pod) ?? (isGone ? ({ kind: 'lost', reason: `its pod ${name} was deleted` } as const) : undefined);
    if (end !== undefined) {
      held.delete(name);
      tell(at.job, at.part, end);
    }
  };

  const hasPod = (job: string, part: number): boolean => {
    for (const pod of lists?.pods.now.values() ?? []) {
      const at = partOfPod(pod);
      if (at?.job === job && at.part === part) return true;
    }
    return false;
  };

  /** Of a job that is no more: parts whose pods are still there end by themselves. */
  const jobIsGone = (name: string): void => {
    const one = watched.get(name);
    for (let part = 0; part < (one?.parts ?? 0); part++)
      if (one?.told.has(part) === false && !hasPod(name, part))
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
        if (one.missing.has(part) && !hasPod(name, part)) tell(name, part, end);
        else one.missing.add(part);
      }
  };

  const lookAtHeld = async (name: string, pod: V1Pod, nowMs: number): Promise<void> => {
    const at = partOfPod(pod);
    const obstacle = obstacleOf(pod);
    if (at === undefined || watched.get(at.job)?.told.has(at.part) !== false || obstacle === undefined) {
      held.delete(name);
      return;
    }
    if (nowMs - saidAt > SAID_AGAIN_MS) {
      saidAt = nowMs;
      logger.warn({ pod: name, namespace }, `a pod waits: ${obstacle.reason}`);
    }
    // A cluster may be given another node at any time.
    if (obstacle.kind === 'unschedulable') return;
    const since = held.get(name) ?? nowMs;
    held.set(name, since);
    if (!obstacle.isFinal && nowMs - since < startLimitMs) return;
    const waited = obstacle.isFinal ? '' : `, for ${Math.round((nowMs - since) / 1000)} s now`;
    tell(at.job, at.part, { kind: 'refused', reason: `${obstacle.reason}${waited}` });
    held.delete(name);
    await ask('DELETE', `${podsPath}/${name}`).catch(unlessMissing);
  };

  const tick = (): void => {
    const nowMs = performance.now();
    for (const [name, one] of watched) if (one.told.size < one.parts) lookAtJob(name, one);
    for (const [name, pod] of lists?.pods.now ?? [])
      lookAtHeld(name, pod, nowMs).catch((error: unknown) => {
        if (!signal.aborted)
          logger.warn({ pod: name, error: String(error) }, 'a pod that cannot start was not deleted');
      });
  };

  const follow = async (): Promise<void> => {
    const to = await opened();
    if (signal.aborted) return;
    timer ??= setInterval(tick, TICK_MS);
    lists ??= {
      pods: followList<V1Pod>({
        api: to,
        path: podsPath + selector,
        logger,
        signal,
        onChange: (name, pod) => lookAtPod(name, pod, false),
        onGone: (name, pod) => lookAtPod(name, pod, true),
      }),
      jobs: followList<V1Job>({
        api: to,
        path: jobsPath + selector,
        logger,
        signal,
        onChange: () => {},
        onGone: (name) => jobIsGone(name),
      }),
    };
    await Promise.all([lists.pods.fresh(), lists.jobs.fresh()]);
  };

  /** What is known already of jobs that are watched from now on. */
  const lookBack = async (names: readonly string[]): Promise<void> => {
    await follow();
    for (const [name, pod] of lists?.pods.now ?? []) lookAtPod(name, pod, false);
    for (const name of names) {
      if (signal.aborted || !watched.has(name)) continue;
      if (!lists?.jobs.now.has(name) && (await readJob(name)) === undefined) jobIsGone(name);
    }
  };

  /** Once neither it nor a pod of it is there. */
  const untilGone = async (name: string): Promise<void> => {
    const pods = `${podsPath}?labelSelector=${encodeURIComponent(`batch.kubernetes.io/job-name=${name}`)}`;
    const giveUpAt = performance.now() + 10 * 60_000;
    for (let waitMs = 50; ; waitMs = Math.min(2 * waitMs, 1000)) {
      const { items } = (await ask('GET', `${pods}&limit=1`)) as { readonly items: readonly V1Pod[] };
      if (items.length === 0 && (await readJob(name)) === undefined) return;
      if (performance.now() > giveUpAt)
        throw new HeadraceError(
          'HR_SERVER_UNREACHABLE',
          `pods of the job ${name} in ${namespace} do not end; see \`kubectl -n ${namespace} get pods -l job-name=${name}\``,
        );
      await pause(waitMs, signal);
      if (signal.aborted) return;
    }
  };

  return {
    mostParts: MOST_PARTS,
    partVariable: 'JOB_COMPLETION_INDEX',
    submit: async (jobs) => await Promise.all(jobs.map(submitOne)),
    find: async (names) =>
      await Promise.all(
        names.map(async (name) => {
          const job = await readJob(name);
          if (job?.metadata?.deletionTimestamp === undefined) return job?.metadata?.uid;
          await untilGone(name);
          return undefined;
        }),
      ),
    watch(jobs, listen) {
      const names = jobs.map(({ name }) => name);
      for (const { name, id, parts } of jobs)
        watched.set(name, { id, parts, told: new Set(), listen, missing: new Set() });
      for (const { name, parts } of jobs) {
        const reason = refused.get(name);
        if (reason === undefined) continue;
        for (let part = 0; part < parts; part++) tell(name, part, { kind: 'refused', reason });
      }
      lookBack(names.filter((name) => !refused.has(name))).catch((error: unknown) => {
        if (!signal.aborted) logger.error({ error: String(error) }, 'jobs of Kubernetes could not be looked at');
      });
      return () => {
        for (const name of names) watched.delete(name);
      };
    },
    async cancel(jobs) {
      const cancelOne = async ({ name }: { readonly name: string }): Promise<void> => {
        await ask('DELETE', `${jobsPath}/${name}?propagationPolicy=Foreground`).catch(unlessMissing);
        await untilGone(name);
      };
      await Promise.all(jobs.filter(({ name }) => !refused.has(name)).map(cancelOne));
    },
    async close() {
      closed.abort();
      clearInterval(timer);
      (await api?.catch(() => undefined))?.close();
    },
  };
}

function unlessMissing(error: unknown): undefined {
  if (error instanceof ApiRefusal && error.status === 404) return undefined;
  throw error;
}
