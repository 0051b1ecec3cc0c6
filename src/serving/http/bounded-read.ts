// What is asked of the registry and the stores for an answer that has more to tell: it comes within its time, or the answer
// goes without it and says why.

import { HeadraceError, type Logger, messageOf, within } from '../../core/index.ts';

/** What was read, or in a sentence why it was not. */
export type Had<T> = { readonly value: T } | { readonly reason: string };

export interface BoundedReadOptions<T> {
  /** As "the views": begins a sentence. */
  readonly what: string;
  readonly read: () => Promise<T>;
  readonly limitMs: number;
  readonly logger: Logger;
}

/**
 * Never rejects. While one reading is overdue no other is begun: whoever asks waits for it, within the limit, so that readings
 * of what says nothing do not pile up.
 */
export function createBoundedRead<T>({ what, read, limitMs, logger }: BoundedReadOptions<T>): () => Promise<Had<T>> {
  let overdue: Promise<Had<T>> | undefined;
  const begin = async (): Promise<Had<T>> => {
    try {
      return { value: await read() };
    } catch (thrown) {
      logger.warn({ reason: messageOf(thrown) }, `${what} could not be read`);
      const isKnown = thrown instanceof HeadraceError && thrown.status !== 500;
      return { reason: `${what} could not be read: ${isKnown ? thrown.message : 'the server’s log has why'}` };
    }
  };
  return async () => {
    const reading = overdue ?? begin();
    const had = await within(reading, limitMs);
    if (had !== undefined) return had;
    if (overdue === undefined) {
      overdue = reading;
      void reading.then(() => (overdue = undefined));
    }
    return { reason: `${what} did not come within ${limitMs} ms` };
  };
}
