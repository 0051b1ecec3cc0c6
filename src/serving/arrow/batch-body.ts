// A record batch's body in one growing piece of memory that is used again for every answer: values go column by column
// straight into the typed arrays that Arrow's buffers are, from the packed records that they lie in.

import { type DataType, HeadraceError, type Micros, microsOfTime, type Value } from '../../core/index.ts';
import type { ValueSink } from '../../online/index.ts';
import { type BatchMessage, END, fillBatch, padded } from './messages.ts';

const SMALLEST_BYTES = 64 * 1024;
/** An answer that grew past it does not keep its memory. */
const LARGEST_KEPT_BYTES = 4 * 1024 * 1024;
/** Offsets are of 32 bits. */
const MOST_BYTES = 2 ** 31 - 1;
const HIGH = 2 ** 32;

/** How a column's values are laid out. */
const FORM = { bits: 0, int32: 1, int64: 2, float32: 3, float64: 4, timestamp: 5, bytes: 6, items: 7 } as const;
type Form = (typeof FORM)[keyof typeof FORM];

const WIDTHS: readonly number[] = [0, 4, 8, 4, 8, 8, 0, 0];

/** Not shared: one call writes a whole body and takes it. One class for all types, so that givers of values see one. */
export class BatchBody implements ValueSink {
  /** By node: length, nulls. */
  readonly #nodes: number[] = [];
  /** By buffer: offset from the start of the body, length. */
  readonly #buffers: number[] = [];
  #memory = memoryOf(SMALLEST_BYTES);
  /** Where the body begins in the memory, and where it goes on. */
  #start = 0;
  #end = 0;
  // Of the column under way:
  #form: Form = FORM.bits;
  #rows = 0;
  #row = 0;
  #nulls = 0;
  #validityAt = 0;
  #dataAt = 0;
  #items: Value[] = [];

  /** Begins the body of a batch behind what `take` gets. */
  open(prefix: Uint8Array, message: BatchMessage): void {
    const headSize = prefix.length + message.bytes.length;
    this.#nodes.length = this.#buffers.length = 0;
    this.#start = this.#end = 0;
    this.#reserve(headSize);
    this.#start = this.#end = headSize;
  }

