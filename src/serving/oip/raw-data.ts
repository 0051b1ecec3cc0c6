// Binary tensor data, little-endian and row-major: of HTTP's binary extension and of gRPC's raw contents. A text is its length
// in four bytes and then its UTF-8.

import { isUtf8 } from 'node:buffer';
import { invalid } from '../../core/index.ts';
import { arrayOf, isText, requestArrayOf, type Tensor, type TensorData, type TensorType } from '../../models/index.ts';
import { binaryBytes, datatypeOf } from './tensors.ts';

/** Numbers are seen where they lie, or copied where no such array may begin. Throws HR_INVALID, at `path`, where the bytes are not `count` elements of the type. */
export function readRawData(bytes: Buffer, type: TensorType, count: number, path: string): TensorData {
  const size = binaryBytes(type);
  if (size === undefined) return readTexts(bytes, count, path);
  if (bytes.length !== count * size) {
    const message = `${count} elements of ${datatypeOf(type)} are ${count * size} bytes, got ${bytes.length}`;
    throw invalid([{ path, message }]);
  }
  const data =
    bytes.byteOffset % size === 0 ? arrayOf(type, count, bytes.buffer, bytes.byteOffset) : copied(bytes, type, count);
  if (type === 'bool') refuseOtherBools(data as Uint8Array, path);
  return data;
}

function copied(bytes: Buffer, type: TensorType, count: number): TensorData {
  const data = requestArrayOf(type, count);
  if (!isText(data)) new Uint8Array(data.buffer, data.byteOffset, bytes.length).set(bytes);
  return data;
}

function refuseOtherBools(data: Uint8Array, path: string): void {
  const at = data.findIndex((value) => value > 1);
  if (at >= 0) throw invalid([{ path, message: `element ${at} is ${data[at]}, expected a BOOL of 0 or 1` }]);
}

function readTexts(bytes: Buffer, count: number, path: string): string[] {
  const wrong = (message: string): never => {
    throw invalid([{ path, message }]);
  };
  if (count * LENGTH_BYTES > bytes.length)
    wrong(`${count} elements of BYTES are at least ${count * LENGTH_BYTES} bytes, got ${bytes.length}`);
  const texts: string[] = [];
  let at = 0;
  for (let element = 0; element < count; element++) {
    if (at + LENGTH_BYTES > bytes.length) wrong(`the data ends within the length of element ${element}`);
    const length = bytes.readUInt32LE(at);
    at += LENGTH_BYTES;
    if (length > bytes.length - at) wrong(`element ${element} says ${length} bytes, and ${bytes.length - at} are left`);
    const text = bytes.subarray(at, at + length);
    if (!isUtf8(text)) wrong(`element ${element} is not UTF-8, which texts have to be`);
    texts.push(text.toString('utf8'));
    at += length;
  }
  if (at < bytes.length) wrong(`${bytes.length - at} bytes are left after ${count} elements`);
  return texts;
}

const LENGTH_BYTES = 4;

/** Numbers are seen, not copied: the bytes hold as long as the tensor does. */
export function writeRawData({ data }: Pick<Tensor, 'data'>): Buffer {
  if (!isText(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const lengths = data.map((text) => Buffer.byteLength(text));
  const whole = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + LENGTH_BYTES + length, 0));
  let at = 0;
  data.forEach((text, element) => {
    at = whole.writeUInt32LE(lengths[element] as number, at);
    at += whole.write(text, at);
  });
  return whole;
}
