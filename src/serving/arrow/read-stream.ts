// An Arrow IPC stream as columns that lie where they came: every length and offset that it names is held against the bytes
// that are there, before anything is made of it. https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format

import { Buffer as FbBuffer } from 'apache-arrow/fb/buffer';
import { DictionaryBatch } from 'apache-arrow/fb/dictionary-batch';
import { FieldNode } from 'apache-arrow/fb/field-node';
import { Message } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { MetadataVersion } from 'apache-arrow/fb/metadata-version';
import { RecordBatch } from 'apache-arrow/fb/record-batch';
import { ByteBuffer } from 'flatbuffers';
import { arrowTypeName, buffersOf } from './arrow-type.ts';
import { malformed } from './malformed.ts';
import { type ArrowField, readSchema } from './read-schema.ts';

export interface ArrowStream {
  readonly fields: readonly ArrowField[];
  /** Of all batches together. */
  readonly rows: number;
  /** By batch, then by field. */
  readonly batches: readonly (readonly ColumnData[])[];
}

/** A column of one batch. */
export interface ColumnData {
  readonly length: number;
  /** A bit for each value that is not null; undefined where all are there. */
  readonly validity: Uint8Array | undefined;
  /** After the validity, as the type has them; views of text have theirs first, then what they look at. */
  readonly buffers: readonly Uint8Array[];
  readonly children: readonly ColumnData[];
  /** Of a dictionary-encoded column: what its indexes point into, in order. */
  readonly dictionary: readonly ColumnData[] | undefined;
}

const CONTINUATION = 0xffffffff;
const PREFIX = 8;

/** Throws HR_MALFORMED_ARROW. */
export function readStream(bytes: Uint8Array): ArrowStream {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let fields: readonly ArrowField[] | undefined;
  let encoded: ReadonlyMap<bigint, ArrowField> = new Map();
  const dictionaries = new Map<bigint, readonly ColumnData[]>();
  const batches: (readonly ColumnData[])[] = [];
  let rows = 0;
  for (let at = 0; ; ) {
    if (at + PREFIX > bytes.length) throw endsEarly(bytes, at);
    if (view.getUint32(at, true) !== CONTINUATION) throw notAStream(bytes, at);
    const size = view.getInt32(at + 4, true);
    at += PREFIX;
    if (size === 0) {
      if (at !== bytes.length) throw malformed(`${bytes.length - at} bytes follow its end`);
      break;
    }
    if (size < 0 || at + size > bytes.length) throw endsEarly(bytes, at);
    const metadata = bytes.subarray(at, at + size);
    const message = Message.getRootAsMessage(new ByteBuffer(metadata));
    at += size;
    const bodySize = numberOf(message.bodyLength());
    if (at + bodySize > bytes.length) throw endsEarly(bytes, at);
    const body = bytes.subarray(at, at + bodySize);
    at += bodySize;
    if (message.version() < MetadataVersion.V4) throw malformed('it is of a version before V4');
    const type = message.headerType();
    if (type === MessageHeader.Schema) {
      if (fields !== undefined) throw malformed('it has a second schema');
      fields = readSchema(message);
      encoded = encodedFields(fields);
    } else if (fields === undefined) {
      throw malformed('it does not begin with its schema');
    } else if (type === MessageHeader.DictionaryBatch) {
      addDictionary(message, metadata, body, encoded, dictionaries);
    } else if (type === MessageHeader.RecordBatch) {
      const batch = message.header(new RecordBatch()) as RecordBatch | null;
      if (batch === null) throw malformed('a batch is not described');
      const length = numberOf(batch.length());
      batches.push(readBatch(batch, metadata, body, fields, dictionaries, length));
      rows += length;
    } else throw malformed('it holds something else than a schema, dictionaries and batches');
  }
  if (fields === undefined) throw malformed('it is empty');
  return { fields, rows, batches };
}

function endsEarly(bytes: Uint8Array, at: number): Error {
  if (bytes.length === 0) return malformed('it is empty');
  return malformed(`it ends after ${bytes.length} bytes, in what begins at ${Math.min(at, bytes.length)}`);
}

const FILE_MAGIC = Buffer.from('ARROW1');

function notAStream(bytes: Uint8Array, at: number): Error {
  if (at === 0 && FILE_MAGIC.equals(bytes.subarray(0, FILE_MAGIC.length)))
    return malformed('it is an Arrow file; send the stream format');
  return malformed(`no message begins at byte ${at}`);
}

/** A length that a number holds. */
function numberOf(value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(`it names a length of ${value}`);
  return Number(value);
}

