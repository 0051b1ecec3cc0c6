// A slice as a job for a cluster: what its containers are called, run, see and may take.

import { partsOf, type SliceDocument } from '../../committed/slice-document.ts';
import { memoryBytes } from '../../resources.ts';
import type { StepOrder } from '../../step/order.ts';
import { CLUSTER_VARIABLE, type ClusterKind, secretVariable, type SecretRef } from '../../step/secrets.ts';
import type { ClusterJob } from './cluster-jobs.ts';

export interface JobSettings {
  readonly kind: ClusterKind;
  /** Where the artifact store lies, and what it takes to reach it that is no secret. */
  readonly env: Readonly<Record<string, string>>;
  /** What `headrace step` is called in the image. */
  readonly command?: readonly string[];
}

/** What Node, the launcher and warm processes take beside the tasks. */
const OWN_BYTES = 512 * 2 ** 20;
/** Code, inputs and a Python environment are fetched or built before the first task. */
const START_MS = 30 * 60_000;
/** Between a task's SIGTERM and SIGKILL, and to store what it left. */
const END_MS = 60_000;

export function jobName(slice: string): string {
  return `headrace-${slice}`;
}

export function jobOf(
  { kind, env, command = ['headrace'] }: JobSettings,
  slice: string,
  key: string,
  order: StepOrder,
  document: SliceDocument,
): ClusterJob {
  const { resources, timeoutMs, secrets } = order;
  const most = Math.min(document.pack, document.tasks.length);
  return {
    name: jobName(slice),
    parts: partsOf(document),
    command: [...command, 'step', '--slice', key],
    env: { ...env, [CLUSTER_VARIABLE]: kind },
    secrets: Object.fromEntries(
      Object.entries(secrets).flatMap(([name, ref]) => (isReadBy(kind, ref) ? [[secretVariable(name), ref]] : [])),
    ),
    cpu: resources.cpu ?? 1,
    ...(resources.memory === undefined ? {} : { memoryBytes: memoryBytes(resources.memory) + OWN_BYTES }),
    timeoutMs: timeoutMs === null ? null : START_MS + most * (timeoutMs + END_MS),
    ...(order.action.kind === 'container' ? { image: order.action.image } : {}),
  };
}

function isReadBy(kind: ClusterKind, ref: SecretRef): boolean {
  return kind === 'kubernetes' ? 'secretKeyRef' in ref : 'arn' in ref;
}
