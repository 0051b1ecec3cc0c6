// Names, texts and times as SQL has them.

import { formatTimestamp, type Micros } from '../../core/index.ts';

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A TIMESTAMPTZ, to the microsecond. */
export function quoteTime(at: Micros): string {
  return `${quoteText(formatTimestamp(at))}::TIMESTAMPTZ`;
}
