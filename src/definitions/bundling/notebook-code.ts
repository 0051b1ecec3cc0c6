// The code of a notebook's cells as one text; what its cells gave, which it keeps too, is no code.

/** Undefined where the text is no notebook. */
export function notebookCode(text: string): string | undefined {
  let notebook: unknown;
  try {
    notebook = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof notebook !== 'object' || notebook === null || !('cells' in notebook)) return undefined;
  const { cells } = notebook;
  return Array.isArray(cells) ? cells.map(codeOf).join('\n') : undefined;
}

/** The source of a cell is one text, or its lines. */
function codeOf(cell: unknown): string {
  if (typeof cell !== 'object' || cell === null || !('source' in cell) || !('cell_type' in cell)) return '';
  if (cell.cell_type !== 'code') return '';
  return Array.isArray(cell.source) ? cell.source.join('') : String(cell.source);
}
