// How a pod's end is told, and what keeps one from beginning.

import type { V1ContainerStateTerminated, V1Pod } from '@kubernetes/client-node';
import type { ContainerEnd } from '../cluster/task-end.ts';
import { STEP } from './job-spec.ts';

/** Which of a job's parts a pod is; undefined for one that is none. */
export function partOfPod({ metadata }: V1Pod): { readonly job: string; readonly part: number } | undefined {
  const labels = metadata?.labels ?? {};
  const job = labels['batch.kubernetes.io/job-name'] ?? labels['job-name'];
  const part =
    metadata?.annotations?.['batch.kubernetes.io/job-completion-index'] ??
    labels['batch.kubernetes.io/job-completion-index'];
  return job === undefined || part === undefined ? undefined : { job, part: Number(part) };
}

/** Undefined while its step runs, or may. */
export function endOfPod(pod: V1Pod): ContainerEnd | undefined {
  const { status, metadata } = pod;
  if (status?.phase === 'Succeeded') return { kind: 'exited', code: 0 };
  if (status?.phase !== 'Failed') return outlivesStep(pod) ? endOfStep(stepOf(pod)) : undefined;
  const { reason, message, conditions = [], initContainerStatuses = [] } = status;
  const told = message === undefined ? '' : `: ${message}`;
  if (reason === 'DeadlineExceeded')
    return {
      kind: 'failed',
      cause: 'timeout',
      reason: `its pod ran longer than its tasks may together, with time to begin and to end${told}`,
    };
  const disrupted = conditions.find(({ type, status: is }) => type === 'DisruptionTarget' && is === 'True');
  if (disrupted !== undefined)
    return {
      kind: 'lost',
      reason: `its pod was taken off its node (${disrupted.reason ?? 'disrupted'})${disrupted.message === undefined ? '' : `: ${disrupted.message}`}`,
    };
  // What the node itself did: Evicted, Preempting, NodeLost, Shutdown, OutOfcpu, …
  if (reason !== undefined && reason !== '')
    return { kind: 'lost', reason: `its pod was ended by its node (${reason})${told}` };
  const step = stepOf(pod);
  if (step !== undefined) return endOfStep(step);
  const brought = initContainerStatuses.find(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0);
  if (brought !== undefined)
    return {
      kind: 'refused',
      reason: `the container ${brought.name} of its pod ended with exit code ${brought.state?.terminated?.exitCode}${lastWords(brought.state?.terminated?.message)}`,
    };
  return { kind: 'lost', reason: `its pod ${metadata?.name ?? ''} failed before its container had ended${told}` };
}

/** Others of its containers, which a pod template brought, run on although its step has ended. */
export function outlivesStep(pod: V1Pod): boolean {
  return pod.status?.phase === 'Running' && (pod.spec?.containers.length ?? 0) > 1 && stepOf(pod) !== undefined;
}

function stepOf({ status }: V1Pod): V1ContainerStateTerminated | undefined {
  return status?.containerStatuses?.find(({ name }) => name === STEP)?.state?.terminated;
}

function endOfStep(step: V1ContainerStateTerminated | undefined): ContainerEnd | undefined {
  if (step?.reason === 'OOMKilled')
    return {
      kind: 'failed',
      cause: 'memory',
      reason:
        'its container used more memory than its limit, and was killed (OOMKilled); raise `resources.memory`, or lower `pack`',
    };
  return step === undefined ? undefined : { kind: 'exited', code: step.exitCode };
}

function lastWords(message: string | undefined): string {
  return message === undefined || message.trim() === '' ? '' : `: ${message.trim().slice(-500)}`;
}

export interface Obstacle {
  /** For ever: waiting longer does not help. */
  readonly isFinal: boolean;
  readonly reason: string;
}

const NO_IMAGE = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
]);
const NO_CONTAINER = new Set(['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError']);

/** What keeps a pod from running; undefined where nothing is known to. */
export function obstacleOf({
  status,
}: V1Pod): (Obstacle & { readonly kind: 'unschedulable' | 'unstartable' }) | undefined {
  if (status?.phase !== undefined && status.phase !== 'Pending') return undefined;
  const unscheduled = status?.conditions?.find(
    ({ type, status: is, reason }) => type === 'PodScheduled' && is === 'False' && reason === 'Unschedulable',
  );
  if (unscheduled !== undefined)
    return {
      kind: 'unschedulable',
      isFinal: false,
      reason: `no node takes its pod: ${unscheduled.message ?? 'Unschedulable'}`,
    };
  for (const { image, state } of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const { reason = '', message } = state?.waiting ?? {};
    const told = `(${reason}${message === undefined ? '' : `: ${message}`})`;
    if (reason === 'InvalidImageName')
      return { kind: 'unstartable', isFinal: true, reason: `${image} is no image’s name ${told}` };
    if (NO_IMAGE.has(reason))
      return {
        kind: 'unstartable',
        isFinal: false,
        reason: `the image ${image} cannot be pulled ${told}; correct its name, or give the pods a pull secret`,
      };
    if (NO_CONTAINER.has(reason))
      return { kind: 'unstartable', isFinal: false, reason: `its container cannot be made ${told}` };
  }
  return undefined;
}
