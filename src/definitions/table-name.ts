// A table as users name it, `orders` or `sales.orders`, in parts. A part that holds a dot or a quote stands in double quotes.

/** Undefined where the text is no name: an empty part, a quote that doesn't close, or more than three parts. */
export function tableParts(text: string): readonly TablePart[] | undefined {
  const parts: TablePart[] = [];
  let rest = text.trim();
  for (;;) {
    const [found, quoted, plain] = /^(?:"((?:[^"]|"")+)"|([^".]+))/.exec(rest) ?? [];
    if (found === undefined) return undefined;
    const name = quoted === undefined ? (plain ?? '').trim() : quoted.replaceAll('""', '"');
    // An address or an expression in the place of a name is a mistake to be told, not a table to be looked for.
    if (name === '' || (quoted === undefined && /[\s;()'`]/.test(name))) return undefined;
    parts.push({ name, isQuoted: quoted !== undefined });
    rest = rest.slice(found.length);
    if (rest === '') return parts.length <= MOST_PARTS ? parts : undefined;
    if (!rest.startsWith('.')) return undefined;
    rest = rest.slice(1);
  }
}

export interface TablePart {
  readonly name: string;
  readonly isQuoted: boolean;
}

/** Database, schema, table. */
const MOST_PARTS = 3;
