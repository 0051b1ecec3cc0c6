// Content hashes: everything versioned is named by the SHA-256 of its canonical form.

import { createHash } from 'node:crypto';
import { canonicalJson } from './json.ts';

export function sha256Hex(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The SHA-256 of a plain value's canonical JSON. */
export function contentHash(value: unknown): string {
  return sha256Hex(canonicalJson(value));
}
