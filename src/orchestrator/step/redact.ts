// Blanks secrets in what passes by in pieces: one that is cut in two by a piece's end is found all the same.

export interface Redactor {
  /** What may be shown of all that came so far; the rest, should it be the beginning of a secret, comes with the next piece. */
  pass(chunk: Buffer): Buffer;
  end(): Buffer;
}

const BLANK = Buffer.from('***');
const NOTHING = Buffer.alloc(0);

export function createRedactor(secrets: readonly string[]): Redactor {
  const needles = secrets
    .filter((secret) => secret !== '')
    .map((secret) => Buffer.from(secret))
    .sort((a, b) => b.length - a.length);
  if (needles.length === 0) return { pass: (chunk) => chunk, end: () => NOTHING };
  let held = NOTHING;
  return {
    pass(chunk) {
      const blanked = blank(held.length === 0 ? chunk : Buffer.concat([held, chunk]), needles);
      const keep = beginningAtEnd(blanked, needles);
      held = Buffer.from(blanked.subarray(blanked.length - keep));
      return blanked.subarray(0, blanked.length - keep);
    },
    end() {
      const rest = held;
      held = NOTHING;
      return rest;
    },
  };
}

/** A text with the secrets in it blanked. */
export function redactText(text: string, secrets: readonly string[]): string {
  const longestFirst = secrets.filter((secret) => secret !== '').sort((a, b) => b.length - a.length);
  return longestFirst.reduce((left, secret) => left.replaceAll(secret, '***'), text);
}

function blank(bytes: Buffer, needles: readonly Buffer[]): Buffer {
  let left = bytes;
  for (const needle of needles) {
    const parts: Buffer[] = [];
    let from = 0;
    for (let at = left.indexOf(needle); at !== -1; at = left.indexOf(needle, from)) {
      parts.push(left.subarray(from, at), BLANK);
      from = at + needle.length;
    }
    if (parts.length > 0) left = Buffer.concat([...parts, left.subarray(from)]);
  }
  return left;
}

/** How many of the last bytes are the beginning of a secret. */
function beginningAtEnd(bytes: Buffer, needles: readonly Buffer[]): number {
  let longest = 0;
  for (const needle of needles) {
    for (let length = Math.min(needle.length - 1, bytes.length); length > longest; length--) {
      if (bytes.subarray(bytes.length - length).equals(needle.subarray(0, length))) longest = length;
    }
  }
  return longest;
}
