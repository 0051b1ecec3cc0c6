// The `sql` tag: a derived column that the source's own engine computes.

import type { SqlText } from './authored.ts';

/**
 * Marks SQL for a derived column. It takes no values from outside: the text is part of the definition.
 *
 * @example
 * derive: { miles_bucket: [t.int32(), sql`CAST(distance / 250 AS INTEGER)`] }
 */
export function sql(text: TemplateStringsArray, ...values: readonly (string | number)[]): SqlText {
  return { sql: String.raw({ raw: text }, ...values).trim() };
}
