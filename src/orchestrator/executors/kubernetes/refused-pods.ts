// Pods that a job is to have and the API server does not take: a quota is full, a policy forbids them. The job itself says nothing of
// it; events do.

import { ApiRefusal } from './api.ts';

export interface PodRefusal {
  /** Others hold what it wants, and will let it go. */
  readonly mayPass: boolean;
  readonly reason: string;
}

interface JobEvent {
  readonly message?: string;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
  readonly metadata?: { readonly creationTimestamp?: string };
}

/** The newest; undefined where there is none. */
export async function podRefusal(
  ask: (method: 'GET', path: string) => Promise<unknown>,
  namespace: string,
  job: string,
): Promise<PodRefusal | undefined> {
  const selector = encodeURIComponent(`involvedObject.kind=Job,involvedObject.name=${job},reason=FailedCreate`);
  try {
    const path = `/api/v1/namespaces/${namespace}/events?fieldSelector=${selector}&limit=100`;
    const { items } = (await ask('GET', path)) as { readonly items: readonly JobEvent[] }; // as the API answers a list
    const [newest] = items.toSorted((one, other) => timeOf(other).localeCompare(timeOf(one)));
    return newest?.message === undefined ? undefined : readRefusal(newest.message);
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error;
    const reason = `its job makes no pod of it, and events, which say why, may not be listed (${error.message}); see \`kubectl -n ${namespace} describe job ${job}\``;
    return { mayPass: true, reason };
  }
}

function timeOf({ lastTimestamp, eventTime, metadata }: JobEvent): string {
  return lastTimestamp ?? eventTime ?? metadata?.creationTimestamp ?? '';
}

/** Of `Error creating: pods "…" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2`. */
export function readRefusal(message: string): PodRefusal {
  const told = message.replace(/^(\(combined from similar events\): )?(Error creating: )?/, '');
  const used = /exceeded quota: .*, used: (.*), limited: /.exec(told)?.[1]?.split(',') ?? [];
  // With nothing in use it is too large by itself.
  return { mayPass: used.some((one) => !one.endsWith('=0')), reason: `Kubernetes does not take its pod: ${told}` };
}
