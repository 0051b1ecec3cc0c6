// Which predictions are logged where not all are: by a hash of their id, so that every server decides alike.

/** Whether the prediction is of the `share` (0 to 1) that is logged. */
export function isSampled(predictionId: string, share: number): boolean {
  if (share >= 1) return true;
  // FNV-1a over UTF-16 units, then Murmur's finish: ids differ in their last signs alone.
  let hash = 0x811c9dc5;
  // What comes after a tilde says which shadow: it is logged with what was answered, or not at all.
  const end = predictionId.indexOf('~');
  const length = end < 0 ? predictionId.length : end;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ predictionId.charCodeAt(i), 16_777_619);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32 < share;
}
