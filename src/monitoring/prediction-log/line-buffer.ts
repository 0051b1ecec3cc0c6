// Lines as bytes, gathered into blocks of memory that are used again: a line's text dies young, so that a log under
// load leaves nothing for the garbage collector to copy.

export interface LineBuffer {
  /** Lines gathered and not taken yet. */
  readonly lines: number;
  readonly bytes: number;
  add(line: string): void;
  /** All that was gathered, in order. Give the blocks back with `release` once they are written. */
  take(): TakenLines;
  release(taken: TakenLines): void;
}

export interface TakenLines {
  readonly lines: number;
  /** Each holds whole lines. */
  readonly blocks: readonly Buffer[];
}

const BLOCK_BYTES = 256 * 1024;
/** Blocks kept for later; what a burst needed beyond them is let go. */
const MOST_SPARE = 32;
/** UTF-16 code units become at most this many bytes of UTF-8. */
const BYTES_PER_UNIT = 3;

export function createLineBuffer(): LineBuffer {
  const spare: Buffer[] = [];
  let full: Buffer[] = [];
  let fullBytes = 0;
  let block: Buffer | undefined;
  let used = 0;
  let lines = 0;

  const endBlock = (): void => {
    if (block === undefined || used === 0) return;
    full.push(block.subarray(0, used));
    fullBytes += used;
    block = undefined;
    used = 0;
  };

  return {
    get lines() {
      return lines;
    },
    get bytes() {
      return fullBytes + used;
    },
    add(line) {
      const most = line.length * BYTES_PER_UNIT;
      if (block !== undefined && used + most > block.length) endBlock();
      block ??= (most <= BLOCK_BYTES ? spare.pop() : undefined) ?? Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, most));
      used += block.write(line, used);
      lines++;
    },
    take() {
      endBlock();
      const taken = { lines, blocks: full };
      full = [];
      fullBytes = 0;
      lines = 0;
      return taken;
    },
    release({ blocks }) {
      for (const { buffer } of blocks) {
        if (spare.length === MOST_SPARE) return;
        if (buffer.byteLength === BLOCK_BYTES) spare.push(Buffer.from(buffer));
      }
    },
  };
}
