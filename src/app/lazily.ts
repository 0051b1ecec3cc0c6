// Opens a thing once, when first asked for, and closes what was opened, the last opened first.

export interface Closers {
  /** Wraps an opener: the first call opens, later calls get the same; a failed open is tried again next time. */
  lazily<T>(open: () => Promise<T> | T, close?: (opened: T) => Promise<unknown> | unknown): () => Promise<T>;
  closeAll(): Promise<void>;
}

export function createClosers(): Closers {
  const closers: (() => Promise<unknown> | unknown)[] = [];
  return {
    lazily(open, close) {
      let opening: Promise<Awaited<ReturnType<typeof open>>> | undefined;
      return () => {
        opening ??= (async () => {
          const opened = await open();
          if (close !== undefined) closers.push(() => close(opened));
          return opened;
        })().catch((thrown: unknown) => {
          opening = undefined;
          throw thrown;
        });
        return opening;
      };
    },
    async closeAll() {
      const failures: unknown[] = [];
      for (let close = closers.pop(); close !== undefined; close = closers.pop()) {
        try {
          await close();
        } catch (thrown) {
          failures.push(thrown);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
