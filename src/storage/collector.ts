// The port of housekeeping: each owner of state tells what of it may go, and takes it away. `headrace gc` drives them.

import type { Kysely } from 'kysely';
import type { Micros } from '../core/index.ts';

/** Something that may go. */
export interface Removable {
  /** Its name among those of its collector, the same each time. */
  readonly id: string;
  /** For people. */
  readonly what: string;
  /** A clause: why it may go. */
  readonly why: string;
  /** Null where it is not known. */
  readonly bytes: number | null;
  /** Since when it is as it is: what its age is told by. */
  readonly sinceMicros: Micros;
  /** What `erase` needs once the rows are gone; JSON. */
  readonly data?: Readonly<Record<string, string | number>>;
}

export interface CollectorPlan {
  readonly items: readonly Removable[];
  /** Sentences: what was left alone though it may look as if it could go. */
  readonly notes?: readonly string[];
}

/**
 * Removal has two steps, so that a process that is killed leaves nothing dangling: the rows go in one transaction with a note of
 * what is left to do, then the files and objects, which a later run goes on with where this one ended.
 */
export interface Collector {
  /** Of all collectors' names a different one: `training set`. */
  readonly name: string;
  /** Changes nothing. */
  plan(): Promise<CollectorPlan>;
  /** Those of them that may still go, where that can't be told inside a transaction; called just before it. */
  recheck?(items: readonly Removable[]): Promise<readonly Removable[]>;
  /** Looks again whether somebody needs them by now, and forgets the rows of those that nobody does; gives these. */
  forget(trx: Kysely<unknown>, items: readonly Removable[]): Promise<readonly Removable[]>;
  /** Takes files and objects away. A repeat does no harm; what has become another thing since stays. */
  erase(item: Removable): Promise<void>;
}
