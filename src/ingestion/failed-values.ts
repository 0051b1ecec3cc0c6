// Values that a version's functions could not derive of rows that were taken. They are null there, and the log tells: of a
// column's first at once, of those that follow how many, once a minute at most.

import { type Logger, messageOf } from '../core/index.ts';
import type { OnFailedValue, SourceSpec } from '../definitions/index.ts';

const TELL_EVERY_MS = 60_000;

export function tellOfFailedValues(
  logger: Logger,
  { name: source }: SourceSpec,
  versions: readonly string[],
): OnFailedValue {
  const columns = new Map<string, { failed: number; toldAt: number }>();
  return (column, error) => {
    const known = columns.get(column) ?? { failed: 0, toldAt: -Infinity };
    columns.set(column, known);
    known.failed++;
    if (performance.now() - known.toldAt < TELL_EVERY_MS) return;
    const fields = { source, column, versions, values: known.failed, reason: messageOf(error) };
    logger.warn(fields, 'values of pushed rows could not be taken: they are null in these versions');
    known.toldAt = performance.now();
    known.failed = 0;
  };
}
