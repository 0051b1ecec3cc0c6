// A damaged log is an error that names file and byte: what was acknowledged is never guessed at, nor skipped.

import { HeadraceError } from '../../core/index.ts';
import { givingUp } from '../giving-up.ts';

/** What the bytes are, for people: a local file, or an object of the store. */
export interface SegmentName {
  readonly writer: number;
  readonly name: string;
  /** Of an object: the last cut that it holds. */
  readonly shippedCut?: number;
}

export function logDamaged({ writer, name, shippedCut }: SegmentName, at: number, what: string): HeadraceError {
  return new HeadraceError(
    'HR_LOG_DAMAGED',
    `the event log of writer ${writer} is damaged: ${name}, byte ${at}: ${what}. Nothing was changed or skipped. ` +
      `Restore it from a copy; where there is none, ${givingUp(writer, shippedCut)}`,
  );
}
