// A server whose claims are held up on their way to the store, for as long as a test wants.

import type { OnlineStore } from '../../src/online/index.ts';
import { writersOf } from './ingestion-world.ts';

export function holdClaims() {
  let held = Promise.resolve();
  let letGo = (): void => {};
  let isLinked = (): void => {};
  const between = writersOf((writer) => ({
    async claim(...asked) {
      await held;
      return writer.claim(...asked);
    },
  }));
  return {
    /** What to put between the server and its store. */
    between: (store: OnlineStore): OnlineStore => ({
      ...between(store),
      // The marks of a node are read once the parts in memory are written to it again.
      marks(version) {
        isLinked();
        return store.marks(version);
      },
    }),
    /** From now on no claim gets through. */
    hold(): void {
      held = new Promise((resolve) => (letGo = resolve));
    },
    /** Lets them through. Resolves once a node that was linked anew has got what it may have lost. */
    letGo(): Promise<void> {
      const linked = new Promise<void>((resolve) => (isLinked = resolve));
      letGo();
      return linked;
    },
  };
}
