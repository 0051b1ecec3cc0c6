// FNV-1a, 32 bits, over UTF-16 code units (Fowler, Noll, Vo; http://www.isthe.com/chongo/tech/comp/fnv/).

const OFFSET = 0x811c9dc5;
const PRIME = 16_777_619;

/** An unsigned 32-bit hash of the text. */
export function fnv1a(text: string): number {
  let hash = OFFSET;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return hash >>> 0;
}
