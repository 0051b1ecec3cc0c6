// Pods by the part of a job that they are of: jobs have thousands.

import type { V1Pod } from '@kubernetes/client-node';
import { partOfPod } from './pod-end.ts';

export interface PodsByPart {
  set(name: string, pod: V1Pod): void;
  remove(name: string, pod: V1Pod): void;
  has(job: string, part: number): boolean;
}

export function createPodsByPart(): PodsByPart {
  const names = new Map<string, Map<number, Set<string>>>();
  return {
    set(name, pod) {
      const at = partOfPod(pod);
      if (at === undefined) return;
      const parts = names.get(at.job) ?? new Map<number, Set<string>>();
      names.set(at.job, parts);
      parts.set(at.part, (parts.get(at.part) ?? new Set()).add(name));
    },
    remove(name, pod) {
      const at = partOfPod(pod);
      const parts = at === undefined ? undefined : names.get(at.job);
      if (at === undefined || parts === undefined) return;
      const pods = parts.get(at.part);
      pods?.delete(name);
      if (pods?.size === 0) parts.delete(at.part);
      if (parts.size === 0) names.delete(at.job);
    },
    has: (job, part) => names.get(job)?.has(part) === true,
  };
}
