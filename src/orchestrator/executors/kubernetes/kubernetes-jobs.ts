// Jobs of one run in a namespace of Kubernetes: made, found again by name, followed and ended.

import type { V1Job, V1Pod, V1PodTemplate } from '@kubernetes/client-node';
import { fewAtOnce, HeadraceError, type Logger, toHeadraceError } from '../../../core/index.ts';
import type { ClusterJob, ClusterJobs } from '../cluster/cluster-jobs.ts';
import { pause } from '../cluster/patient.ts';
import { ApiRefusal, type ApiOptions, type KubernetesApi, openApi } from './api.ts';
import { jobSpec, RUN_LABEL, runLabel } from './job-spec.ts';
import { signIn as signInAsKubectl, type SignIn } from './sign-in.ts';
import { watchJobs } from './watch-jobs.ts';

export interface KubernetesJobsOptions extends Pick<ApiOptions, 'giveUpMs' | 'quietMs'> {
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
  /** How long after its grace a pod that is deleted may be there, before its node is taken for gone. Default: 1 min. */
  readonly lostMs?: number;
}

/** Of one Job: that of Kubernetes is 100,000, and its lists grow long. */
const MOST_PARTS = 10_000;
const ASKED_AT_ONCE = 16;
const START_LIMIT_MS = 5 * 60_000;
const LOST_MS = 60_000;
const END_LIMIT_MS = 10 * 60_000;

/** Nothing of it is asked of the cluster until it is used. */
export function openKubernetesJobs(options: KubernetesJobsOptions): ClusterJobs {
  const { namespace, image, run, logger, startLimitMs = START_LIMIT_MS, lostMs = LOST_MS } = options;
  const jobsPath = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  const podsPath = `/api/v1/namespaces/${namespace}/pods`;
  const few = fewAtOnce(ASKED_AT_ONCE);
  const closed = new AbortController();
  const { signal } = closed;
  /** Jobs that the API server did not take, and why. */
  const refused = new Map<string, string>();
  let api: Promise<KubernetesApi> | undefined;
  let template: Promise<V1PodTemplate['template']> | undefined;

  const openOnce = async (): Promise<KubernetesApi> => {
    const { giveUpMs, quietMs } = options;
    const limits = { ...(giveUpMs === undefined ? {} : { giveUpMs }), ...(quietMs === undefined ? {} : { quietMs }) };
    return openApi({ signIn: options.signIn ?? (await signInAsKubectl()), logger, ...limits });
  };
  const opened = (): Promise<KubernetesApi> => (api ??= openOnce());
  const ask = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> =>
    few(async () => (await opened()).ask(method, path, body));
  const askUnlessMissing = (method: 'GET' | 'DELETE', path: string): Promise<unknown> =>
    ask(method, path).catch(unlessMissing);
  const readJob = async (name: string): Promise<V1Job | undefined> =>
    (await askUnlessMissing('GET', `${jobsPath}/${name}`)) as V1Job | undefined; // as the API answers

  const watching = watchJobs({
    namespace,
    selector: `?labelSelector=${encodeURIComponent(`${RUN_LABEL}=${runLabel(run)}`)}`,
    logger,
    signal,
    ask: askUnlessMissing,
    startLimitMs,
    lostMs,
  });
  const follow = async (): Promise<void> => watching.follow(await opened());

  const readTemplate = async (): Promise<V1PodTemplate['template']> => {
    if (options.template === undefined) return undefined;
    const path = `/api/v1/namespaces/${namespace}/podtemplates/${options.template}`;
    const found = (await askUnlessMissing('GET', path)) as V1PodTemplate | undefined; // as the API answers
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
      if (error.reason === 'AlreadyExists') return (await readJob(job.name))?.metadata?.uid ?? '';
      refused.set(job.name, `Kubernetes refuses its job: ${error.message}`);
      return '';
    }
  };

  /** Once neither it nor a pod of it is there; pods of nodes that do not answer are not waited for. */
  const untilGone = async (name: string): Promise<void> => {
    const pods = `${podsPath}?labelSelector=${encodeURIComponent(`batch.kubernetes.io/job-name=${name}`)}`;
    const sinceMs = performance.now();
    for (let waitMs = 50; ; waitMs = Math.min(2 * waitMs, 1000)) {
      const { items } = (await ask('GET', `${pods}&limit=500`)) as { readonly items: readonly V1Pod[] };
      if (items.length === 0 && (await readJob(name)) === undefined) return;
      const waitedMs = performance.now() - sinceMs;
      if (items.length > 0 && items.every((pod) => isOverdue(pod, waitedMs - lostMs))) {
        const nodes = [...new Set(items.map(({ spec }) => spec?.nodeName ?? ''))].join(', ');
        logger.warn({ job: name, nodes }, 'nodes do not say that pods which were deleted have ended; not waited for');
        return;
      }
      if (waitedMs > END_LIMIT_MS)
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
    async submit(jobs) {
      // A job that cannot be followed had better not be made.
      await follow();
      return await Promise.all(jobs.map(submitOne));
    },
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
      watching.add(jobs, listen);
      const lookBack = async (): Promise<void> => {
        try {
          await follow();
          await watching.lookBack(names.filter((name) => !refused.has(name)));
        } catch (error) {
          if (signal.aborted) return;
          const { code, message } = toHeadraceError(error);
          logger.error({ error: message }, 'jobs of Kubernetes cannot be followed');
          // They run on meanwhile.
          if (code === 'HR_SERVER_UNREACHABLE') return lookBack();
          for (const name of names) watching.tellAll(name, { kind: 'refused', reason: message });
        }
      };
      for (const name of names) {
        const reason = refused.get(name);
        if (reason !== undefined) watching.tellAll(name, { kind: 'refused', reason });
      }
      void lookBack();
      return () => watching.remove(names);
    },
    waits: () => watching.waits(),
    async cancel(jobs) {
      const cancelOne = async ({ name }: { readonly name: string }): Promise<void> => {
        await askUnlessMissing('DELETE', `${jobsPath}/${name}?propagationPolicy=Foreground`);
        await untilGone(name);
      };
      await Promise.all(jobs.filter(({ name }) => !refused.has(name)).map(cancelOne));
    },
    async close() {
      closed.abort();
      watching.close();
      (await api?.catch(() => undefined))?.close();
    },
  };
}

function isOverdue({ metadata }: V1Pod, waitedMs: number): boolean {
  return metadata?.deletionTimestamp !== undefined && waitedMs > (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
}

function unlessMissing(error: unknown): undefined {
  if (error instanceof ApiRefusal && error.status === 404) return undefined;
  throw error;
}