function addDictionary(
  message: Message,
  metadata: Uint8Array,
  body: Uint8Array,
  encoded: ReadonlyMap<bigint, ArrowField>,
  dictionaries: Map<bigint, readonly ColumnData[]>,
): void {
  const batch = message.header(new DictionaryBatch()) as DictionaryBatch | null;
  const data = batch?.data(new RecordBatch());
  if (batch === null || data == null) throw malformed('a dictionary is not described');
  const id = batch.id();
  const field = encoded.get(id);
  if (field === undefined) throw malformed(`no column has the dictionary ${id}`);
  const length = numberOf(data.length());
  const values = { ...field, dictionary: undefined };
  const [column] = readBatch(data, metadata, body, [values], dictionaries, length) as readonly [ColumnData];
  const before = batch.isDelta() ? (dictionaries.get(id) ?? []) : [];
  // Of a dictionary in a thousand pieces a copy each time would be the square of them.
  if (before.length >= MOST_PIECES) throw malformed(`the dictionary ${id} comes in more than ${MOST_PIECES} pieces`);
  dictionaries.set(id, [...before, column]);
}

const MOST_PIECES = 1000;

/** By the id of their dictionary, which several of one type may share. */
function encodedFields(fields: readonly ArrowField[], found = new Map<bigint, ArrowField>()): Map<bigint, ArrowField> {
  for (const field of fields) {
    const id = field.dictionary?.id;
    if (id !== undefined) {
      const other = found.get(id) ?? field;
      if (arrowTypeName(other.type) !== arrowTypeName(field.type))
        throw malformed(`the dictionary ${id} is of columns of different types`);
      found.set(id, other);
    }
    encodedFields(field.children, found);
  }
  return found;
}

function readBatch(
  batch: RecordBatch,
  metadata: Uint8Array,
  body: Uint8Array,
  fields: readonly ArrowField[],
  dictionaries: ReadonlyMap<bigint, readonly ColumnData[]>,
  rows: number,
): readonly ColumnData[] {
  if (batch.compression() !== null) throw malformed('a batch is compressed; send it without');
  const [node, buffer] = [new FieldNode(), new FbBuffer()];
  const counts = { nodes: batch.nodesLength(), buffers: batch.buffersLength(), views: 0 };
  const next = { node: 0, buffer: 0 };

  const takeNode = (): FieldNode => {
    const taken = next.node < counts.nodes ? batch.nodes(next.node++, node) : null;
    if (taken === null || !isWithin(taken.bb_pos, metadata))
      throw malformed('a batch has fewer columns than the schema');
    return taken;
  };
  const takeBuffer = (): Uint8Array => {
    const taken = next.buffer < counts.buffers ? batch.buffers(next.buffer++, buffer) : null;
    if (taken === null || !isWithin(taken.bb_pos, metadata))
      throw malformed('a batch has fewer buffers than its columns');
    const [from, size] = [numberOf(taken.offset()), numberOf(taken.length())];
    if (from + size > body.length) throw malformed('a buffer ends past its batch');
    return body.subarray(from, from + size);
  };
  const readColumn = (field: ArrowField): ColumnData => {
    const { type } = field;
    const own = takeNode();
    const length = numberOf(own.length());
    const nulls = own.nullCount();
    if (nulls > BigInt(length)) throw malformed(`column "${field.name}" has more nulls than values`);
    if (type.kind === 'null') return { length, validity: undefined, buffers: [], children: [], dictionary: undefined };
    const isEncoded = field.dictionary !== undefined;
    let left = isEncoded ? 2 : buffersOf(type);
    const bits = left > 0 && hasValidity(field) ? takeBuffer() : undefined;
    if (bits !== undefined) left--;
    const isView = !isEncoded && (type.kind === 'textView' || type.kind === 'binaryView');
    if (isView) left += viewed(batch, counts.views++);
    if (left > counts.buffers) throw malformed('a batch has fewer buffers than its columns');
    const buffers = Array.from({ length: left }, takeBuffer);
    const children = isEncoded ? [] : field.children.map(readColumn);
    // Some writers do not count them, which is −1; a column without any may have no bits.
    const validity = nulls === 0n || (nulls < 0n && bits?.length === 0) ? undefined : bits;
    if (validity !== undefined && validity.length * 8 < length)
      throw malformed(`the nulls of column "${field.name}" end early`);
    return {
      length,
      validity,
      buffers,
      children,
      dictionary: field.dictionary && dictionaries.get(field.dictionary.id),
    };
  };
  const columns = fields.map(readColumn);
  for (const [at, { length }] of columns.entries())
    if (length !== rows)
      throw malformed(`column "${fields[at]?.name}" has ${length} values in a batch of ${rows} rows`);
  return columns;
}

/** Structs of 16 bytes. */
const isWithin = (at: number, metadata: Uint8Array): boolean => at > 0 && at + 16 <= metadata.length;

/** Unions and what is encoded by runs have none. */
function hasValidity({ type, dictionary }: ArrowField): boolean {
  return dictionary !== undefined || type.kind !== 'other' || (type.name !== 'Union' && type.name !== 'RunEndEncoded');
}

function viewed(batch: RecordBatch, at: number): number {
  const count = at < batch.variadicBufferCountsLength() ? batch.variadicBufferCounts(at) : null;
  if (count === null) throw malformed('a batch does not say what its views look at');
  return numberOf(count);
}
