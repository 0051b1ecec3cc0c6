// A number of a float32 column as whoever sent it most likely wrote it: the shortest that rounds to it. An SDK has what was
// sent, not what 32 bits made of it.

/** Nine digits name any float32. */
const MOST_DIGITS = 9;
/** Whole numbers up to it are all there. */
const MOST_EXACT = 2 ** 24;

export function sentFloat32(value: number): number {
  const isExact = Number.isInteger(value) && Math.abs(value) <= MOST_EXACT;
  if (isExact || !Number.isFinite(value)) return value;
  for (let digits = 1; digits < MOST_DIGITS; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(MOST_DIGITS));
}
