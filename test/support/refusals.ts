// Work that must fail: by this code, and in these words.

import { expect } from 'vitest';

export interface Refusal extends Error {
  readonly code: string;
  readonly details?: readonly { readonly path: string; readonly message: string }[];
}

/** `work` is a promise. `told`: texts or patterns that the message has. Gives the error. */
export async function refused(
  work: unknown,
  code: string | RegExp,
  ...told: readonly (string | RegExp)[]
): Promise<Refusal> {
  const error = await Promise.resolve(work).then(
    () => expect.fail('it was not refused'),
    (thrown: Refusal) => thrown,
  );
  expect(error.code, error.message).toMatch(typeof code === 'string' ? new RegExp(`^${code}$`) : code);
  for (const text of told) expect(error.message).toMatch(text);
  return error;
}
