// What the rows of a database need of the object store and of others' rows, told by the folder that owns them: a backup takes
// that along, and nothing of it may be cleared away.

import type { Kysely } from 'kysely';

export interface ObjectUse {
  readonly key: string;
  /** Who needs it, for people: `model eta, version 3`. */
  readonly what: string;
  /**
   * Without a `needed` one acknowledged data is gone; a `lost` one leaves a hole that is told; `unsaid` is one that may not
   * exist, as only something that looks like its name was found.
   */
  readonly ifGone: 'needed' | 'lost' | 'unsaid';
}

/** Rows of one owner that go by what others need of them. */
export type NeededKind = 'definitions' | 'training set' | 'run';

export interface Need {
  readonly kind: NeededKind;
  /** A manifest's hash, a training set's id, a run's. */
  readonly id: string;
}

/** Told by the folder that owns the rows. */
export interface RowsOwner {
  /** A table that has been there since its first migration: without it there are no rows. */
  readonly table: string;
  /** Of the state that `db` shows; an object may come several times. */
  objects?(db: Kysely<unknown>): AsyncIterable<ObjectUse>;
  /** What its rows need of others' rows. */
  needs?(db: Kysely<unknown>): AsyncIterable<Need>;
  /** What among keys that no row names tells that the store is another registry's too; undefined where nothing does. */
  foreign?(db: Kysely<unknown>, keys: readonly string[]): Promise<string | undefined>;
  /** Takes back what is not true any more once the rows are at another place, by whatever schema the table had first. */
  settle?(trx: Kysely<unknown>): Promise<void>;
}

/** What nobody may take away of a kind, by the owners' rows that `db` shows. */
export async function neededOf(
  owners: readonly RowsOwner[],
  db: Kysely<unknown>,
  kind: NeededKind,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const { needs } of owners) {
    for await (const need of needs?.(db) ?? []) if (need.kind === kind) found.add(need.id);
  }
  return found;
}
