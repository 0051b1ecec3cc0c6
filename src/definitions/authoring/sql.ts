// The `sql` tag: a derived column that the source's own engine computes.

import type { SqlText } from './authored.ts';

/**
 * Marks SQL for a derived column. The text is part of the definition; what stands in `${…}` goes into it as it is, without
 * quotes.
 *
 * @example
 * derive: { miles_bucket: [t.int32(), sql`CAST(distance / 250 AS INTEGER)`] }
 */
export function sql(text: TemplateStringsArray, ...values: readonly (string | number)[]): SqlText {
  return { sql: String.raw({ raw: text }, ...values).trim() };
}
