// Messages out of a call's bytes: each has a flag, whether it is packed, and its length before it. What a length says is believed only
// within the limit, and room is taken for what has come.

import { promisify } from 'node:util';
import { gunzip as gunzipLater, inflate as inflateLater } from 'node:zlib';
import { HeadraceError } from '../../../core/index.ts';
import { PREFIX_BYTES } from '../wire/wire-writer.ts';

const gunzip = promisify(gunzipLater);
const inflate = promisify(inflateLater);

const NOTHING: Buffer = Buffer.alloc(0);

export const ENCODINGS = ['identity', 'gzip', 'deflate'];

/** A message as it came. */
export interface Frame {
  readonly isPacked: boolean;
  readonly bytes: Buffer;
}

/** Of memory for a message that does not come in one piece; doubled as it comes, so that no length is paid for in advance. */
const FIRST_BYTES = 16 * 1024;

export class MessageFrames {
  readonly #limitBytes: number;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  /** Of the message under way, without its prefix. */
  #needed = 0;
  #body = NOTHING;
  #held = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Whether a message is begun and not whole. */
  get isBegun(): boolean {
    return this.#prefixBytes > 0;
  }

  /** What has come of the message under way. */
  get heldBytes(): number {
    return this.#prefixBytes + this.#held;
  }

  /** Messages that are whole now. Throws HR_TOO_LARGE, and HR_INVALID for a flag that is none. */
  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#prefixBytes < PREFIX_BYTES) {
        const taken = chunk.copy(this.#prefix, this.#prefixBytes, at);
        this.#prefixBytes += taken;
        at += taken;
        if (this.#prefixBytes < PREFIX_BYTES) break;
        this.#begin();
      }
      const taken = Math.min(this.#needed - this.#held, chunk.length - at);
      const part = chunk.subarray(at, at + taken);
      at += taken;
      // Mostly a message comes in one piece.
      if (taken === this.#needed) frames.push(this.#end(part));
      else {
        this.#keep(part);
        if (this.#held === this.#needed) frames.push(this.#end(this.#body.subarray(0, this.#held)));
      }
    }
    return frames;
  }

  #begin(): void {
    const flag = this.#prefix[0] as number;
    const length = this.#prefix.readUInt32BE(1);
    if (flag > 1) throw new HeadraceError('HR_INVALID', `a message begins with the flag ${flag}; there are 0 and 1.`);
    if (length > this.#limitBytes) throw tooLarge(length, this.#limitBytes);
    this.#needed = length;
  }

  // A copy: of pieces that hold a byte each, the pieces would be most of the memory.
  #keep(part: Buffer): void {
    const held = this.#held + part.length;
    if (held > this.#body.length) {
      const size = Math.max(held, Math.min(this.#needed, Math.max(FIRST_BYTES, 2 * this.#body.length)));
      const larger = Buffer.allocUnsafe(size);
      this.#body.copy(larger, 0, 0, this.#held);
      this.#body = larger;
    }
    part.copy(this.#body, this.#held);
    this.#held = held;
  }

  #end(bytes: Buffer): Frame {
    const frame = { isPacked: this.#prefix[0] === 1, bytes };
    this.#prefixBytes = this.#needed = this.#held = 0;
    this.#body = NOTHING;
    return frame;
  }
}

function tooLarge(bytes: number, limitBytes: number): HeadraceError {
  const sentence = `the message has ${bytes} bytes; the server takes ${limitBytes} (server.bodyLimit).`;
  return new HeadraceError('HR_TOO_LARGE', sentence);
}

/** What came packed, unpacked. Rejects with HR_TOO_LARGE, HR_INVALID. */
export async function unpack(bytes: Buffer, encoding: string, limitBytes: number): Promise<Buffer> {
  if (encoding === 'identity')
    throw new HeadraceError('HR_INVALID', 'a message is packed, and the call names no grpc-encoding.');
  try {
    return await (encoding === 'gzip' ? gunzip : inflate)(bytes, { maxOutputLength: limitBytes });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new HeadraceError(
        'HR_TOO_LARGE',
        `the message is over the server’s limit of ${limitBytes} bytes, unpacked.`,
      );
    throw new HeadraceError('HR_INVALID', `a message is packed, and it is no ${encoding}.`);
  }
}
