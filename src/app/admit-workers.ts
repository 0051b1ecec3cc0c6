// When a worker that is up may listen. At the first start at once: its readiness tells the truth. One in place of another takes no
// connections while it could only refuse them (its models still load, or can't be) and another worker answers: it waits until it
// is ready, until no other is, or until it has waited long enough.

import type { Logger } from '../core/index.ts';

export interface Admitted {
  readonly pid: number | undefined;
  /** Tells it to listen. */
  listen(): void;
}

export interface Admission {
  /** It waits to be told. */
  up(worker: Admitted, how: { readonly isReady: boolean; readonly isReplacement: boolean }): void;
  /** What it tells of itself, listening or not. */
  reported(worker: Admitted, isReady: boolean): void;
  left(worker: Admitted): void;
}

interface Known {
  isReady: boolean;
  /** Undefined: it was told to listen. */
  patience: NodeJS.Timeout | undefined;
}

export function admitWorkers({ limitMs, logger }: { readonly limitMs: number; readonly logger: Logger }): Admission {
  const known = new Map<Admitted, Known>();

  const admit = (worker: Admitted, state: Known): void => {
    clearTimeout(state.patience);
    state.patience = undefined;
    worker.listen();
  };
  const admitWhoMay = (): void => {
    for (const [worker, state] of known) {
      const isNeeded = ![...known.values()].some((one) => one.patience === undefined && one.isReady);
      if (state.patience !== undefined && (state.isReady || isNeeded)) admit(worker, state);
    }
  };
  return {
    up(worker, { isReady, isReplacement }) {
      const state: Known = { isReady, patience: undefined };
      known.set(worker, state);
      if (!isReplacement) return worker.listen();
      state.patience = setTimeout(() => {
        logger.warn(
          { pid: worker.pid, limitMs },
          'a worker that was started again is not ready in time; it takes connections all the same',
        );
        admit(worker, state);
      }, limitMs);
      state.patience.unref();
      admitWhoMay();
    },
    reported(worker, isReady) {
      const state = known.get(worker);
      if (state === undefined) return;
      state.isReady = isReady;
      admitWhoMay();
    },
    left(worker) {
      clearTimeout(known.get(worker)?.patience);
      known.delete(worker);
      admitWhoMay();
    },
  };
}
