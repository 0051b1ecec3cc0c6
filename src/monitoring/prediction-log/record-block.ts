// Blocks of memory that frames are written straight into, used again and bounded together: what waits for the disk never
// takes more memory than was given, and a record leaves nothing for the garbage collector.

import type { NamedSchema } from './arm-schema.ts';

export interface Block {
  readonly bytes: Buffer;
  readonly view: DataView;
  /** Bytes of whole frames; what is behind is rubbish. */
  used: number;
  records: number;
  /** Of its records, each once: a segment needs them before it. */
  readonly schemas: NamedSchema[];
}

export interface BlockBuffer {
  /** The block that has room for so many more bytes (at most `BLOCK_BYTES`); undefined where all memory waits for the disk. */
  room(bytes: number): Block | undefined;
  /** All that has records, in order; give each back once it is written. */
  take(): Block[];
  release(block: Block): void;
  /** Of the blocks that are in use, as memory. */
  readonly heldBytes: number;
  /** Records that were not taken yet. */
  readonly records: number;
  readonly fullBlocks: number;
}

export const BLOCK_BYTES = 512 * 1024;
/** Kept for later; what a burst needed beyond them is let go. */
const MOST_SPARE = 16;

/** `memory` in bytes: at least two blocks. */
export function createBlockBuffer(memory: number): BlockBuffer {
  const most = Math.max(2, Math.floor(memory / BLOCK_BYTES));
  const spare: Block[] = [];
  let full: Block[] = [];
  let current: Block | undefined;
  let held = 0;
  let fullRecords = 0;

  const next = (): Block | undefined => {
    if (held >= most) return undefined;
    held++;
    return spare.pop() ?? createBlock();
  };
  const endCurrent = (): void => {
    if (current === undefined || current.records === 0) return;
    full.push(current);
    fullRecords += current.records;
    current = undefined;
  };

  return {
    room(bytes) {
      if (current !== undefined && current.used + bytes <= BLOCK_BYTES) return current;
      endCurrent();
      return (current ??= next());
    },
    take() {
      endCurrent();
      const taken = full;
      full = [];
      fullRecords = 0;
      return taken;
    },
    release(block) {
      held--;
      if (spare.length >= MOST_SPARE) return;
      block.used = block.records = block.schemas.length = 0;
      spare.push(block);
    },
    get heldBytes() {
      return held * BLOCK_BYTES;
    },
    get records() {
      return fullRecords + (current?.records ?? 0);
    },
    get fullBlocks() {
      return full.length;
    },
  };
}

function createBlock(): Block {
  const bytes = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  return {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, BLOCK_BYTES),
    used: 0,
    records: 0,
    schemas: [],
  };
}
