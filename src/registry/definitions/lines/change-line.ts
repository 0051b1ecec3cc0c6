// A line of a plan: one difference of an object, and what it is a difference in.

/**
 * `type`: of a feature, a key, a request column, an output. `meaning`: its values are others, or come at other times or for
 * others. `code`: a function. `name`: the same under another name. `place`: where a source lies, which the next run sees.
 * `about`: what people write about it; nothing is computed otherwise.
 */
export type LineKind = 'type' | 'meaning' | 'code' | 'name' | 'place' | 'about';

export interface ChangeLine {
  readonly kind: LineKind;
  readonly text: string;
}

export function line(kind: LineKind, text: string): ChangeLine {
  return { kind, text };
}

/** `what: before → after`, or nothing where they show alike. */
export function becomes(kind: LineKind, what: string, before: string, after: string): ChangeLine[] {
  return before === after ? [] : [line(kind, `${what}: ${before} → ${after}`)];
}
