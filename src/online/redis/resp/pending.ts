// What was asked on a connection and not yet answered, in order: one entry for many commands that were sent together.

/** Called for each reply that comes; `index` counts within what was asked together. */
export type OnEachReply = (bytes: Buffer, start: number, index: number) => void;

interface Entry {
  readonly count: number;
  readonly bytes: number;
  readonly sentMs: number;
  readonly onReply: OnEachReply | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  answered: number;
  failure: Error | undefined;
}

export interface Pending {
  /** Bytes of commands whose replies have not all come. */
  readonly unacknowledgedBytes: number;
  /** When the oldest was sent; undefined when nothing is pending. */
  readonly oldestMs: number | undefined;
  /** Resolves once all replies came; rejects when the connection is lost, or with what `onReply` threw. */
  add(count: number, bytes: number, onReply: OnEachReply | undefined): Promise<void>;
  answer(bytes: Buffer, start: number): void;
  failAll(error: Error): void;
}

/** Past so many answered ones at its front, the queue is packed. */
const PACK_AT = 1024;

export function createPending(nowMs: () => number): Pending {
  let entries: (Entry | undefined)[] = [];
  let head = 0;
  let unacknowledgedBytes = 0;

  return {
    get unacknowledgedBytes() {
      return unacknowledgedBytes;
    },
    get oldestMs() {
      return entries[head]?.sentMs;
    },
    add(count, bytes, onReply) {
      unacknowledgedBytes += bytes;
      return new Promise((resolve, reject) => {
        const sentMs = nowMs();
        entries.push({ count, bytes, sentMs, onReply, resolve, reject, answered: 0, failure: undefined });
      });
    },
    answer(bytes, start) {
      const entry = entries[head];
      if (entry === undefined) throw new Error('it answered what nobody asked');
      const index = entry.answered++;
      if (entry.onReply !== undefined) {
        try {
          entry.onReply(bytes, start, index);
        } catch (error) {
          entry.failure ??= error instanceof Error ? error : new Error(String(error));
        }
      }
      if (entry.answered < entry.count) return;
      // What it holds on to, its asker's whole answer, must not wait until the queue is packed.
      entries[head++] = undefined;
      if (head === entries.length) {
        entries = [];
        head = 0;
      } else if (head >= PACK_AT && head * 2 > entries.length) {
        entries = entries.slice(head);
        head = 0;
      }
      unacknowledgedBytes -= entry.bytes;
      if (entry.failure === undefined) entry.resolve();
      else entry.reject(entry.failure);
    },
    failAll(error) {
      const failed = entries.slice(head);
      entries = [];
      head = 0;
      unacknowledgedBytes = 0;
      for (const entry of failed) entry?.reject(error);
    },
  };
}
