// Finds where each reply ends in what a socket gives, without making anything of it: who asked decodes it in place.
// A reply cut by chunks is gathered, and looked at from where the last look stopped.

/** A whole reply lies at `start`; the bytes stay as they are as long as they are held. */
export type OnReply = (bytes: Buffer, start: number) => void;

export interface ReplyFramer {
  /** Calls `onReply` for each reply that is whole now. Throws when the bytes are not Redis' protocol. */
  push(chunk: Buffer): void;
}

const INTEGER = 58;
const TEXT = 43;
const ERROR = 45;
const BULK = 36;
const ARRAY = 42;
const CR = 13;

const LONGEST_LINE = 64 * 1024;
const SMALLEST_GATHERED = 1024;

export function createReplyFramer(onReply: OnReply): ReplyFramer {
  /** A reply cut by the end of a chunk: its bytes so far, from its start. */
  let gathered: Buffer | undefined;
  let gatheredLength = 0;
  /** Of the reply under way: where to go on looking, how many elements it lacks, how many bytes it has at least. */
  let at = 0;
  let missing = 1;
  let needed = 0;

  return {
    push(chunk) {
      let from = 0;
      while (gathered !== undefined) {
        if (from === chunk.length) return;
        from += finishGathered(gathered, chunk, from);
      }
      at = from;
      while (look(chunk, from, chunk.length)) {
        onReply(chunk, from);
        from = at;
      }
      if (from === chunk.length) return;
      gatheredLength = chunk.length - from;
      gathered = Buffer.allocUnsafeSlow(Math.max(needed, gatheredLength * 2, SMALLEST_GATHERED));
      chunk.copy(gathered, 0, from);
      at -= from;
    },
  };

  /** Takes what the cut reply may lack from the chunk; gives how much of it is used up. */
  function finishGathered(bytes: Buffer, chunk: Buffer, from: number): number {
    const before = gatheredLength;
    const size = Math.min(chunk.length - from, Math.max(needed - before, before, SMALLEST_GATHERED));
    let into = bytes;
    if (before + size > bytes.length) {
      into = Buffer.allocUnsafeSlow(Math.max(needed, (before + size) * 2));
      bytes.copy(into, 0, 0, before);
    }
    chunk.copy(into, before, from, from + size);
    gathered = into;
    gatheredLength = before + size;
    if (!look(into, 0, gatheredLength)) return size;
    gathered = undefined;
    onReply(into, 0);
    return at - before;
  }

  /** Goes on looking for the end of the reply that starts at `start`; true when it lies at `at`. */
  function look(bytes: Buffer, start: number, length: number): boolean {
    while (at < length) {
      const lineEnd = findLineEnd(bytes, at + 1, length);
      if (lineEnd < 0) break;
      const kind = bytes[at] as number;
      let next = lineEnd + 2;
      if (kind === BULK) {
        const size = readInteger(bytes, at + 1, lineEnd);
        if (size >= 0) next += size + 2;
        if (next > length) {
          needed = next - start;
          return false;
        }
      } else if (kind === ARRAY) {
        const count = readInteger(bytes, at + 1, lineEnd);
        if (count > 0) missing += count;
      } else if (kind !== INTEGER && kind !== TEXT && kind !== ERROR) {
        throw new Error('it does not speak the Redis protocol');
      }
      at = next;
      if (--missing === 0) {
        missing = 1;
        needed = 0;
        return true;
      }
    }
    return false;
  }
}

/** Where the CR of the line lies whose LF is there too, or −1. */
function findLineEnd(bytes: Buffer, from: number, length: number): number {
  for (let at = from; at < length; at++) {
    if (bytes[at] === CR) return at + 1 < length ? at : -1;
  }
  if (length - from > LONGEST_LINE) throw new Error('it does not speak the Redis protocol');
  return -1;
}

function readInteger(bytes: Buffer, from: number, to: number): number {
  let value = 0;
  if (bytes[from] === 45) return -readInteger(bytes, from + 1, to);
  for (let at = from; at < to; at++) {
    const digit = (bytes[at] as number) - 48;
    if (digit < 0 || digit > 9) throw new Error('it does not speak the Redis protocol');
    value = value * 10 + digit;
  }
  return value;
}
