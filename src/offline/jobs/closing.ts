// The close of something that others wait in: they are told at once. Not by a promise that each of them races with, which would
// hold all that every one of those races gave.

export interface Closing {
  /** What `work` gives, or the reason for which it was closed before that. */
  unlessClosed<T>(work: Promise<T>): Promise<T>;
  /** Undefined while it is open. */
  readonly reason: Error | undefined;
  close(reason: Error): void;
}

export function createClosing(): Closing {
  const waiting = new Set<(reason: Error) => void>();
  let closed: Error | undefined;
  return {
    unlessClosed: (work) =>
      new Promise((resolve, reject) => {
        if (closed !== undefined) {
          work.catch(() => {});
          reject(closed);
          return;
        }
        waiting.add(reject);
        work.then(resolve, reject).finally(() => waiting.delete(reject));
      }),
    get reason() {
      return closed;
    },
    close(reason) {
      closed ??= reason;
      for (const reject of waiting) reject(closed);
      waiting.clear();
    },
  };
}
