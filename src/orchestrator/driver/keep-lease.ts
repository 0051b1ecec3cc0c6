// A run's lease, renewed beside its driver's loop: what the loop waits for may last longer than a lease does.

import { toHeadraceError } from '../../core/index.ts';
import type { Hold, RunStore } from '../rows/run-store.ts';
import { lostRun } from './lost-run.ts';

export interface KeptLease {
  /** A batch was written, which renews it too. */
  renewed(): void;
  close(): void;
}

/** It is renewed at every second look, a third of a lease after the last time: two may fail. */
const LOOK_MS = 2500;

/** `onLost` hears HR_CONFLICT once another has the run, and what the database throws for good. */
export function keepLease(
  store: Pick<RunStore, 'renew'>,
  { id, epoch }: { readonly id: string; readonly epoch: Hold['epoch'] },
  { onLost, onCancelled }: { readonly onLost: (error: unknown) => void; readonly onCancelled: () => void },
): KeptLease {
  /** Renewed since the last look, or about to be. */
  let isFresh = true;
  let isClosed = false;
  const renew = async (): Promise<void> => {
    const held = await store.renew(id, epoch);
    if (isClosed) return;
    if (held === 'lost') throw lostRun(id);
    if (held === 'cancelled') onCancelled();
  };
  const timer = setInterval(() => {
    const isToRenew = !isFresh;
    isFresh = isToRenew;
    if (!isToRenew) return;
    renew().catch((error: unknown) => {
      // While the database is away nobody else can take the run either.
      if (!isClosed && toHeadraceError(error).code !== 'HR_STORAGE_UNAVAILABLE') onLost(error);
    });
  }, LOOK_MS);
  return {
    renewed: () => void (isFresh = true),
    close() {
      isClosed = true;
      clearInterval(timer);
    },
  };
}
