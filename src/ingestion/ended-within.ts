// Whether work that is being stopped came to its end in time, however it ended.

import { within } from '../core/index.ts';

/** Whether `work` came to its end, and well, within `limitMs`. */
export function endedWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const ended = work.then(
    () => true,
    () => false,
  );
  return within(ended, limitMs, () => false);
}
