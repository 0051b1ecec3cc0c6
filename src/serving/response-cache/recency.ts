// Entries in the order in which they were asked for last, linked to each other: no move makes anything.

/** Of one list at the most. */
export interface Linked<E> {
  before: E | undefined;
  after: E | undefined;
}

export interface Recency<E> {
  /** The one that was not asked for longest. */
  readonly last: E | undefined;
  /** As the one that was asked for just now. */
  add(entry: E): void;
  remove(entry: E): void;
  touch(entry: E): void;
}

export function createRecency<E extends Linked<E>>(): Recency<E> {
  let first: E | undefined;
  let last: E | undefined;

  const add = (entry: E): void => {
    entry.before = undefined;
    entry.after = first;
    if (first === undefined) last = entry;
    else first.before = entry;
    first = entry;
  };
  const remove = (entry: E): void => {
    const { before, after } = entry;
    if (before === undefined) first = after;
    else before.after = after;
    if (after === undefined) last = before;
    else after.before = before;
    entry.before = entry.after = undefined;
  };
  return {
    get last() {
      return last;
    },
    add,
    remove,
    touch(entry) {
      if (entry === first) return;
      remove(entry);
      add(entry);
    },
  };
}
