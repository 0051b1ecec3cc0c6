// The size past which a store refuses to grow. Past it a transaction may still use pages that are free within the file,
// and whatever makes the records smaller always goes through, or a full store could not even be emptied.

import { type LmdbStats, statsOf } from './checkpoints.ts';
import type { Db } from './open-lmdb.ts';

export type Verdict = 'fits' | 'full' | 'after-flush';

export interface SizeLimit {
  /**
   * Does `work` in the open transaction and says whether it may be committed. `after-flush`: there are enough free pages,
   * but a checkpoint must release them first; then ask again with `isFlushed`.
   */
  measure(work: () => void, isFlushed: boolean): Verdict;
}

/** Far from the limit not each transaction asks LMDB, which takes as long as half a small write. */
const BYTES_PER_UNCHECKED = 256 * 1024 ** 2;
const MOST_UNCHECKED = 256;
/** Pages that a transaction may copy without adding one: the path down to a leaf, and the free list's own. */
const COPIED_PAGES = 16;
/** How long other processes' readers may keep free pages from being used, in milliseconds. */
const STUCK_MS = 1000;

export function createSizeLimit(db: Db, limitBytes: number, steadyMs = () => performance.now()): SizeLimit {
  let unchecked = 0;
  let stuckUntil = Number.NEGATIVE_INFINITY;
  let grewFrom: number | undefined;

  return {
    measure(work, isFlushed) {
      if (unchecked > 0) {
        unchecked--;
        work();
        return 'fits';
      }
      const before = statsOf(db);
      const file = filePages(before);
      const room = limitBytes - file * before.pageSize;
      if (room > 0) {
        unchecked = Math.min(MOST_UNCHECKED, Math.floor(room / BYTES_PER_UNCHECKED));
        work();
        return 'fits';
      }
      // The last one that was let through for the free pages' sake could not use them: readers still held them.
      if (grewFrom !== undefined && file > grewFrom) stuckUntil = steadyMs() + STUCK_MS;
      grewFrom = undefined;
      work();
      const added = treePages(statsOf(db)) - treePages(before);
      if (added <= 0) return 'fits';
      const free = file - 2 - treePages(before) - treePages(before.free);
      if (added + COPIED_PAGES > free || steadyMs() < stuckUntil) return 'full';
      if (!isFlushed) return 'after-flush';
      grewFrom = file;
      return 'fits';
    },
  };
}

function filePages(stats: LmdbStats): number {
  return stats.lastPageNumber + 1;
}

function treePages(tree: LmdbStats['free']): number {
  return tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
}
