// Work that must fail: by this code, and in these words.

import { expect } from 'vitest';

export interface Refusal extends Error {
  readonly code: string;
  readonly details?: readonly { readonly path: string; readonly message: string }[];
}

/** `work` is a promise. `says`: texts or patterns that the message has, or more of the error. Gives the error. */
export async function refused(
  work: unknown,
  code: string | RegExp,
  ...says: readonly (string | RegExp | object)[]
): Promise<Refusal> {
  const error = await Promise.resolve(work).then(
    () => expect.fail('it was not refused'),
    (thrown: Refusal) => thrown,
  );
  expect(error.code, error.message).toMatch(typeof code === 'string' ? new RegExp(`^${code}$`) : code);
  for (const one of says)
    if (typeof one === 'string' || one instanceof RegExp) expect(error.message).toMatch(one);
    else expect(error).toMatchObject(one);
  return error;
}
