// What a warm process says, as frames on a pipe of its own: length, kind, payload. Each is written before the next task starts,
// so what was last heard of a process that died tells which task it died at.

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

export function encodeFrame(kind: FrameKind, payload: Buffer | string): Buffer {
  const length = Buffer.byteLength(payload);
  const frame = Buffer.allocUnsafe(HEAD_BYTES + length);
  frame.writeUInt32LE(length, 0);
  frame[4] = kind;
  if (typeof payload === 'string') frame.write(payload, HEAD_BYTES);
  else payload.copy(frame, HEAD_BYTES);
  return frame;
}

/** Gives a function that takes the pipe's bytes as they come and tells each frame once it is whole. */
export function createFrameReader(onFrame: (kind: FrameKind, payload: Buffer) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = [];
  let held = 0;
  let wanted = HEAD_BYTES;
  return (chunk) => {
    parts.push(chunk);
    held += chunk.length;
    if (held < wanted) return;
    const bytes = parts.length === 1 ? chunk : Buffer.concat(parts, held);
    let at = 0;
    for (;;) {
      wanted = HEAD_BYTES;
      if (bytes.length - at < wanted) break;
      wanted += bytes.readUInt32LE(at);
      if (bytes.length - at < wanted) break;
      // Written by encodeFrame alone.
      onFrame(bytes[at + 4] as FrameKind, bytes.subarray(at + HEAD_BYTES, at + wanted));
      at += wanted;
    }
    parts = at === bytes.length ? [] : [bytes.subarray(at)];
    held = bytes.length - at;
  };
}
