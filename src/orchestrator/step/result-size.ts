// How large a result may be.

/** A result is held in memory whole, by the step after it too: what is larger belongs in a file. */
export const MAX_RESULT_BYTES = 64 * 2 ** 20;

/** What there is to say of a result of so many bytes; undefined where it is small enough. */
export function tooLarge(bytes: number): string | undefined {
  if (bytes <= MAX_RESULT_BYTES) return undefined;
  const mib = Math.ceil(bytes / 2 ** 20);
  return `the step's result has ${mib} MiB, more than the ${MAX_RESULT_BYTES / 2 ** 20} MiB that a result may have; write what is that large as a file into the output folder, and name it in the result`;
}
