// Blanks secrets in what passes by in pieces: one that is cut in two by a piece's end is found all the same, and of those that lie
// within or across each other nothing is left.

export interface Redactor {
  /** What may be shown of all that came so far; the rest, should it be the beginning of a secret, comes with the next piece. */
  pass(chunk: Buffer): Buffer;
  end(): Buffer;
}

/** Bytes of which all are part of a secret: the first one, and the one after the last. */
type Range = readonly [from: number, to: number];

const BLANK = Buffer.from('***');
const NOTHING = Buffer.alloc(0);

export function createRedactor(secrets: readonly string[]): Redactor {
  const needles = secrets.filter((secret) => secret !== '').map((secret) => Buffer.from(secret));
  if (needles.length === 0) return { pass: (chunk) => chunk, end: () => NOTHING };
  /** Shorter than the longest secret. */
  let held = NOTHING;
  /** Of what is held the first bytes that are known to be part of a secret. */
  let covered = 0;
  /** The last byte before it was blanked. */
  let isBlanked = false;

  /** Shows bytes up to `end`, and holds the rest. */
  const show = (bytes: Buffer, end: number): Buffer => {
    const parts: Buffer[] = [];
    let at = 0;
    let beyond = Math.max(0, covered - end);
    for (const [from, to] of secretRanges(bytes, needles, covered)) {
      if (from >= end) break;
      if (from > at) parts.push(bytes.subarray(at, from));
      if (from > at || !isBlanked) parts.push(BLANK);
      isBlanked = true;
      at = Math.min(to, end);
      beyond = Math.max(beyond, to - end);
    }
    if (at < end) {
      parts.push(bytes.subarray(at, end));
      isBlanked = false;
    }
    held = Buffer.from(bytes.subarray(end));
    covered = beyond;
    return parts.length === 1 ? (parts[0] ?? NOTHING) : Buffer.concat(parts);
  };

  return {
    pass(chunk) {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      return show(bytes, bytes.length - beginningAtEnd(bytes, needles));
    },
    end: () => show(held, held.length),
  };
}

/** A text with the secrets in it blanked. */
export function redactText(text: string, secrets: readonly string[]): string {
  const redactor = createRedactor(secrets);
  return Buffer.concat([redactor.pass(Buffer.from(text)), redactor.end()]).toString();
}

/** Apart from each other, in their order; the first `covered` bytes are part of one. */
function secretRanges(bytes: Buffer, needles: readonly Buffer[], covered: number): readonly Range[] {
  const found: Range[] = covered > 0 ? [[0, covered]] : [];
  for (const needle of needles)
    for (let at = bytes.indexOf(needle); at !== -1; at = bytes.indexOf(needle, at + 1))
      found.push([at, at + needle.length]);
  const apart: [number, number][] = [];
  for (const [from, to] of found.sort(([a], [b]) => a - b)) {
    const last = apart.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else apart.push([from, to]);
  }
  return apart;
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
