// Opens a thing once, when first asked for, and closes what was opened, the last opened first.

export interface Closers {
  /** Wraps an opener: the first call opens, later calls get the same; a failed open is tried again next time. */
  lazily<T>(open: () => Promise<T> | T, close?: (opened: T) => unknown): () => Promise<T>;
  closeAll(): Promise<void>;
}

export function createClosers(): Closers {
  const closers: (() => unknown)[] = [];
  return {
    lazily<T>(open: () => Promise<T> | T, close?: (opened: T) => unknown) {
      let opening: Promise<T> | undefined;
      const start = async (): Promise<T> => {
        try {
          const opened: T = await open();
          if (close !== undefined) closers.push(() => close(opened));
          return opened;
        } catch (thrown) {
          opening = undefined;
          throw thrown;
        }
      };
      return () => (opening ??= start());
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
