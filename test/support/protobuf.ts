// Just enough protobuf to write a message: varints, length-delimited fields, floats.

/** One field, ready to be joined with others into a message. */
export type Encoded = Buffer;

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

const tag = (field: number, wire: number): Buffer => varint(BigInt((field << 3) | wire));

export const int = (field: number, value: number): Encoded => Buffer.concat([tag(field, 0), varint(BigInt(value))]);

export const bytes = (field: number, value: Uint8Array): Encoded =>
  Buffer.concat([tag(field, 2), varint(BigInt(value.length)), value]);

export const text = (field: number, value: string): Encoded => bytes(field, Buffer.from(value));

export const message = (field: number, parts: readonly Encoded[]): Encoded => bytes(field, Buffer.concat(parts));

export const float = (field: number, value: number): Encoded => {
  const fixed = Buffer.alloc(4);
  fixed.writeFloatLE(value);
  return Buffer.concat([tag(field, 5), fixed]);
};

export const floats = (field: number, values: readonly number[]): Encoded => {
  const array = Float32Array.from(values);
  return bytes(field, new Uint8Array(array.buffer));
};

export const ints = (field: number, values: readonly number[]): Encoded =>
  bytes(field, Buffer.concat(values.map((value) => varint(BigInt(value)))));
