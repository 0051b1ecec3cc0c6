// An Arrow IPC stream in a file, a message at a time: whole messages or an error, and none that is too large to be held in memory.

import { type FileHandle, open } from 'node:fs/promises';
import { Message } from 'apache-arrow';
import { HeadraceError } from '../../core/index.ts';

/** Of one message: a record batch is read whole. */
const MOST_BYTES = 512 * 1024 * 1024;
/** Of one message's header, which holds the schema or places of buffers. */
const MOST_HEADER_BYTES = 64 * 1024 * 1024;
const CONTINUATION = 0xffff_ffff;

/** The stream's bytes, in pieces that never end within a header. Throws HR_SPINE. */
export async function* readFrames(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size === 0) throw bad('it is empty');
    let at = 0;
    for (;;) {
      // Its end may be marked, or be the file's.
      if (at === size) return;
      const header = await readHeader(file, at, size);
      if (header === undefined) return;
      const { bytes, bodyBytes } = header;
      if (at + bytes.length + bodyBytes > size) throw cut();
      yield bytes;
      at += bytes.length;
      if (bodyBytes > 0) yield await read(file, at, bodyBytes);
      at += bodyBytes;
    }
  } finally {
    await file.close();
  }
}

interface Header {
  readonly bytes: Uint8Array;
  readonly bodyBytes: number;
}

/** Undefined where the stream ends. */
async function readHeader(file: FileHandle, at: number, size: number): Promise<Header | undefined> {
  if (at + 8 > size) throw cut();
  const start = await read(file, at, 8);
  const view = new DataView(start.buffer, start.byteOffset, 8);
  if (view.getUint32(0, true) !== CONTINUATION)
    throw bad(at === 0 ? 'it does not begin as one' : 'a message does not begin where the one before ends');
  const length = view.getInt32(4, true);
  if (length === 0) return undefined;
  if (length < 0 || length > MOST_HEADER_BYTES) throw bad(`a message’s header has ${length} bytes`);
  if (at + 8 + length > size) throw cut();
  const bytes = await read(file, at, 8 + length);
  let bodyBytes: number;
  try {
    bodyBytes = Message.decode(bytes.subarray(8)).bodyLength;
  } catch (cause) {
    throw bad('a message’s header cannot be read', cause);
  }
  if (!Number.isSafeInteger(bodyBytes) || bodyBytes < 0) throw bad('a message has no length');
  if (bodyBytes > MOST_BYTES)
    throw new HeadraceError(
      'HR_SPINE',
      `a record batch of the spine has ${bodyBytes} bytes, and ${MOST_BYTES} are the most. Send more and smaller ones, such as of 65,536 rows.`,
    );
  return { bytes, bodyBytes };
}

async function read(file: FileHandle, at: number, length: number): Promise<Uint8Array> {
  // From no pool: Arrow's columns are views of it, which begin at multiples of 8.
  const bytes = new Uint8Array(new ArrayBuffer(length));
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) throw cut();
    done += bytesRead;
  }
  return bytes;
}

export function bad(what: string, cause?: unknown): HeadraceError {
  return new HeadraceError('HR_SPINE', `the spine is no Arrow IPC stream: ${what}.`, { cause });
}

const cut = (): HeadraceError => bad('it ends within a message; was it sent whole?');
