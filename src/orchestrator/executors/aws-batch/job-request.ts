// A job as SubmitJob takes it: an array of its parts, or a plain job where it has one, since an array has two or more.

import type { ResourceRequirement, SubmitJobCommandInput } from '@aws-sdk/client-batch';
import type { ClusterJob } from '../cluster/cluster-jobs.ts';
import type { ChosenDefinition } from './job-definitions.ts';

const MIB = 1024 ** 2;
/** Batch's least. */
const LEAST_TIMEOUT_SECONDS = 60;

export function jobRequest(
  queue: string,
  { arn, isFargate, memory }: ChosenDefinition,
  { name, parts, command, env, cpu, memoryBytes, timeoutMs }: ClusterJob,
): SubmitJobCommandInput {
  const asked = memoryBytes === undefined ? undefined : Math.ceil(memoryBytes / MIB);
  const size = isFargate ? fargateSize(cpu, asked ?? memory) : { cpu: Math.max(1, Math.ceil(cpu)), memory: asked };
  const resources: ResourceRequirement[] = [{ type: 'VCPU', value: String(size.cpu) }];
  if (size.memory !== undefined) resources.push({ type: 'MEMORY', value: String(size.memory) });
  return {
    jobName: name,
    jobQueue: queue,
    jobDefinition: arn,
    ...(parts === 1 ? {} : { arrayProperties: { size: parts } }),
    containerOverrides: {
      command: [...command],
      environment: Object.entries(env).map(([variable, value]) => ({ name: variable, value })),
      // GPUs and whatever else the definition asks for stay: an override is of its own type alone.
      resourceRequirements: resources,
    },
    // Headrace tries again itself, and counts.
    retryStrategy: { attempts: 1 },
    ...(timeoutMs === null
      ? {}
      : { timeout: { attemptDurationSeconds: Math.max(LEAST_TIMEOUT_SECONDS, Math.ceil(timeoutMs / 1000)) } }),
  };
}

/** What Fargate has: CPUs, and the least, the most and the steps of memory with each, in MiB. */
const FARGATE: readonly {
  readonly cpu: number;
  readonly least: number;
  readonly most: number;
  readonly step: number;
}[] = [
  { cpu: 0.25, least: 512, most: 2048, step: 512 },
  { cpu: 0.5, least: 1024, most: 4096, step: 1024 },
  { cpu: 1, least: 2048, most: 8192, step: 1024 },
  { cpu: 2, least: 4096, most: 16_384, step: 1024 },
  { cpu: 4, least: 8192, most: 30_720, step: 1024 },
  { cpu: 8, least: 16_384, most: 61_440, step: 4096 },
  { cpu: 16, least: 32_768, most: 122_880, step: 8192 },
];

/** The smallest that holds both. What none holds is left as it is, for Batch to refuse in its own words. */
function fargateSize(cpu: number, memory = 0): { readonly cpu: number; readonly memory: number | undefined } {
  const size = FARGATE.find((one) => one.cpu >= cpu && one.most >= memory);
  if (size === undefined) return { cpu, memory };
  return { cpu: size.cpu, memory: Math.max(size.least, Math.ceil(memory / size.step) * size.step) };
}
