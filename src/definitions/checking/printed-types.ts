// Types as the compiler prints them, made readable: ours are spelt out to what they come to, and their members can be read.

/** Wrappers of ours that say nothing to a reader: what stands in them does. */
const WRAPPERS = ['RowOf', 'InputValues', 'Flat', 'NoInfer'];

/** The text with types such as `RowOf<{ fare: ColumnType<number, "float64">; }>` as `{ fare: float64; }`. */
export function plainTypes(text: string): string {
  let plain = text.replaceAll(/ColumnType<[^<>]*, "(\w+)">/g, '$1');
  plain = replaceGeneric(plain, ' & Undeclared', () => '');
  for (const name of WRAPPERS) plain = replaceGeneric(plain, name, (inner) => inner);
  return plain;
}

/** The names of an object type's members, `{ fare: number; }`; what the compiler left out (`...`) is missing. */
export function memberNames(type: string): string[] {
  if (!type.startsWith('{')) return [];
  const names: string[] = [];
  let depth = 0;
  for (let at = 0; at < type.length; at++) {
    const character = type[at] ?? '';
    if (depth === 1) {
      const [found, name] = /^(?:readonly )?"?([\p{L}\p{N}_$ -]+?)"?\??: /u.exec(type.slice(at)) ?? [];
      const isStart = /[{;] $/.test(type.slice(0, at));
      if (found !== undefined && name !== undefined && isStart) names.push(name);
    }
    if (isOpening(character)) depth++;
    else if (isClosing(type, at) && --depth === 0) break;
  }
  return names;
}

/** What stands in `name<…>`, where the text begins so. */
export function innerOf(text: string, name: string): string | undefined {
  if (!text.startsWith(`${name}<`)) return undefined;
  const end = closingOf(text, name.length);
  return end === undefined ? undefined : text.slice(name.length + 1, end);
}

function replaceGeneric(text: string, name: string, by: (inner: string) => string): string {
  let from = 0;
  let plain = text;
  for (;;) {
    const start = plain.indexOf(`${name}<`, from);
    const end = start < 0 ? undefined : closingOf(plain, start + name.length);
    if (end === undefined) return plain;
    const isWhole = !/[\w$]/.test(plain[start - 1] ?? '') || name.startsWith(' ');
    const put = isWhole ? by(plain.slice(start + name.length + 1, end)) : undefined;
    plain = put === undefined ? plain : plain.slice(0, start) + put + plain.slice(end + 1);
    from = put === undefined ? end : start;
  }
}

/** Where the bracket that opens at `open` closes. */
function closingOf(text: string, open: number): number | undefined {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (isOpening(text[at] ?? '')) depth++;
    else if (isClosing(text, at) && --depth === 0) return at;
  }
  return undefined;
}

function isOpening(character: string): boolean {
  return '<{(['.includes(character) && character !== '';
}

// The `>` of an arrow closes nothing.
function isClosing(text: string, at: number): boolean {
  const character = text[at] ?? '';
  return character === '>' ? text[at - 1] !== '=' : character !== '' && '})]'.includes(character);
}
