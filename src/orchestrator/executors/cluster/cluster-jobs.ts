// What a cluster's own scheduler does for Headrace: jobs of numbered parts, each part a `headrace step` in a container.

import type { SecretRef } from '../../step/secrets.ts';

/** A slice as a cluster runs it. */
export interface ClusterJob {
  /** Made of the slice's id, and good on every cluster: submitting twice is once. */
  readonly name: string;
  /** How many containers it takes, each with some of the slice's tasks; 1 to `mostParts`. */
  readonly parts: number;
  /** Of `headrace step`; the part's number is added by way of the cluster's own variable. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Those that the cluster itself reads (`secretKeyRef`, `arn`), by the variable that the container finds the value in. */
  readonly secrets: Readonly<Record<string, SecretRef>>;
  readonly cpu: number;
  /** Left out: the cluster's default. */
  readonly memoryBytes?: number;
  /** Of a step that brings an image of its own, which has no Headrace. */
  readonly image?: string;
  /** Of a part: after it the cluster ends what `headrace step` did not. Null: none. */
  readonly timeoutMs: number | null;
}

/** How the container of one part ended; what became of its tasks is in the artifact store. */
export type PartEnd = { readonly job: string; readonly part: number } & (
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'failed'; readonly cause: 'memory' | 'timeout'; readonly reason: string }
  /** Evicted, its node gone, or never started for a reason that may pass. */
  | { readonly kind: 'lost'; readonly reason: string }
  /** It can never start: no such image, a spec that is refused. */
  | { readonly kind: 'refused'; readonly reason: string }
);

/** A cluster's jobs, by name. Every method retries what the cluster's API throttles or drops, and throws once it has given up. */
export interface ClusterJobs {
  readonly mostParts: number;
  /** The variable that tells a container which part it is. */
  readonly partVariable: string;
  /** Makes jobs; one whose name is there already is left as it is. Gives each job's own id on the cluster, in order. */
  submit(jobs: readonly ClusterJob[]): Promise<readonly string[]>;
  /** Of each name: its id, or undefined where the cluster has no such job (any more). */
  find(names: readonly string[]): Promise<readonly (string | undefined)[]>;
  /** Tells how parts of these jobs end, each at least once, those that ended before too. A job that vanishes: its parts are lost. */
  watch(
    jobs: readonly { readonly name: string; readonly id: string; readonly parts: number }[],
    listen: (ends: readonly PartEnd[]) => void,
  ): () => void;
  /** Of jobs that are watched: what they wait for, in a sentence, by name. Left out where the cluster does not say. */
  waits?(): ReadonlyMap<string, string>;
  /** Ends jobs; resolves once none of their containers runs. */
  cancel(jobs: readonly { readonly name: string; readonly id: string }[]): Promise<void>;
  /** Stops watching; jobs run on. */
  close(): Promise<void>;
}
