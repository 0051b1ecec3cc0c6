// Jobs of a cluster as tests make them: a shell's script each, waited for until every part has been told.

import type { ClusterJob, ClusterJobs, PartEnd } from '../../src/orchestrator/executors/cluster/cluster-jobs.ts';

let made = 0;

/** Of a name of its own. */
export function jobOf(script: string, options: Partial<ClusterJob> = {}): ClusterJob {
  return {
    name: `headrace-${++made}`,
    parts: 1,
    command: ['sh', '-c', script],
    env: {},
    secrets: {},
    cpu: 0.1,
    timeoutMs: null,
    ...options,
  };
}

/** All that was told once every part has been, by part. */
export async function partEnds(
  jobs: ClusterJobs,
  { name, parts }: ClusterJob,
  id: string,
  waitMs: number,
): Promise<readonly PartEnd[]> {
  const found: PartEnd[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => reject(new Error(`told only ${found.length}: ${JSON.stringify(found.slice(0, 9))}`)),
    waitMs,
  );
  const unwatch = jobs.watch([{ name, id, parts }], (told) => {
    found.push(...told);
    if (new Set(found.map(({ part }) => part)).size === parts) resolve();
  });
  await promise.finally(() => clearTimeout(timer));
  unwatch();
  return found.sort((a, b) => a.part - b.part);
}
