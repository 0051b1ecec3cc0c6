// What lies in the artifact store under a run, and is not what its results should be: told, each by its key, and left as it is.

export interface SyncProblem {
  readonly key: string;
  /** A sentence. */
  readonly reason: string;
}

export interface Problems {
  add(problem: SyncProblem): void;
  /** The first of them, by key. */
  list(): readonly SyncProblem[];
  readonly count: number;
}

const MOST_TOLD = 100;

/** A key is told once. */
export function collectProblems(): Problems {
  const told = new Map<string, SyncProblem>();
  let untold = 0;
  return {
    add(problem) {
      if (told.has(problem.key)) return;
      if (told.size < MOST_TOLD) told.set(problem.key, problem);
      else untold += 1;
    },
    list: () => [...told.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
    get count() {
      return told.size + untold;
    },
  };
}
