// A part as its field's value: the number it was written under, big-endian, then the fold.

import type { PartWrite } from '../online-store.ts';
import type { CommandBuffer } from './resp/command-buffer.ts';

/** Holder as 4 bytes and n as 8. */
export const PART_NUMBER_BYTES = 12;

const HIGH = 2 ** 32;

export function writePartValue(out: CommandBuffer, { holder, n, fold }: PartWrite): void {
  out.word(PART_NUMBER_BYTES + fold.length);
  out.uint32(holder);
  out.uint32(Math.floor(n / HIGH));
  out.uint32(n % HIGH);
  out.raw(fold);
  out.end();
}
