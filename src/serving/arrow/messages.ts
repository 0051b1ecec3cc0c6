// The messages of an answer's stream as bytes: schema and dictionary once a plan, and a record batch's with places for the
// numbers that differ from answer to answer. So no answer builds a flatbuffer.

import { DictionaryBatch } from 'apache-arrow/fb/dictionary-batch';
import { Buffer as FbBuffer } from 'apache-arrow/fb/buffer';
import { FieldNode } from 'apache-arrow/fb/field-node';
import { KeyValue } from 'apache-arrow/fb/key-value';
import { Message } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { MetadataVersion } from 'apache-arrow/fb/metadata-version';
import { RecordBatch } from 'apache-arrow/fb/record-batch';
import { Endianness } from 'apache-arrow/fb/endianness';
import { Schema } from 'apache-arrow/fb/schema';
import { Builder, ByteBuffer } from 'flatbuffers';
import { addField, type OutField, sizesOf, STATUS_DICTIONARY } from './out-fields.ts';

/** Marks the end of a stream. */
export const END: Uint8Array = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0);
const PREFIX = 8;
const STRUCT = 16;

/** A record batch's message, to be filled in. All places are of int64 in `bytes`. */
export interface BatchMessage {
  readonly bytes: Uint8Array;
  readonly rowsAt: number;
  readonly bodySizeAt: number;
  /** Of the first node: length, nulls; 16 bytes each. */
  readonly nodesAt: number;
  /** Of the first buffer: offset, length; 16 bytes each. */
  readonly buffersAt: number;
}

