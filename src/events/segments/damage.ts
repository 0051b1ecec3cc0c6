// A damaged log is an error that names file and byte: what was acknowledged is never guessed at, nor skipped.

import { HeadraceError } from '../../core/index.ts';

/** What the bytes are, for people: a local file, or an object of the store. */
export interface SegmentName {
  readonly writer: number;
  readonly name: string;
  /** Of an object: the last cut that it holds. */
  readonly shippedCut?: number;
}

export function logDamaged({ writer, name, shippedCut }: SegmentName, at: number, what: string): HeadraceError {
  // Forgetting a writer lets go of what is on its disk alone: what it shipped is read of every writer.
  const giveUp =
    shippedCut === undefined
      ? `let go of what writer ${writer} has not shipped: headrace log forget ${writer}`
      : `give up what writer ${writer} shipped up to cut ${shippedCut}: headrace log forget ${writer} --through ${shippedCut}`;
  return new HeadraceError(
    'HR_LOG_DAMAGED',
    `the event log of writer ${writer} is damaged: ${name}, byte ${at}: ${what}. Nothing was changed or skipped. ` +
      `Restore it from a copy; where there is none, ${giveUp}`,
  );
}
