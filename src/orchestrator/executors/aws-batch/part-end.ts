// How a job's container ended, by what Batch says of it: an exit code, and reasons in words that are its documented ones.

import type { ContainerSummary } from '@aws-sdk/client-batch';
import type { PartEnd } from '../cluster/cluster-jobs.ts';

/** Of a job, or of a child of an array, that has ended. */
export interface EndedJob {
  readonly status: 'SUCCEEDED' | 'FAILED';
  readonly statusReason?: string | undefined;
  readonly container?: ContainerSummary | undefined;
}

type End = PartEnd extends infer Each ? (Each extends PartEnd ? Omit<Each, 'job' | 'part'> : never) : never;

/** Of pulling an image or fetching secrets: what passes by itself, in the words of registries and of the network. */
const PASSES =
  /toomanyrequests|rate exceeded|throttl|timed? ?out|deadline exceeded|connection (reset|refused)|cancell?ed|temporar|TLS handshake|\bEOF\b|\b50[0234]\b|no space left/i;
const PULLED = /^(CannotPull|ResourceInitialization)\w*:/i;
/** Of starting what was pulled: what no second try mends. Docker's own troubles pass. */
const NEVER_STARTS = /^Cannot(Start|Create)Container\w*:.*(not found|no such file|permission denied|invalid)/is;

const EXITED = /^Essential container in task exited/i;

export function endOf({ status, statusReason = '', container = {} }: EndedJob): End {
  if (status === 'SUCCEEDED') return { kind: 'exited', code: 0 };
  const { exitCode, reason = '' } = container;
  if (/^OutOfMemory/i.test(reason)) return { kind: 'failed', cause: 'memory', reason };
  if (/attempt duration exceeded timeout/i.test(statusReason))
    return { kind: 'failed', cause: 'timeout', reason: statusReason };
  // Spot, of EC2 and of Fargate, takes its machines back with an exit code of the kill, or without one.
  if (/^Host EC2 .*terminated/i.test(statusReason) || /Spot Task was interrupted/i.test(`${statusReason} ${reason}`))
    return { kind: 'lost', reason: statusReason || reason };
  const said = [statusReason, reason].filter((text) => text !== '').join(': ') || 'AWS Batch gives no reason';
  for (const text of [reason, statusReason]) {
    if (NEVER_STARTS.test(text) || (PULLED.test(text) && !PASSES.test(text))) return { kind: 'refused', reason: said };
  }
  // Of the queue's own limit for jobs that nothing can run.
  if (/MISCONFIGURATION:/.test(statusReason)) return { kind: 'refused', reason: said };
  if (exitCode !== undefined && (statusReason === '' || EXITED.test(statusReason)))
    return { kind: 'exited', code: exitCode };
  return { kind: 'lost', reason: said };
}
