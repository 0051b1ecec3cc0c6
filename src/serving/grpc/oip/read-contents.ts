// inference.InferTensorContents → a tensor's data: as many elements as its shape has, each in its datatype's range.

import { invalid } from '../../../core/index.ts';
import { isText, requestArrayOf, type TensorData, type TensorType } from '../../../models/index.ts';
import { readRawData } from '../../oip/raw-data.ts';
import { datatypeOf } from '../../oip/tensors.ts';
import { DELIMITED, FIXED32, FIXED64, VARINT, WireReader } from '../wire/wire-reader.ts';

interface Member {
  readonly field: number;
  readonly name: string;
  /** Of one element. */
  readonly wire: number;
  read(reader: WireReader): number | bigint | string;
}

const BOOL: Member = { field: 1, name: 'bool_contents', wire: VARINT, read: (reader) => (reader.bool() ? 1 : 0) };
const INT: Member = { field: 2, name: 'int_contents', wire: VARINT, read: (reader) => reader.int32() };
const INT64: Member = { field: 3, name: 'int64_contents', wire: VARINT, read: (reader) => reader.int64() };
const UINT: Member = { field: 4, name: 'uint_contents', wire: VARINT, read: (reader) => reader.uint32() };
const UINT64: Member = { field: 5, name: 'uint64_contents', wire: VARINT, read: (reader) => reader.uint64() };
const FP32: Member = { field: 6, name: 'fp32_contents', wire: FIXED32, read: (reader) => reader.float() };
const FP64: Member = { field: 7, name: 'fp64_contents', wire: FIXED64, read: (reader) => reader.double() };
const BYTES: Member = { field: 8, name: 'bytes_contents', wire: DELIMITED, read: (reader) => reader.text() };

/** Undefined: its elements go as raw contents alone. */
export const CONTENTS: Readonly<Record<TensorType, Member | undefined>> = {
  bool: BOOL,
  int8: INT,
  int16: INT,
  int32: INT,
  int64: INT64,
  uint8: UINT,
  uint16: UINT,
  uint32: UINT,
  uint64: UINT64,
  float16: undefined,
  float32: FP32,
  float64: FP64,
  string: BYTES,
};

const RANGES: Partial<Record<TensorType, readonly [number, number]>> = {
  int8: [-(2 ** 7), 2 ** 7 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint8: [0, 2 ** 8 - 1],
  uint16: [0, 2 ** 16 - 1],
};

/**
 * `count` is within what the message's bytes can hold. Throws HR_MALFORMED_PROTOBUF, and HR_INVALID where they are no `count`
 * elements of the type.
 */
export function readContents(bytes: Buffer, type: TensorType, count: number, path: string): TensorData {
  const member = CONTENTS[type];
  const datatype = datatypeOf(type);
  const wrong = (message: string): never => {
    throw invalid([{ path: `${path}.contents`, message }]);
  };
  if (member === undefined) return wrong(`${datatype} goes in raw_input_contents`);
  const packed = packedAlone(bytes, member);
  if (packed?.length === count * (member.wire === FIXED32 ? 4 : 8)) return readRawData(packed, type, count, path);
  const data: TensorData = type === 'string' ? [] : requestArrayOf(type, count);
  const [least, most] = RANGES[type] ?? [-Infinity, Infinity];
  const reader = new WireReader(bytes);
  let at = 0;
  const one = (): void => {
    const value = member.read(reader);
    if (at >= count) wrong(`has more than the ${count} elements of its shape`);
    if (typeof value === 'number' && (value < least || value > most))
      wrong(`element ${at} is ${value}: no ${datatype}`);
    // The member's kind is the type's.
    if (isText(data)) (data as string[]).push(value as string);
    else (data as unknown as (number | bigint)[])[at] = value as number;
    at++;
  };
  while (reader.next()) {
    if (reader.field !== member.field) wrong(`${datatype} goes in ${member.name}, and field ${reader.field} came`);
    if (reader.wire !== member.wire && reader.wire !== DELIMITED)
      wrong(`${member.name} has the wire type ${reader.wire}`);
    reader.each(member.wire, one);
  }
  if (at < count) wrong(`has ${at} of the ${count} elements of its shape`);
  return data;
}

/** The bytes of all elements, where they are one packed field of floats. */
function packedAlone(bytes: Buffer, { field, wire }: Member): Buffer | undefined {
  if (wire !== FIXED32 && wire !== FIXED64) return undefined;
  const reader = new WireReader(bytes);
  if (!reader.next() || !reader.is(field, DELIMITED)) return undefined;
  const view = reader.view();
  return reader.at === reader.end ? view : undefined;
}
