// What processes that die within a test's own process had open at a store: it would have ended with them.

import type { OnlineStore } from '../../src/online/index.ts';

export interface KeptLinks {
  /** The store; what is opened by it is closed by `close`, too. */
  keeping(store: OnlineStore): OnlineStore;
  close(): Promise<void>;
}

export function keepLinks(): KeptLinks {
  const left: { close(): Promise<void> }[] = [];
  const kept = <T extends { close(): Promise<void> }>(one: T): T => {
    left.push(one);
    return one;
  };
  return {
    keeping: (store) => ({
      ...store,
      writer: async (link) => kept(await store.writer(link)),
      run: async (...given) => kept(await store.run(...given)),
    }),
    async close() {
      for (const one of left.splice(0)) await one.close();
    },
  };
}
