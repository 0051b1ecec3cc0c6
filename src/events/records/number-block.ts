// Numbers of rows as doubles that lie side by side. Null is a NaN that no number is written as.

export const NUMBER_BYTES = 8;

const ONES = 0xff;
const ALL_ONES = 0xffffffff;

export function writeNumber(bytes: Buffer, at: number, value: number | null | undefined): void {
  if (value === null || value === undefined) bytes.fill(ONES, at, at + NUMBER_BYTES);
  // A NaN may carry bits of its own: all are written as one.
  else bytes.writeDoubleLE(Number.isNaN(value) ? NaN : value, at);
}

export function readNumber(bytes: Buffer, at: number): number | null {
  const value = bytes.readDoubleLE(at);
  if (!Number.isNaN(value)) return value;
  return bytes.readUInt32LE(at) === ALL_ONES && bytes.readUInt32LE(at + 4) === ALL_ONES ? null : value;
}
