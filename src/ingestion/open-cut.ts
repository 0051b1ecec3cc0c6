// A cut that a writer has opened and not sealed: its parts, and the entries that are still being decided and folded.

import type { CutView } from '../events/index.ts';
import { createFeedSet, type FeedSet } from './feed-key.ts';
import { createPartTable, type PartTable } from './part-table.ts';
import type { SourcePlans } from './source-plan.ts';

export interface OpenCut {
  readonly cut: number;
  readonly view: CutView;
  /** The definitions that its entries are folded by. */
  readonly plans: SourcePlans;
  readonly table: PartTable;
  /** Offsets of entries that count nowhere. */
  readonly voids: number[];
  /** The claims that its entries hold, by id. */
  readonly claims: Map<string, HeldClaim>;
  /** Those that an entry is a batch of. */
  readonly feeds: FeedSet;
  /** An entry begins; call what it gives once the entry is decided, folded and answered. */
  enter(): () => void;
  /** Entries under way. */
  readonly pending: number;
  /** Resolves once no entry is under way. */
  idle(): Promise<void>;
}

export interface HeldClaim {
  readonly offset: number;
  /** Whether the store has the push's answer. */
  readonly isAnswered: boolean;
}

export function createOpenCut(writer: number, cut: number, view: CutView, plans: SourcePlans): OpenCut {
  let pending = 0;
  let waiting: (() => void)[] = [];
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
    voids: [],
    claims: new Map(),
    feeds: createFeedSet(),
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
