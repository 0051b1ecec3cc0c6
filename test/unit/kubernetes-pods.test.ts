// What pods, jobs and their events say, read: how a part ended, and what keeps one from beginning.

import type { V1Pod, V1PodStatus } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { jobSpec } from '../../src/orchestrator/executors/kubernetes/job-spec.ts';
import { endOfPod, obstacleOf, outlivesStep } from '../../src/orchestrator/executors/kubernetes/pod-end.ts';
import { readRefusal } from '../../src/orchestrator/executors/kubernetes/refused-pods.ts';

const ended = (name: string, exitCode: number, reason = 'Error') => ({
  name,
  image: 'i',
  imageID: '',
  ready: false,
  restartCount: 0,
  state: { terminated: { exitCode, reason } },
});
const pod = (status: V1PodStatus, containers: readonly string[] = ['step']): V1Pod => ({
  metadata: { name: 'p' },
  spec: { containers: containers.map((name) => ({ name })) },
  status,
});

describe('a pod', () => {
  const of = (step: ReturnType<typeof ended>, more: Partial<V1PodStatus> = {}): V1PodStatus => ({
    phase: 'Failed',
    containerStatuses: [step],
    ...more,
  });
  const evicted = { reason: 'Evicted', message: 'low on memory' };
  const lost = { kind: 'lost', reason: 'its pod was ended by its node (Evicted): low on memory' };
  const init: V1PodStatus = { phase: 'Failed', initContainerStatuses: [ended('bring-headrace', 127)] };
  const refused = { kind: 'refused', reason: 'the container bring-headrace of its pod ended with exit code 127' };
  const code3 = { kind: 'exited', code: 3 };
  it.each<[what: string, V1PodStatus, end: object]>([
    ['exit code', of(ended('step', 3)), code3],
    ['exit code, not a sidecar’s', of(ended('step', 3), { initContainerStatuses: [ended('proxy', 137)] }), code3],
    ['lack of memory', of(ended('step', 137, 'OOMKilled')), { kind: 'failed', cause: 'memory' }],
    ['eviction, whatever its code', of(ended('step', 137), evicted), lost],
    ['init container', init, refused],
  ])('ends by its %s', (_, status, end) => {
    expect(endOfPod(pod(status))).toMatchObject(end);
  });

  it('ends with its step, though other containers of it run on', () => {
    const status: V1PodStatus = { phase: 'Running', containerStatuses: [ended('step', 4)] };
    expect(endOfPod(pod(status, ['step', 'agent']))).toEqual({ kind: 'exited', code: 4 });
    expect(outlivesStep(pod(status, ['step', 'agent']))).toBe(true);
    // The kubelet says the rest in a moment.
    expect(endOfPod(pod(status))).toBeUndefined();
  });

  it('that no node takes waits for one', () => {
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' }];
    expect(obstacleOf(pod({ phase: 'Pending', conditions }))).toEqual({
      kind: 'unschedulable',
      isFinal: false,
      reason: 'no node takes its pod: 0/3 nodes',
    });
  });
});

describe('a pod that is not admitted', () => {
  const quota = (used: string) =>
    readRefusal(
      `(combined from similar events): Error creating: pods "j-0-x" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=2, used: ${used}, limited: pods=2,requests.cpu=1`,
    );

  it('may be later, where others use what it wants', () => {
    expect(quota('pods=2,requests.cpu=0')).toMatchObject({ mayPass: true });
    expect(quota('pods=2,requests.cpu=0').reason).toMatch(
      /^Kubernetes does not take its pod: pods "j-0-x" is forbidden: exceeded quota: q/,
    );
  });

  it('never is, where nobody does, or a policy forbids it', () => {
    expect(quota('pods=0,requests.cpu=0')).toMatchObject({ mayPass: false });
    expect(readRefusal('Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest"')).toEqual({
      mayPass: false,
      reason: 'Kubernetes does not take its pod: pods "x" is forbidden: violates PodSecurity "restricted:latest"',
    });
  });
});

it('a deadline is one that Kubernetes takes, however long a step may run', () => {
  const job = { name: 'n', parts: 1, command: ['x'], env: {}, secrets: {}, cpu: 1, timeoutMs: 1e15 };
  const { spec } = jobSpec(job, { namespace: 'ns', image: 'i', run: 'r' });
  expect(spec?.template.spec?.activeDeadlineSeconds).toBe(2 ** 31 - 1);
});
