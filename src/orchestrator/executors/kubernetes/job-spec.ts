// A job as Kubernetes takes it: an Indexed Job, one pod for each part, none of which is tried again by the cluster: the engine does
// that, which knows what was lost and what failed.

import type { V1Container, V1Job, V1PodTemplateSpec } from '@kubernetes/client-node';
import { sha256Hex } from '../../../core/index.ts';
import type { ClusterJob } from '../cluster/cluster-jobs.ts';

export interface JobPlace {
  readonly namespace: string;
  /** Has Node and Headrace, the command `headrace` on the PATH. */
  readonly image: string;
  readonly run: string;
  /** Of a PodTemplate of the namespace: what else its pods have. */
  readonly template?: V1PodTemplateSpec;
}

export const RUN_LABEL = 'headrace.dev/run';
/** The container that runs tasks, and that of a pod template which is filled in. */
export const STEP = 'step';
/** A driver that follows another finds ends in the cluster so long; afterwards those in the artifact store. */
const KEPT_SECONDS = 3600;
/** What is asked to end stores what it has. */
const GRACE_SECONDS = 60;
/** What Kubernetes takes for a deadline. */
const MOST_SECONDS = 2 ** 31 - 1;
const BROUGHT = '/headrace';
/** Node and the package, wherever an image has them, into the volume that both containers share. */
const BRING = `set -e; cp "$(command -v node)" ${BROUGHT}/node; main="$(readlink -f "$(command -v headrace)")"; cp -RL "$(dirname "$(dirname "$(dirname "$main")")")" ${BROUGHT}/package`;

/** A label's value: of letters and digits, at most 63. */
export function runLabel(run: string): string {
  return sha256Hex(run).slice(0, 32);
}

export function jobSpec(job: ClusterJob, { namespace, image, run, template }: JobPlace): V1Job {
  const labels = { 'app.kubernetes.io/managed-by': 'headrace', [RUN_LABEL]: runLabel(run) };
  const given = template?.spec;
  const base = given?.containers.find(({ name }) => name === STEP);
  const isBrought = job.image !== undefined && job.image !== image;
  const mount = { name: 'headrace', mountPath: BROUGHT };
  const step: V1Container = {
    ...base,
    name: STEP,
    image: job.image ?? image,
    command: [...(isBrought ? broughtCommand(job.command) : job.command)],
    env: [
      ...(base?.env ?? []),
      ...Object.entries(job.env).map(([name, value]) => ({ name, value })),
      ...(isBrought ? [{ name: 'HEADRACE_CONTAINER_IMAGE', value: job.image ?? '' }] : []),
      ...Object.entries(job.secrets).flatMap(([name, ref]) =>
        'secretKeyRef' in ref ? [{ name, valueFrom: { secretKeyRef: ref.secretKeyRef } }] : [],
      ),
    ],
    resources: resourcesOf(job, base),
    ...(isBrought ? { volumeMounts: [...(base?.volumeMounts ?? []), mount] } : {}),
    // Its last words, where it says none of its own.
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
  const bring: V1Container = {
    name: 'bring-headrace',
    image,
    command: ['sh', '-c', BRING],
    volumeMounts: [mount],
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: job.name, namespace, labels },
    spec: {
      completionMode: 'Indexed',
      completions: job.parts,
      parallelism: job.parts,
      backoffLimitPerIndex: 0,
      maxFailedIndexes: job.parts,
      ttlSecondsAfterFinished: KEPT_SECONDS,
      template: {
        metadata: { ...pick(template?.metadata?.annotations), labels: { ...template?.metadata?.labels, ...labels } },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: GRACE_SECONDS,
          ...given,
          restartPolicy: 'Never',
          ...(job.timeoutMs === null
            ? {}
            : { activeDeadlineSeconds: Math.min(Math.ceil(job.timeoutMs / 1000), MOST_SECONDS) }),
          ...(isBrought ? { initContainers: [...(given?.initContainers ?? []), bring] } : {}),
          containers: [step, ...(given?.containers.filter(({ name }) => name !== STEP) ?? [])],
          ...(isBrought ? { volumes: [...(given?.volumes ?? []), { name: 'headrace', emptyDir: {} }] } : {}),
        },
      },
    },
  };
}

function pick(annotations: Record<string, string> | undefined): { readonly annotations?: Record<string, string> } {
  return annotations === undefined ? {} : { annotations };
}

function broughtCommand([, ...rest]: readonly string[]): readonly string[] {
  return [`${BROUGHT}/node`, `${BROUGHT}/package/dist/cli/main.js`, ...rest];
}

function resourcesOf(
  { cpu, memoryBytes }: ClusterJob,
  base: V1Container | undefined,
): NonNullable<V1Container['resources']> {
  const memory = memoryBytes === undefined ? {} : { memory: String(Math.ceil(memoryBytes)) };
  return {
    ...base?.resources,
    requests: { ...base?.resources?.requests, cpu: `${Math.ceil(cpu * 1000)}m`, ...memory },
    ...(memoryBytes === undefined ? {} : { limits: { ...base?.resources?.limits, ...memory } }),
  };
}
