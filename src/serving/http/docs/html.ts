// HTML as a tagged template: whatever is put into it is text, unless it is HTML of this kind itself.

/** Text that is safe to stand in a page. Only `html` makes it. */
export interface Html {
  readonly text: string;
}

type Part = string | number | Html | readonly Html[];

/** `html\`<td>${name}</td>\``: `name` is escaped, for text and for quoted attributes. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  let text = strings[0] ?? '';
  for (const [at, part] of parts.entries()) text += textOf(part) + (strings[at + 1] ?? '');
  return { text };
}

function textOf(part: Part): string {
  if (Array.isArray(part)) return part.map(({ text }: Html) => text).join('');
  if (typeof part === 'object') return (part as Html).text; // A list is not one, as the line before says.
  return String(part).replace(/[&<>"']/g, (found) => ESCAPES[found] as string);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
