// JSON as Python's writers put it: with NaN and the infinities as bare words where a float has no number.

import { isUtf8 } from 'node:buffer';
import type { Json } from '../../../core/index.ts';
import { parseJsonBody } from '../json-body.ts';

/**
 * Throws HR_MALFORMED_JSON. Bare NaN, Infinity and -Infinity are read as the texts of those names. Whole numbers keep all their
 * digits where a tensor says that it has such.
 */
export function parseLenientJson(bytes: Buffer): Json {
  if (!mayHaveLargeIntegers(bytes) && isUtf8(bytes)) {
    try {
      return JSON.parse(bytes.toString('utf8')) as Json;
    } catch {
      // Told by the slower way.
    }
  }
  try {
    return parseJsonBody(bytes);
  } catch (thrown) {
    if (!bytes.includes('NaN') && !bytes.includes('Infinity')) throw thrown;
    return parseJsonBody(Buffer.from(quoteSpecial(bytes.toString('utf8'))));
  }
}

/** Only of INT64 and UINT64 a double would lose digits. A name may be spelt by escapes. */
function mayHaveLargeIntegers(bytes: Buffer): boolean {
  return bytes.includes('INT64') || bytes.includes('\\u');
}

const SPECIAL = /-?Infinity|NaN/g;

/** Texts are passed over whole, so that what is in them stays as it is; each character is looked at once. */
function quoteSpecial(text: string): string {
  let quoted = '';
  let at = 0;
  while (at < text.length) {
    const start = text.indexOf('"', at);
    const end = start < 0 ? text.length : start;
    quoted += text.slice(at, end).replace(SPECIAL, '"$&"');
    at = start < 0 ? end : endOfText(text, start);
    quoted += text.slice(end, at);
  }
  return quoted;
}

/** Behind the quote that ends it. */
function endOfText(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at++;
  }
  return text.length;
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
