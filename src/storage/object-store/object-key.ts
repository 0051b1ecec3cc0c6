// Object keys: relative paths with `/`, the same set in every store, so that none can climb out of its root.

import { HeadraceError } from '../../core/index.ts';

const MAX_KEY_BYTES = 1024;

/** The key itself when it is one. Throws HR_INVALID for an empty, absolute, climbing or hidden one. */
export function checkKey(key: string): string {
  const isBad =
    Buffer.byteLength(key) > MAX_KEY_BYTES ||
    [...key].some((character) => character < ' ' || character === '\\') ||
    key.startsWith('.partial') ||
    key.split('/').some((part) => part === '' || part === '.' || part === '..');
  if (!isBad) return key;
  const got = JSON.stringify(key.slice(0, 80));
  const sentence = `an object key is a relative path like "blobs/ab12" without "..", got ${got}`;
  throw new HeadraceError('HR_INVALID', sentence);
}
