// Frames of a segment file: length 4 · CRC-32 of the payload 4 · CRC-32 of those eight bytes 4 · payload. The length has
// a checksum of its own, so that a flipped bit in it can't pass for the torn tail of a crash.

import { crc32 } from 'node:zlib';

/** A payload is kind 1 · length of the header 4 · header (JSON) · body (may be empty). */
export interface Frame {
  readonly kind: number;
  readonly header: string;
  /** Where the frame begins and ends in the bytes that it was read from. */
  readonly at: number;
  readonly end: number;
  body(): Buffer;
}

/** `torn`: the bytes end before the frame does. The others are sentences for people. */
export type FrameProblem = 'torn' | 'the head of a frame fails its checksum' | 'a frame fails its checksum';

const HEAD_BYTES = 12;
const KIND_BYTES = 5;
const NO_BODY = new Uint8Array(0);

export function packFrame(kind: number, header: string, body: Uint8Array = NO_BODY): Buffer {
  const headerBytes = Buffer.byteLength(header);
  const size = KIND_BYTES + headerBytes + body.length;
  const frame = Buffer.allocUnsafe(HEAD_BYTES + size);
  frame[HEAD_BYTES] = kind;
  frame.writeUInt32LE(headerBytes, HEAD_BYTES + 1);
  frame.write(header, HEAD_BYTES + KIND_BYTES);
  frame.set(body, HEAD_BYTES + KIND_BYTES + headerBytes);
  frame.writeUInt32LE(size, 0);
  frame.writeUInt32LE(crc32(frame.subarray(HEAD_BYTES)), 4);
  frame.writeUInt32LE(crc32(frame.subarray(0, 8)), 8);
  return frame;
}

export function readFrame(bytes: Buffer, at: number): Frame | FrameProblem {
  const start = at + HEAD_BYTES;
  if (start > bytes.length) return 'torn';
  if (crc32(bytes.subarray(at, at + 8)) !== bytes.readUInt32LE(at + 8)) return 'the head of a frame fails its checksum';
  const end = start + bytes.readUInt32LE(at);
  if (end > bytes.length) return 'torn';
  if (end < start + KIND_BYTES || crc32(bytes.subarray(start, end)) !== bytes.readUInt32LE(at + 4)) {
    return 'a frame fails its checksum';
  }
  const bodyAt = start + KIND_BYTES + bytes.readUInt32LE(start + 1);
  return {
    // The length was checked: it is there.
    kind: bytes[start] as number,
    header: bytes.toString('utf8', start + KIND_BYTES, bodyAt),
    at,
    end,
    body: () => bytes.subarray(bodyAt, end),
  };
}
