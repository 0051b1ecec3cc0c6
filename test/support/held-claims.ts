// A server whose claims are held up on their way to the store, for as long as a test wants.

import type { OnlineStore } from '../../src/online/index.ts';

export interface HeldClaims {
  /** What to put between the server and its store. */
  between(store: OnlineStore): OnlineStore;
  /** From now on no claim gets through. */
  hold(): void;
  /** Lets them through. Resolves once a node that was linked anew has got what it may have lost. */
  letGo(): Promise<void>;
}

export function holdClaims(): HeldClaims {
  let held = Promise.resolve();
  let letGo = (): void => {};
  let isLinked = (): void => {};
  return {
    between: (store) => ({
      ...store,
      // The marks of a node are read once the parts in memory are written to it again.
      marks(version) {
        isLinked();
        return store.marks(version);
      },
      async writer(link) {
        const writer = await store.writer(link);
        return {
          ...writer,
          async claim(claims) {
            await held;
            return writer.claim(claims);
          },
        };
      },
    }),
    hold() {
      held = new Promise((resolve) => (letGo = resolve));
    },
    letGo() {
      const linked = new Promise<void>((resolve) => (isLinked = resolve));
      letGo();
      return linked;
    },
  };
}