  /** Begins a column, to which so many values are given. */
  begin(type: DataType, rows: number): void {
    const form = formOf(type);
    const validitySize = padded((rows + 7) >> 3);
    const width = WIDTHS[form] as number;
    const dataSize =
      form === FORM.bits ? validitySize : form >= FORM.bytes ? padded((rows + 1) * 4) : padded(rows * width);
    this.#reserve(validitySize + dataSize);
    this.#form = form;
    this.#rows = rows;
    this.#row = this.#nulls = 0;
    this.#validityAt = this.#end;
    this.#dataAt = this.#end + validitySize;
    this.#end = this.#dataAt + dataSize;
    if (form === FORM.items) this.#items = [];
    // What another answer left there goes to nobody: numbers fill theirs, but for what is behind the last.
    const { bytes } = this.#memory;
    bytes.fill(0, this.#validityAt, form === FORM.bits ? this.#end : this.#dataAt);
    if (form !== FORM.bits && dataSize > 0) bytes.fill(0, this.#end - 8, this.#end);
    if (form >= FORM.bytes) this.#memory.int32[this.#dataAt >> 2] = 0;
  }

  /**
   * The column's numbers by `copy`, which puts them in place and calls `rest` for each row that is to be given as any
   * other. False where it copies none.
   */
  copy(
    copy: (to: Int32Array, at: number, rest: (row: number) => void) => boolean,
    rest: (row: number) => void,
  ): boolean {
    const isCopied = copy(this.#memory.int32, this.#dataAt >> 2, (row) => {
      this.#row = row;
      rest(row);
    });
    if (isCopied) this.#row = this.#rows;
    return isCopied;
  }

  none(): void {
    const { bytes } = this.#memory;
    const [at, row] = [this.#validityAt, this.#row];
    if (this.#nulls++ === 0) {
      // All that are and will be there, until one is not.
      for (let bit = 0; bit < this.#rows; bit += 8)
        bytes[at + (bit >> 3)] = bit + 8 <= this.#rows ? 255 : (1 << (this.#rows - bit)) - 1;
    }
    bytes[at + (row >> 3)] = (bytes[at + (row >> 3)] as number) & ~(1 << (row & 7));
    switch (this.#form) {
      case FORM.bits:
        break;
      case FORM.bytes:
        this.#memory.int32[(this.#dataAt >> 2) + row + 1] = this.#memory.int32[(this.#dataAt >> 2) + row] as number;
        break;
      case FORM.items:
        this.#items.push(null);
        break;
      case FORM.int32:
      case FORM.float32:
        this.#memory.int32[(this.#dataAt >> 2) + row] = 0;
        break;
      default:
        this.#memory.float64[(this.#dataAt >> 3) + row] = 0;
    }
    this.#row++;
  }

  bool(value: boolean): void {
    const row = this.#row++;
    if (!value) return;
    const at = this.#dataAt + (row >> 3);
    const { bytes } = this.#memory;
    bytes[at] = (bytes[at] as number) | (1 << (row & 7));
  }

  number(value: number): void {
    const row = this.#row++;
    if (this.#form === FORM.float64) this.#memory.float64[(this.#dataAt >> 3) + row] = value;
    else if (this.#form === FORM.float32) this.#memory.float32[(this.#dataAt >> 2) + row] = value;
    else this.#memory.int32[(this.#dataAt >> 2) + row] = value;
  }

  int64(high: number, low: number): void {
    const at = (this.#dataAt >> 2) + 2 * this.#row++;
    this.#memory.int32[at] = low;
    this.#memory.int32[at + 1] = high;
  }

  timestamp(value: Micros): void {
    if (!Number.isSafeInteger(value)) return this.#bigint(microsOfTime(value));
    const high = Math.floor(value / HIGH);
    this.int64(high, value - high * HIGH);
  }

  text(from: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.#reserve(size);
    const { bytes } = this.#memory;
    const at = this.#end;
    if (size <= 32) for (let i = 0; i < size; i++) bytes[at + i] = from[start + i] as number;
    else bytes.set(from.subarray(start, end), at);
    this.#endText(at + size);
  }

  value(type: DataType, value: Value): void {
    if (value === null) return this.none();
    switch (type.kind) {
      case 'bool':
        return this.bool(value === true);
      case 'int32':
      case 'float32':
      case 'float64':
        return this.number(value as number);
      case 'int64':
        return this.#bigint(value as bigint);
      case 'timestamp':
        return this.timestamp(value as number);
      case 'string': {
        const text = value as string;
        this.#reserve(text.length * 3);
        return this.#endText(this.#end + this.#memory.buffer.write(text, this.#end, 'utf8'));
      }
      case 'bytes': {
        const bytes = value as Uint8Array;
        return this.text(bytes, 0, bytes.length);
      }
      default:
        this.#items.push(value);
        this.#row++;
    }
  }

  #bigint(value: bigint): void {
    const whole = BigInt.asUintN(64, value);
    this.int64(Number(whole >> 32n), Number(whole & 0xffffffffn));
  }

  /** Ends the column, and writes what is within its lists. */
  finish(type: DataType): void {
    this.#nodes.push(this.#rows, this.#nulls);
    this.#addBuffer(this.#validityAt, this.#nulls === 0 ? 0 : (this.#rows + 7) >> 3);
    if (this.#form === FORM.items) return this.#finishItems(type);
    if (this.#form === FORM.bytes) {
      const dataAt = this.#dataAt + padded((this.#rows + 1) * 4);
      this.#addBuffer(this.#dataAt, (this.#rows + 1) * 4);
      this.#addBuffer(dataAt, this.#end - dataAt);
      this.#pad();
    } else {
      const size = this.#form === FORM.bits ? (this.#rows + 7) >> 3 : this.#rows * (WIDTHS[this.#form] as number);
      this.#addBuffer(this.#dataAt, size);
    }
  }

  /** A column of statuses: codes as they are, none of them null. */
  codes(codes: Uint8Array): void {
    const size = padded(codes.length);
    this.#reserve(size);
    const at = this.#end;
    this.#memory.bytes.set(codes, at);
    this.#memory.bytes.fill(0, at + codes.length, at + size);
    this.#end = at + size;
    this.#nodes.push(codes.length, 0);
    this.#addBuffer(at, 0);
    this.#addBuffer(at, codes.length);
  }

  /** The stream: what goes before the batch, its message, this body, the end; bytes of their own. */
  take(prefix: Uint8Array, message: BatchMessage, rows: number): Buffer {
    const { bytes, view } = this.#memory;
    bytes.set(prefix);
    bytes.set(message.bytes, prefix.length);
    const bodySize = this.#end - this.#start;
    fillBatch(view, prefix.length, message, { rows, bodySize, nodes: this.#nodes, buffers: this.#buffers });
    const taken = Buffer.allocUnsafe(this.#end + END.length);
    taken.set(bytes.subarray(0, this.#end));
    taken.set(END, this.#end);
    if (bytes.length > LARGEST_KEPT_BYTES) this.#memory = memoryOf(SMALLEST_BYTES);
    return taken;
  }

  #finishItems(type: DataType): void {
    const lists = this.#items as readonly (readonly Value[] | Float32Array | null)[];
    const [dataAt, rows] = [this.#dataAt, this.#rows];
    if (type.kind === 'vector') {
      // A list of a fixed size has no offsets: their place is what the numbers begin at.
      this.#end = dataAt;
      const items = lists.flatMap((list) => (list === null ? new Array<Value>(type.size).fill(0) : Array.from(list)));
      return this.#column({ kind: 'float32' }, items);
    }
    // Its column is one of lists.
    const { of } = type as Extract<DataType, { readonly kind: 'list' }>;
    let end = 0;
    for (let row = 0; row < rows; row++) {
      end += lists[row]?.length ?? 0;
      this.#memory.int32[(dataAt >> 2) + row + 1] = end;
    }
    this.#addBuffer(dataAt, (rows + 1) * 4);
    this.#column(
      of,
      lists.flatMap((list) => (list === null ? [] : Array.from(list))),
    );
  }

  #column(type: DataType, values: readonly Value[]): void {
    this.begin(type, values.length);
    for (const value of values) this.value(type, value);
    this.finish(type);
  }

  #addBuffer(at: number, size: number): void {
    this.#buffers.push(at - this.#start, size);
  }

  #endText(end: number): void {
    this.#end = end;
    const row = this.#row++;
    const dataAt = this.#dataAt + padded((this.#rows + 1) * 4);
    this.#memory.int32[(this.#dataAt >> 2) + row + 1] = end - dataAt;
  }

  #pad(): void {
    const end = padded(this.#end);
    this.#reserve(8);
    this.#memory.bytes.fill(0, this.#end, end);
    this.#end = end;
  }

  #reserve(size: number): void {
    const needed = this.#end + size;
    const { bytes } = this.#memory;
    if (needed <= bytes.length) return;
    if (needed > MOST_BYTES)
      throw new HeadraceError('HR_TOO_LARGE', 'the answer is larger than 2 GiB. Ask for fewer rows at once.');
    const grown = memoryOf(padded(Math.max(needed, bytes.length * 2)));
    grown.bytes.set(bytes.subarray(0, this.#end));
    this.#memory = grown;
  }
}

function formOf({ kind }: DataType): Form {
  switch (kind) {
    case 'bool':
      return FORM.bits;
    case 'string':
    case 'bytes':
      return FORM.bytes;
    case 'list':
    case 'vector':
      return FORM.items;
    default:
      return FORM[kind];
  }
}

/** The same memory as each kind of number. */
function memoryOf(size: number) {
  const memory = new ArrayBuffer(size);
  return {
    bytes: new Uint8Array(memory),
    buffer: Buffer.from(memory),
    view: new DataView(memory),
    int32: new Int32Array(memory),
    float32: new Float32Array(memory),
    float64: new Float64Array(memory),
  };
}
