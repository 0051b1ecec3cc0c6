// Values that the functions of a kept version could not derive. They are null there, and the log tells: of the first at
// once, of those that follow how many, once a minute at most.

import { type Logger, messageOf } from '../core/index.ts';
import type { OnFailedValue, SourceSpec } from '../definitions/index.ts';

const TELL_EVERY_MS = 60_000;

export function tellOfFailedValues(
  logger: Logger,
  { name: source }: SourceSpec,
  versions: readonly string[],
): OnFailedValue {
  let failed = 0;
  let toldAt = -Infinity;
  return (column, error) => {
    failed++;
    if (performance.now() - toldAt < TELL_EVERY_MS) return;
    const fields = { source, column, versions, values: failed, reason: messageOf(error) };
    logger.warn(fields, 'values of pushed rows could not be derived for kept versions: they are null there');
    toldAt = performance.now();
    failed = 0;
  };
}
