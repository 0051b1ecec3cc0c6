// Rows as aligned columns of text.

/** Between columns. */
export const GAP = 2;

/** The first row is the heading; with no other, the sentence `empty` says what to do, when given. */
export function formatTable(rows: readonly (readonly string[])[], empty?: string): string {
  if (rows.length === 1 && empty !== undefined) return empty;
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join(' '.repeat(GAP))
        .trimEnd(),
    )
    .join('\n');
}
