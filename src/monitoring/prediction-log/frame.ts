// Frames of a segment, little-endian: length of the payload 4 · CRC-32C of all that follows 4 · kind 1 · flags 1 · mark 2 ·
// payload. The mark is what a reader looks for behind bytes that it can't read.

import { crc32c } from './crc32c.ts';

export const FRAME_HEAD = 12;
export const SEGMENT_HEAD = Buffer.from('HRPLOG1\n');

export const KIND = { schema: 1, prediction: 2, outcome: 3 } as const;

/** An outcome's text, and a schema of very many fields, may be long. */
const MOST_PAYLOAD = 64 * 1024 ** 2;
const MARK = 0x4852;
const MARK_BYTES = Buffer.from([MARK & 0xff, MARK >> 8]);
const MARK_AT = 10;
const MOST_KIND = 3;

/** Writes the head of the frame at `from`, whose payload is there already and ends before `to`. */
export function sealFrame(bytes: Buffer, view: DataView, from: number, to: number, kind: number, flags: number): void {
  view.setUint32(from, to - from - FRAME_HEAD, true);
  bytes[from + 8] = kind;
  bytes[from + 9] = flags;
  view.setUint16(from + MARK_AT, MARK, true);
  view.setUint32(from + 4, crc32c(bytes, from + 8, to), true);
}

export function packFrame(kind: number, flags: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD + payload.length);
  frame.set(payload, FRAME_HEAD);
  sealFrame(frame, new DataView(frame.buffer, frame.byteOffset, frame.length), 0, frame.length, kind, flags);
  return frame;
}

export interface Frame {
  readonly kind: number;
  readonly flags: number;
  /** Where the frame begins, its payload begins, and both end. */
  readonly at: number;
  readonly from: number;
  readonly end: number;
}

/** Bytes that are no frame, or one that fails its checksum (`damaged`), or the end of a write that did not come to its own (`torn`). */
export interface Unread {
  readonly unread: 'damaged' | 'torn';
  readonly at: number;
  readonly end: number;
}

/**
 * Each whole frame in order, and what lies between them. What follows the last one is torn, by a crash or while it is
 * written, unless it has the length that it says.
 */
export function* readFrames(bytes: Buffer): Generator<Frame | Unread> {
  let at = 0;
  if (bytes.subarray(0, SEGMENT_HEAD.length).equals(SEGMENT_HEAD)) at = SEGMENT_HEAD.length;
  else if (bytes.length > 0 && SEGMENT_HEAD.subarray(0, bytes.length).equals(bytes)) {
    yield { unread: 'torn', at, end: bytes.length };
    return;
  }
  let damagedAt = -1;
  while (at < bytes.length) {
    const frame = frameAt(bytes, at);
    if (frame === undefined) {
      if (damagedAt < 0) damagedAt = at;
      at = nextFrame(bytes, at + 1);
      continue;
    }
    if (damagedAt >= 0) yield { unread: 'damaged', at: damagedAt, end: at };
    damagedAt = -1;
    yield frame;
    at = frame.end;
  }
  if (damagedAt < 0) return;
  yield { unread: isTorn(bytes, damagedAt) ? 'torn' : 'damaged', at: damagedAt, end: bytes.length };
}

function frameAt(bytes: Buffer, at: number): Frame | undefined {
  const from = at + FRAME_HEAD;
  if (from > bytes.length || bytes.readUInt16LE(at + MARK_AT) !== MARK) return undefined;
  const kind = bytes[at + 8] as number;
  const length = bytes.readUInt32LE(at);
  const end = from + length;
  if (kind === 0 || kind > MOST_KIND || length > MOST_PAYLOAD || end > bytes.length) return undefined;
  if (crc32c(bytes, at + 8, end) !== bytes.readUInt32LE(at + 4)) return undefined;
  return { kind, flags: bytes[at + 9] as number, at, from, end };
}

// Where the next whole frame begins, or the end.
function nextFrame(bytes: Buffer, from: number): number {
  let mark = bytes.indexOf(MARK_BYTES, from + MARK_AT);
  while (mark >= 0) {
    if (frameAt(bytes, mark - MARK_AT) !== undefined) return mark - MARK_AT;
    mark = bytes.indexOf(MARK_BYTES, mark + 1);
  }
  return bytes.length;
}

// A machine that crashes may leave zeros, too.
function isTorn(bytes: Buffer, at: number): boolean {
  if (at + FRAME_HEAD > bytes.length) return true;
  if (bytes.subarray(at).every((byte) => byte === 0)) return true;
  const end = at + FRAME_HEAD + bytes.readUInt32LE(at);
  return bytes.readUInt16LE(at + MARK_AT) === MARK && end > bytes.length && end - at <= MOST_PAYLOAD;
}
