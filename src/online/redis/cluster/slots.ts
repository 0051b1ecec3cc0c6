// Which of a cluster's 16,384 slots a key belongs to: CRC16 (XMODEM) of the key, or of what its first braces hold.
// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags

export const SLOTS = 16_384;

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc & 0xffff;
});

/** The CRC of what came before and `byte`. */
export function addToCrc(crc: number, byte: number): number {
  return ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ byte] as number);
}

export function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = addToCrc(crc, byte);
  return crc;
}

export function slotOfKey(key: string | Uint8Array): number {
  const bytes = Buffer.from(key);
  const open = bytes.indexOf(123);
  const close = open < 0 ? -1 : bytes.indexOf(125, open);
  return crc16(close > open + 1 ? bytes.subarray(open + 1, close) : bytes) % SLOTS;
}

const tags = new Map<number, string>();

/** A hash tag of a slot: what keeps a key on the node that has the slot. */
export function tagOfSlot(slot: number): string {
  let tag = tags.get(slot);
  for (let number = 0; tag === undefined; number++) {
    const text = String(number);
    if (crc16(Buffer.from(text)) % SLOTS === slot) tag = text;
  }
  tags.set(slot, tag);
  return tag;
}
