// The text of an access key, `hr_<id>_<secret>`: made once, shown once, known afterwards by the hash of its secret alone.

import { createHash, randomInt, timingSafeEqual } from 'node:crypto';

export interface KeyToken {
  readonly id: string;
  readonly secret: string;
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';
const LETTERS = `${DIGITS}ABCDEFGHIJKLMNOPQRSTUVWXYZ`;
const ID_LENGTH = 10;
/** Of 62 letters: 190 bits, so a plain hash is as good as a slow one. */
const SECRET_LENGTH = 32;

export function newKeyToken(): KeyToken {
  return { id: chosen(DIGITS, ID_LENGTH), secret: chosen(LETTERS, SECRET_LENGTH) };
}

export function writeKeyToken({ id, secret }: KeyToken): string {
  return `hr_${id}_${secret}`;
}

/** Undefined where the text is no key: nothing is looked up for it. */
export function readKeyToken(text: string): KeyToken | undefined {
  const [, id, secret] = /^hr_([0-9a-z]{10})_([0-9A-Za-z]{32})$/.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** In a time that tells nothing of how much of it fits. `secretHash` in hex. */
export function fitsSecret(secretHash: string, secret: string): boolean {
  const kept = Buffer.from(secretHash, 'hex');
  const given = hashSecret(secret);
  return kept.length === given.length && timingSafeEqual(kept, given);
}

function chosen(letters: string, length: number): string {
  return Array.from({ length }, () => letters[randomInt(letters.length)]).join('');
}
