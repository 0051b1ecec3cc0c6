// How many times its usual size a basket has. It knows nothing of Headrace, so it is tested as it is.

/** Null where one of the two is not known, or nothing was spent so far. */
export function timesUsual(amount: number | null, usual: number | null): number | null {
  return amount === null || usual === null || usual === 0 ? null : amount / usual;
}
