// Frames of a segment file: length 4 · CRC-32 4 · payload. A torn or damaged tail is no frame: reading stops there.

import { crc32 } from 'node:zlib';

/** First bytes of every segment. */
export const MAGIC = Buffer.from('HRPUSH1\n');

export function packFrame(payload: string): Buffer {
  const size = Buffer.byteLength(payload);
  const frame = Buffer.allocUnsafe(8 + size);
  frame.write(payload, 8);
  frame.writeUInt32LE(size, 0);
  frame.writeUInt32LE(crc32(frame.subarray(8)), 4);
  return frame;
}

/** The payloads of a segment's whole frames, in order; none when it is not a segment. */
export function* parseFrames(segment: Buffer): Generator<string> {
  if (!segment.subarray(0, MAGIC.length).equals(MAGIC)) return;
  let at = MAGIC.length;
  while (at + 8 <= segment.length) {
    const end = at + 8 + segment.readUInt32LE(at);
    if (end > segment.length) return;
    const payload = segment.subarray(at + 8, end);
    if (crc32(payload) !== segment.readUInt32LE(at + 4)) return;
    yield payload.toString();
    at = end;
  }
}
