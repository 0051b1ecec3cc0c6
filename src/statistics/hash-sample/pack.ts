// A hash sample as text for a database's column: base64 of a head and the ascending hashes' differences, each as few
// bytes as it needs (LEB128). A full sample is some 16 kB, that of a quiet minute some ten bytes.

import { createHashSample, EXACT_HASHES, type HashSample } from './hash-sample.ts';

/** What `packHashes` writes. */
export type PackedHashes = string;

const EXACT = 1;
const FULL = 2;

/** The same hashes give the same text, however they came in. */
export function packHashes(sample: HashSample): PackedHashes {
  const hashes = sample.hashes();
  const bytes: number[] = [sample.isExact() ? EXACT : FULL];
  let before = 0;
  for (const hash of hashes) {
    for (let rest = hash - before; ; rest = Math.floor(rest / 128)) {
      if (rest < 128) {
        bytes.push(rest);
        break;
      }
      bytes.push((rest % 128) + 128);
    }
    before = hash;
  }
  return Buffer.from(bytes).toString('base64');
}

/** Throws a RangeError for a text that `packHashes` can't have written. */
export function unpackHashes(packed: PackedHashes, limit: number = EXACT_HASHES): HashSample {
  const bytes = Buffer.from(packed, 'base64');
  const form = bytes[0];
  if (form !== EXACT && form !== FULL) throw new RangeError('packed hashes begin with a form that is none');
  const hashes: number[] = [];
  let before = 0;
  for (let at = 1; at < bytes.length; ) {
    let difference = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || scale > 2 ** 28) throw new RangeError('packed hashes end within a number');
      difference += (byte & 127) * scale;
      if (byte < 128) break;
    }
    before += difference;
    if (before >= 2 ** 32 || (hashes.length > 0 && difference === 0))
      throw new RangeError('packed hashes are not ascending 32-bit numbers');
    hashes.push(before);
  }
  if (form === FULL && hashes.length === 0) throw new RangeError('packed hashes of a full sample hold none');
  return createHashSample(limit, { hashes, isFull: form === FULL });
}
