// Text and bytes, by offsets or by views: each value is held against the bytes that are there, text against UTF-8.

import { isAscii } from 'node:buffer';
import type { ArrowType } from './arrow-type.ts';
import { bufferOf, type Cell, type ReadCell, viewOf, WrongCell } from './cells.ts';
import { malformed } from './malformed.ts';
import type { ColumnData } from './read-stream.ts';
import type { Room } from './room.ts';

type Offset = Extract<ArrowType, { readonly kind: 'text' | 'binary' }>;
type View = Extract<ArrowType, { readonly kind: 'textView' | 'binaryView' }>;
type Fixed = Extract<ArrowType, { readonly kind: 'fixedBinary' }>;

/** Where value `at` lies: sets what `found` has. */
interface Spans {
  readonly found: { bytes: Uint8Array; from: number; to: number };
  find(at: number): void;
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

export function textReader(from: Offset | View): (data: ColumnData, room: Room) => ReadCell {
  return (data, room) => {
    const { found, find } = spansOf(from, data);
    const [, content] = data.buffers;
    // Of most columns all is ASCII, and each text of it then a slice.
    const isPlain = from.kind === 'text' && content !== undefined && isAscii(content);
    const plain = isPlain ? Buffer.from(content.buffer, content.byteOffset, content.length) : undefined;
    return (at) => {
      find(at);
      const { bytes, from: start, to } = found;
      room.take(to - start);
      return plain === undefined ? decode(bytes, start, to) : plain.toString('latin1', start, to);
    };
  };
}

export function bytesReader(from: Offset | View | Fixed): (data: ColumnData, room: Room) => ReadCell {
  return (data, room) => {
    const { found, find } = spansOf(from, data);
    return (at) => {
      find(at);
      room.take(found.to - found.from);
      // A copy, since the body is let go.
      return found.bytes.slice(found.from, found.to);
    };
  };
}

function decode(bytes: Uint8Array, from: number, to: number): Cell {
  const part = bytes.subarray(from, to);
  try {
    return utf8.decode(part);
  } catch {
    return new WrongCell({ kind: 'string' }, Buffer.from(part).toString('latin1'), ', whose bytes are not UTF-8');
  }
}

function spansOf(from: Offset | View | Fixed, data: ColumnData): Spans {
  if (from.kind === 'fixedBinary') return fixedSpans(from.bytes, data);
  return from.kind === 'text' || from.kind === 'binary' ? offsetSpans(from.offsetBytes, data) : viewSpans(data);
}

function fixedSpans(size: number, { length, buffers }: ColumnData): Spans {
  const found = { bytes: bufferOf(buffers, 0, length * size), from: 0, to: 0 };
  return {
    found,
    find(at) {
      found.from = at * size;
      found.to = found.from + size;
    },
  };
}

function offsetSpans(size: 4 | 8, { length, buffers }: ColumnData): Spans {
  const offsetAt = offsets(buffers, length, size);
  const bytes = bufferOf(buffers, 1, 0);
  const found = { bytes, from: 0, to: 0 };
  return {
    found,
    find(at) {
      found.from = offsetAt(at);
      found.to = offsetAt(at + 1);
      checkSpan(found.from, found.to, bytes.length);
    },
  };
}

/** Of a column with no values there may be none. */
export function offsets(buffers: readonly Uint8Array[], length: number, size: 4 | 8): (at: number) => number {
  const view = viewOf(buffers, 0, length === 0 ? 0 : (length + 1) * size);
  if (size === 4) return (at) => view.getInt32(at * 4, true);
  return (at) => view.getInt32(at * 8 + 4, true) * 2 ** 32 + view.getUint32(at * 8, true);
}

export function checkSpan(from: number, to: number, size: number): void {
  if (from < 0 || to < from || to > size) throw malformed('the offsets of a column lie outside of what they are into');
}

const VIEW = 16;
const MOST_INLINE = 12;

/** A length, then the bytes themselves where they are few; else their first four, a buffer and a place in it. */
function viewSpans({ length, buffers }: ColumnData): Spans {
  const views = viewOf(buffers, 0, length * VIEW);
  const own = bufferOf(buffers, 0, 0);
  const found = { bytes: own, from: 0, to: 0 };
  return {
    found,
    find(at) {
      const place = at * VIEW;
      const size = views.getInt32(place, true);
      const isInline = size <= MOST_INLINE;
      const bytes = isInline ? own : buffers[1 + views.getInt32(place + 8, true)];
      if (bytes === undefined || size < 0) throw malformed('a view looks at what is not there');
      found.bytes = bytes;
      found.from = isInline ? place + 4 : views.getInt32(place + 12, true);
      found.to = found.from + size;
      checkSpan(found.from, found.to, bytes.length);
    },
  };
}
