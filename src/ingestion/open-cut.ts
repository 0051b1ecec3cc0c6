// A cut that a writer has opened and not sealed: its parts, and the entries that are still being decided and folded.

import type { CutView, LogEntry } from '../events/index.ts';
import { createFeedSet, type FeedSet } from './feed-key.ts';
import { createPartTable, type PartTable } from './part-table.ts';
import type { SourcePlans } from './source-plan.ts';

export interface OpenCut {
  readonly cut: number;
  readonly view: CutView;
  /** The definitions that its entries are folded by. */
  readonly plans: SourcePlans;
  readonly table: PartTable;
  /** Offsets of entries that count nowhere; `makeVoid` adds one. */
  readonly voids: readonly number[];
  /** The claims that its entries hold, by id. */
  readonly claims: Map<string, HeldClaim>;
  /** Those that an entry is a batch of. */
  readonly feeds: FeedSet;
  /** An entry is in the log, and will be folded or become void. */
  appended(offset: number): void;
  /** Until the cut is sealed. What the parts have of it is for `refold` to take out. */
  makeVoid(offset: number): void;
  /**
   * Folds an entry; waits while others are folded anew. Whether `work` throws or not, the entry counts as folded then:
   * what becomes void is not given.
   */
  fold<T>(offset: number, work: () => T | Promise<T>): Promise<T>;
  /** Runs `work` while nothing is folded; `isFolded` says of an entry of the log whether the parts have it. */
  refold<T>(work: (isFolded: (offset: number) => boolean) => Promise<T>): Promise<T>;
  /** An entry begins; call what it gives once the entry is decided, folded and answered. */
  enter(): () => void;
  /** Entries under way. */
  readonly pending: number;
  /** Resolves once no entry is under way. */
  idle(): Promise<void>;
}

export interface HeldClaim {
  /** Of the entry. */
  readonly source: string;
  readonly offset: number;
  readonly rows: number;
  /** Whether the store has the push's answer. */
  readonly isAnswered: boolean;
}

export function heldBy({ source, offset, count }: LogEntry, isAnswered: boolean): HeldClaim {
  return { source, offset, rows: count, isAnswered };
}

export function createOpenCut(writer: number, cut: number, view: CutView, plans: SourcePlans): OpenCut {
  let pending = 0;
  let waiting: (() => void)[] = [];
  /** Offsets of entries that are in the log and not in the parts, and of the last one that was appended. */
  const unfolded = new Set<number>();
  let last = -1;
  /** Entries that are being folded; `onStill` is called once none is. */
  let folding = 0;
  let onStill: (() => void) | undefined;
  let refolding: Promise<unknown> | undefined;
  const voids: number[] = [];
  const leave = (): void => {
    pending--;
    if (pending > 0) return;
    for (const done of waiting) done();
    waiting = [];
  };
  return {
    cut,
    view,
    plans,
    table: createPartTable(writer, cut),
    voids,
    claims: new Map(),
    feeds: createFeedSet(),
    appended(offset) {
      unfolded.add(offset);
      last = Math.max(last, offset);
    },
    makeVoid(offset) {
      voids.push(offset);
      unfolded.delete(offset);
    },
    async fold(offset, work) {
      while (refolding !== undefined) await refolding;
      folding++;
      try {
        return await work();
      } finally {
        unfolded.delete(offset);
        if (--folding === 0) onStill?.();
      }
    },
    async refold(work) {
      while (refolding !== undefined) await refolding;
      const still = folding === 0 ? Promise.resolve() : new Promise<void>((resolve) => (onStill = resolve));
      const done = still.then(() => work((offset) => offset <= last && !unfolded.has(offset)));
      refolding = done.then(
        () => (refolding = undefined),
        () => (refolding = undefined),
      );
      return done;
    },
    enter() {
      pending++;
      let isIn = true;
      return () => {
        if (isIn) leave();
        isIn = false;
      };
    },
    get pending() {
      return pending;
    },
    idle: () => (pending === 0 ? Promise.resolve() : new Promise((done) => waiting.push(done))),
  };
}
