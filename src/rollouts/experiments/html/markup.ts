// HTML as text: whatever comes from a name or a description is escaped.

export function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** Attributes of an SVG element; numbers to a hundredth of a pixel. */
export function attributes(given: Readonly<Record<string, string | number>>): string {
  return Object.entries(given)
    .map(([name, value]) => ` ${name}="${typeof value === 'number' ? Number(value.toFixed(2)) : escape(value)}"`)
    .join('');
}

export interface HtmlTable {
  readonly caption: string;
  readonly head: readonly string[];
  /** The first of each names its row. */
  readonly rows: readonly (readonly string[])[];
}

/** Cells are texts, or HTML that `html` marks. */
export function table({ caption, head, rows }: HtmlTable): string {
  const heads = head.map((name) => `<th scope="col">${escape(name)}</th>`).join('');
  const body = rows
    .map(([name = '', ...cells]) => {
      const rest = cells.map((cell) => `<td>${cellOf(cell)}</td>`).join('');
      return `<tr><th scope="row">${cellOf(name)}</th>${rest}</tr>`;
    })
    .join('\n');
  return `<div class="scroll"><table><caption>${escape(caption)}</caption><thead><tr>${heads}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

const MARK = '\u0000';

/** A cell that is HTML already. */
export function html(code: string): string {
  return `${MARK}${code}`;
}

function cellOf(cell: string): string {
  return cell.startsWith(MARK) ? cell.slice(1) : escape(cell);
}

/** An image that says what it shows. `id` is its own on the page. */
export function svg(o: {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly description: string;
  readonly body: string;
}): string {
  const { id, width, height, title, description, body } = o;
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-t ${id}-d" style="max-width:${width}px">
<title id="${id}-t">${escape(title)}</title><desc id="${id}-d">${escape(description)}</desc>
${body}</svg>`;
}

export function svgText(
  x: number,
  y: number,
  text: string,
  more: Readonly<Record<string, string | number>> = {},
): string {
  return `<text${attributes({ x, y, ...more })}>${escape(text)}</text>`;
}

export function svgLine(
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  more: Readonly<Record<string, string | number>>,
): string {
  return `<line${attributes({ x1, y1, x2, y2, ...more })}/>`;
}