/** `metadata`: texts by name. */
export function schemaMessage(
  fields: readonly OutField[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const builder = new Builder();
  const fieldVector = Schema.createFieldsVector(
    builder,
    fields.map((field) => addField(builder, field)),
  );
  const entries = Object.entries(metadata).map(([key, value]) =>
    KeyValue.createKeyValue(builder, builder.createString(key), builder.createString(value)),
  );
  const metadataVector = Schema.createCustomMetadataVector(builder, entries);
  Schema.startSchema(builder);
  Schema.addEndianness(builder, Endianness.Little);
  Schema.addFields(builder, fieldVector);
  if (entries.length > 0) Schema.addCustomMetadata(builder, metadataVector);
  return finish(builder, MessageHeader.Schema, Schema.endSchema(builder), 0);
}

export function batchMessage(fields: readonly OutField[]): BatchMessage {
  let [nodes, buffers] = [0, 0];
  for (const { type } of fields) {
    const sizes = sizesOf(type);
    nodes += sizes.nodes;
    buffers += sizes.buffers;
  }
  const builder = new Builder();
  const bytes = finish(builder, MessageHeader.RecordBatch, addBatch(builder, 1, nodes, emptyBuffers(buffers)), 1);
  const message = Message.getRootAsMessage(new ByteBuffer(bytes.subarray(PREFIX)));
  const batch = message.header(new RecordBatch()) as RecordBatch;
  // Their vectors lie in one piece; fields are never at 0.
  const at = (table: { readonly bb_pos: number; readonly bb: ByteBuffer | null }, field: number): number =>
    PREFIX + table.bb_pos + (table.bb?.__offset(table.bb_pos, field) ?? 0);
  return {
    bytes,
    rowsAt: at(batch, ROWS_FIELD),
    bodySizeAt: at(message, BODY_SIZE_FIELD),
    nodesAt: PREFIX + (batch.nodes(0)?.bb_pos ?? 0),
    buffersAt: PREFIX + (batch.buffers(0)?.bb_pos ?? 0),
  };
}

/** Places in the vtables of `RecordBatch.length` and `Message.bodyLength`. */
const [ROWS_FIELD, BODY_SIZE_FIELD] = [4, 10];

/** The statuses that columns point into, body included. */
export function statusDictionary(statuses: readonly string[]): Uint8Array {
  const texts = statuses.map((status) => Buffer.from(status));
  const offsets = new Int32Array(texts.length + 1);
  for (const [at, text] of texts.entries()) offsets[at + 1] = (offsets[at] as number) + text.length;
  const [offsetsSize, textsSize] = [padded(offsets.byteLength), padded(offsets.at(-1) ?? 0)];
  const builder = new Builder();
  const data = addBatch(builder, texts.length, 1, [
    [0, 0],
    [0, offsets.byteLength],
    [offsetsSize, offsets.at(-1) ?? 0],
  ]);
  DictionaryBatch.startDictionaryBatch(builder);
  DictionaryBatch.addId(builder, STATUS_DICTIONARY);
  DictionaryBatch.addData(builder, data);
  const batch = DictionaryBatch.endDictionaryBatch(builder);
  const head = finish(builder, MessageHeader.DictionaryBatch, batch, offsetsSize + textsSize);
  const body = new Uint8Array(offsetsSize + textsSize);
  body.set(new Uint8Array(offsets.buffer));
  body.set(Buffer.concat(texts), offsetsSize);
  return Buffer.concat([head, body]);
}

export const padded = (size: number): number => (size + 7) & ~7;

type Spans = readonly (readonly [offset: number, size: number])[];

const emptyBuffers = (count: number): Spans => Array.from({ length: count }, () => [0, 0]);

/** All nodes of `rows` values without nulls. Vectors are written from the last to the first. */
function addBatch(builder: Builder, rows: number, nodes: number, spans: Spans): number {
  RecordBatch.startNodesVector(builder, nodes);
  for (let at = 0; at < nodes; at++) FieldNode.createFieldNode(builder, BigInt(rows), 0n);
  const nodeVector = builder.endVector();
  RecordBatch.startBuffersVector(builder, spans.length);
  for (const [offset, size] of spans.toReversed()) FbBuffer.createBuffer(builder, BigInt(offset), BigInt(size));
  const bufferVector = builder.endVector();
  RecordBatch.startRecordBatch(builder);
  RecordBatch.addLength(builder, BigInt(rows));
  RecordBatch.addNodes(builder, nodeVector);
  RecordBatch.addBuffers(builder, bufferVector);
  return RecordBatch.endRecordBatch(builder);
}

/** With its prefix, up to a whole number of eight bytes. */
function finish(builder: Builder, type: MessageHeader, header: number, bodySize: number): Uint8Array {
  Message.startMessage(builder);
  Message.addVersion(builder, MetadataVersion.V5);
  Message.addHeaderType(builder, type);
  Message.addHeader(builder, header);
  Message.addBodyLength(builder, BigInt(bodySize));
  Message.finishMessageBuffer(builder, Message.endMessage(builder));
  const metadata = builder.asUint8Array();
  const size = padded(metadata.length);
  const bytes = new Uint8Array(PREFIX + size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xffffffff, true);
  view.setUint32(4, size, true);
  bytes.set(metadata, PREFIX);
  return bytes;
}

/** Sets the numbers of a batch in a copy of its message that lies in `view` at `at`: pairs as the body wrote them. */
export function fillBatch(
  view: DataView,
  at: number,
  message: BatchMessage,
  filled: {
    readonly rows: number;
    readonly bodySize: number;
    readonly nodes: readonly number[];
    readonly buffers: readonly number[];
  },
): void {
  setInt64(view, at + message.rowsAt, filled.rows);
  setInt64(view, at + message.bodySizeAt, filled.bodySize);
  setPairs(view, at + message.nodesAt, filled.nodes);
  setPairs(view, at + message.buffersAt, filled.buffers);
}

function setPairs(view: DataView, from: number, numbers: readonly number[]): void {
  for (let at = 0; at < numbers.length; at++) setInt64(view, from + at * (STRUCT / 2), numbers[at] as number);
}

/** Below 2^53. */
function setInt64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
