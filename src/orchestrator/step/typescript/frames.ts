// What a warm process says, as frames on a pipe of its own: length, kind, payload. Each is written before the next task starts,
// so what was last heard of a process that died tells which task it died at.

import { MAX_RESULT_BYTES } from '../result-size.ts';

export const FRAME = {
  /** The result as JSON. */
  result: 1,
  /** A `TaskFault` as JSON. The process takes no more tasks. */
  fault: 2,
  /** What the task printed. */
  stdout: 3,
  stderr: 4,
  /** How many of the tasks that it was given last come back, as text. */
  returned: 5,
  /** It takes tasks now. */
  ready: 6,
} as const;

export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

export interface TaskFault {
  readonly reason: string;
  readonly isFinal?: boolean;
}

const HEAD_BYTES = 5;
/** A result's code units are at most three bytes each; what is printed comes in parts. */
const MAX_PAYLOAD_BYTES = 3 * MAX_RESULT_BYTES;

export function encodeFrame(kind: FrameKind, payload: Buffer | string): Buffer {
  const length = Buffer.byteLength(payload);
  const frame = Buffer.allocUnsafe(HEAD_BYTES + length);
  frame.writeUInt32LE(length, 0);
  frame[4] = kind;
  if (typeof payload === 'string') frame.write(payload, HEAD_BYTES);
  else payload.copy(frame, HEAD_BYTES);
  return frame;
}

const KINDS: ReadonlySet<number> = new Set(Object.values(FRAME));

/** Gives a function that takes the pipe's bytes as they come and tells each frame once it is whole; `onBroken`, once, where they are no frames: a task may write into any pipe that it has. */
export function createFrameReader(
  onFrame: (kind: FrameKind, payload: Buffer) => void,
  onBroken: () => void,
): (chunk: Buffer) => void {
  let isBroken = false;
  let parts: Buffer[] = [];
  let held = 0;
  let wanted = HEAD_BYTES;
  return (chunk) => {
    if (isBroken) return;
    parts.push(chunk);
    held += chunk.length;
    if (held < wanted) return;
    const bytes = parts.length === 1 ? chunk : Buffer.concat(parts, held);
    let at = 0;
    for (;;) {
      wanted = HEAD_BYTES;
      if (bytes.length - at < wanted) break;
      const length = bytes.readUInt32LE(at);
      const kind = bytes[at + 4] as number; // there are five
      if (length > MAX_PAYLOAD_BYTES || !KINDS.has(kind)) {
        isBroken = true;
        parts = [];
        return onBroken();
      }
      wanted += length;
      if (bytes.length - at < wanted) break;
      onFrame(kind as FrameKind, bytes.subarray(at + HEAD_BYTES, at + wanted));
      at += wanted;
    }
    parts = at === bytes.length ? [] : [bytes.subarray(at)];
    held = bytes.length - at;
  };
}
