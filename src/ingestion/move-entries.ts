// A writer whose number another writer has: what it took of unsealed cuts goes into the log of the writer that this process
// has registered since, under that one's number. The entries go there without their keys: the claim that an entry holds stays
// where it is, with the former place, and is answered once the entry counts here.

import { HeadraceError } from '../core/index.ts';
import type { LogEntry, LogWriter } from '../events/index.ts';
import type { Claim, StoreWriter } from '../online/index.ts';
import { claimOf, finishAgain } from './claim-desk.ts';
import { feedOf, partOfStep } from './feed-key.ts';
import { foldEntry } from './fold-entry.ts';
import type { OpenCut } from './open-cut.ts';
import type { PartWriter } from './part-writer.ts';
import { loggedRows, resultOf } from './refold.ts';
import type { SourcePlans } from './source-plan.ts';

export interface FormerWriter {
  readonly log: LogWriter;
  readonly store: Pick<StoreWriter, 'withdraw'>;
  /** Its unsealed cuts. Nothing of them is under way any more. */
  readonly cuts: readonly OpenCut[];
}

export interface Receiver {
  readonly log: LogWriter;
  readonly store: Pick<StoreWriter, 'finish' | 'expire'>;
  readonly parts: PartWriter;
  readonly plans: SourcePlans;
  /** The cut that an entry which is appended now is in, entered: call `leave` once the entry is folded and written. */
  enter(): { readonly cut: OpenCut; readonly leave: () => void };
  readonly nowMicros: () => number;
  readonly claimRetentionMs: number;
}

/** Where it throws, it may be called again: entries that were moved are not moved twice. */
export function createMove({ log, store, cuts }: FormerWriter): (to: Receiver) => Promise<void> {
  const moved = new Set<number>();
  let isWithdrawn = false;

  const withdraw = async (): Promise<void> => {
    const parts = cuts.flatMap(({ table }) => [...table.all()].filter(({ n }) => n > 0));
    // Only parts that were folded are written.
    await store.withdraw(parts.map((part) => ({ ...part, fold: part.fold as Uint8Array, holder: log.holder })));
    isWithdrawn = true;
  };

  /** Nothing of the former log counts any more, should anyone settle it. One that is not the writer's any more nobody will. */
  const voidAll = async (): Promise<void> => {
    try {
      for (const { cut } of cuts) {
        const offsets: number[] = [];
        for await (const { offset } of log.entries(cut, cut)) offsets.push(offset);
        await log.seal(cut, offsets);
      }
    } catch (error) {
      if (!(error instanceof HeadraceError) || error.code !== 'HR_CONFLICT') throw error;
    }
  };

  const moveOne = async (entry: LogEntry, to: Receiver): Promise<Claim | undefined> => {
    const plan = to.plans.of(entry.source);
    // Nothing is left that reads the source.
    if (plan === undefined) return undefined;
    const { cut, leave } = to.enter();
    try {
      const added = await to.log.append({ source: plan.logged, rows: entry.rows(plan.logged) });
      moved.add(entry.offset);
      const context = { view: cut.view, table: cut.table, nowMicros: to.nowMicros };
      const folded = await foldEntry(plan, added, (lens) => loggedRows(lens, added), context);
      const feed = feedOf(entry);
      if (feed !== undefined && entry.key !== undefined) cut.feeds.add(feed, partOfStep(entry.key));
      await to.parts.write(folded.parts);
      const claim = claimOf(entry);
      return claim && { ...claim, result: resultOf(entry, folded.views) };
    } finally {
      leave();
    }
  };

  return async (to) => {
    if (!isWithdrawn) await withdraw();
    const claims: Claim[] = [];
    for (const { cut, voids, claims: held } of cuts) {
      for await (const entry of log.entries(cut, cut)) {
        const id = claimOf(entry)?.id;
        const counts = id === undefined || held.get(id)?.offset === entry.offset;
        if (!counts || voids.includes(entry.offset) || moved.has(entry.offset)) continue;
        const claim = await moveOne(entry, to);
        if (claim !== undefined) claims.push(claim);
      }
    }
    await finishAgain(to.store, claims);
    await to.store.expire(claims, to.claimRetentionMs);
    await voidAll();
  };
}
