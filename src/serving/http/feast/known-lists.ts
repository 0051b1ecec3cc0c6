// Lists that requests send again and again: one that came lately is found by comparing, and what was made of it is given.

/** Clients ask for few lists of features. */
const MOST_KNOWN = 8;
/** A longer list is made anew each time: what is kept is a client's to choose. */
const MOST_ITEMS = 1000;

interface Known<T> {
  readonly list: readonly unknown[];
  readonly made: T;
}

/** What `make` makes of a list, the same for equal lists that came lately. What it throws is thrown, and not kept. */
export function createKnownLists<T>(make: (list: readonly unknown[]) => T): (list: readonly unknown[]) => T {
  const known: Known<T>[] = [];
  let next = 0;
  return (list) => {
    for (let at = 0; at < known.length; at++) {
      const one = known[at] as Known<T>;
      if (areSame(one.list, list)) return one.made;
    }
    const made = make(list);
    if (list.length > MOST_ITEMS) return made;
    known[next] = { list, made };
    next = (next + 1) % MOST_KNOWN;
    return made;
  };
}

function areSame(one: readonly unknown[], other: readonly unknown[]): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
