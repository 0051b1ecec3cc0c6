// The hash behind every assignment: FNV-1a, 32 bits, over UTF-16 code units, twice, so that neighbours spread.

/** Buckets an assignment falls into: hundredths of a percent. */
export const BUCKETS = 10_000;

/** FNV-1a over the text's UTF-16 code units, as an unsigned 32-bit number. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return hash >>> 0;
}

/**
 * The unit's bucket, 0 to 9999. The second pass matters: without it, seeds that differ little give buckets that
 * correlate, and one experiment's arms leak into the next one's.
 */
export function bucketOf(seed: string, value: string): number {
  return fnv1a(String(fnv1a(seed + value))) % BUCKETS;
}
