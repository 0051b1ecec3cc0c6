// What a call is refused with: an error of the catalogue.

import { expect } from 'vitest';
import type { ErrorCode } from '../../src/core/index.ts';

/** `says`: part of its message, or more of the error. */
export async function refused(call: Promise<unknown>, code: ErrorCode, says: string | RegExp | object = {}) {
  const message = says instanceof RegExp ? expect.stringMatching(says) : expect.stringContaining(String(says));
  const isText = typeof says === 'string' || says instanceof RegExp;
  await expect(call).rejects.toMatchObject(isText ? { code, message } : { code, ...says });
}
